# SPDX-License-Identifier: BSD-2-Clause
"""The calls of PYNQ.remote over real gRPC, with a memory in the place of the board, and clients of no good will."""

import asyncio
import contextlib
import random
import socket

import grpc
import grpc.aio
import numpy as np
import pytest

from triplane.hal.registers import RegisterMap
from triplane.sim.board import BoardError
from triplane.sim.board.pynq import server, system
from triplane.sim.board.pynq.buffers import MEMORY_BYTES
from triplane.sim.board.pynq.messages import BUFFER, DEVICE, MESSAGES, MMIO
from triplane.sim.board.pynq.overlay import bit_file
from triplane.sim.board.pynq.server import PynqEndpoint
from triplane.sim.board.pynq.system import FIRMWARE_FOLDER, MANAGER

FIELDS = {"bits": 32, "access": "rw", "description": "", "fields": []}
REGISTERS = RegisterMap({"registers": {"a": {"address": 0xFFC, "words": 1, **FIELDS}}})
BASE = 0xA000_0000


class Memory:
    """A bus with an address at which nothing answers."""

    def __init__(self):
        self.words, self.accesses = {}, []

    def read(self, address, count=1):
        self._check("read", address)
        return np.array([self.words.get(address, 0)], np.uint32)

    def write(self, address, words):
        self._check("write", address)
        (self.words[address],) = (int(word) for word in words)

    def _check(self, what, address):
        self.accesses.append((what, address))
        if address == 0x800:
            raise BoardError("no answer from the bus at address 0x800")


class Client:
    """Calls by name."""

    def __init__(self, channel, service):
        self._channel, self._service = channel, service

    def __getattr__(self, name):
        call = self._service.calls[name]
        kind = {
            (False, False): self._channel.unary_unary,
            (False, True): self._channel.unary_stream,
            (True, False): self._channel.stream_unary,
        }[call.sends, call.answers]
        remote = kind(
            f"/{self._service.name}/{name}",
            request_serializer=MESSAGES[call.request].SerializeToString,
            response_deserializer=MESSAGES[call.response].FromString,
        )

        async def ask(*requests, **fields):
            made = [MESSAGES[call.request](**given) for given in requests or (fields,)]
            if call.answers:
                return [answer async for answer in remote(made[0])]
            return await remote(iter(made) if call.sends else made[0])

        return ask


@contextlib.asynccontextmanager
async def served(memory, calls=None):
    endpoint = PynqEndpoint(
        memory,
        REGISTERS,
        "0" * 64,
        configure=memory.words.clear,
        called=lambda: calls.append(1) if calls is not None else None,
        port=0,
    )
    async with endpoint, grpc.aio.insecure_channel(f"127.0.0.1:{endpoint.port}") as channel:
        yield endpoint, {service.name: Client(channel, service) for service in (MMIO, BUFFER, DEVICE)}


def with_client(test, service=MMIO):
    """Run a coroutine with a memory and a client of a service."""

    async def run():
        memory = Memory()
        async with served(memory) as (_, clients):
            await test(memory, clients[service.name])

    asyncio.run(run())


def test_a_read_is_one_access():
    async def test(memory, client):
        memory.words[0x10] = 0x8765_4321
        window = (await client.get_mmio(base_addr=BASE, length=0x1000)).mmio_id
        for length, expected in ((4, 0x8765_4321), (2, 0x4321), (1, 0x21)):
            memory.accesses.clear()
            answer = await client.read(mmio_id=window, offset=0x10, length=length, word_order="little")
            assert (answer.status, answer.msg, answer.data) == (True, "", expected)
            assert memory.accesses == [("read", 0x10)]

    with_client(test)


def test_words_of_a_write_in_their_order():
    async def test(memory, client):
        window = (await client.get_mmio(base_addr=BASE + 0x100, length=0x100)).mmio_id
        answer = await client.write(mmio_id=window, offset=8, data=bytes(range(1, 13)))
        assert (answer.status, answer.msg) == (True, "")
        assert memory.accesses == [("write", 0x108), ("write", 0x10C), ("write", 0x110)]
        assert memory.words[0x10C] == 0x0807_0605

    with_client(test)


def test_what_a_window_refuses():
    async def test(memory, client):
        window = (await client.get_mmio(base_addr=BASE, length=0x1000)).mmio_id
        for fields, text in (
            ({"offset": 0x1000, "length": 4}, "offset 0x1000 is no word of a window of 0x1000 bytes"),
            ({"offset": 2, "length": 4}, "offset 0x2 is no word"),
            ({"offset": 2**64 - 4, "length": 4}, "is no word"),
            ({"offset": 0, "length": 8}, "not 8; read words"),
            ({"offset": 0, "length": 0}, "not 0; read words"),
        ):
            answer = await client.read(mmio_id=window, **fields)
            assert not answer.status
            assert text in answer.msg
        for fields, text in (
            ({"offset": 0xFFC, "data": bytes(8)}, "offset 0xffc is no word"),
            ({"offset": 0, "data": bytes(3)}, "whole words are written, not 3 bytes"),
            ({"offset": 0, "data": b""}, "whole words are written, not 0 bytes"),
        ):
            answer = await client.write(mmio_id=window, **fields)
            assert not answer.status
            assert text in answer.msg
        assert not memory.accesses
        assert "no window 'x'" in (await client.read(mmio_id="x", length=4)).msg

    with_client(test)


def test_where_nothing_is():
    async def test(memory, client):
        for base, length in ((0, 4), (BASE - 4, 8), (BASE, 0x1004), (2**64 - 1, 2**64 - 1), (0xFF5E_FFFC, 8)):
            answer = await client.get_mmio(base_addr=base, length=length)
            assert not answer.status
            assert "its registers are in 0x1000 bytes from 0xa0000000" in answer.msg
        assert "begins at a whole word" in (await client.get_mmio(base_addr=BASE + 2, length=4)).msg

    with_client(test)


def test_an_error_of_the_bus_is_told():
    async def test(memory, client):
        window = (await client.get_mmio(base_addr=BASE, length=0x1000)).mmio_id
        assert "no answer from the bus" in (await client.read(mmio_id=window, offset=0x800, length=4)).msg
        assert (
            "no answer from the bus" in (await client.write(mmio_id=window, offset=0x800, data=bytes(4))).msg
        )

    with_client(test)


def test_the_oldest_window_is_forgotten(monkeypatch):
    monkeypatch.setattr(server, "MOST_WINDOWS", 8)

    async def test(memory, client):
        first = (await client.get_mmio(base_addr=BASE, length=4)).mmio_id
        for _ in range(8):
            last = (await client.get_mmio(base_addr=BASE, length=4)).mmio_id
        assert "open it again" in (await client.read(mmio_id=first, length=4)).msg
        assert (await client.read(mmio_id=last, length=4)).status

    with_client(test)


def test_buffers_are_copied_whole():
    async def test(_, client):
        name = (await client.allocate(size=3_000_000)).buffer_id
        parts = ({"buffer_id": name, "data": bytes([k]) * 1_500_000} for k in (1, 2))
        assert not (await client.write(*parts)).msg
        answers = await client.read(buffer_id=name)
        assert len(answers) == 3
        assert b"".join(answer.data for answer in answers) == b"\1" * 1_500_000 + b"\2" * 1_500_000
        assert "holds 3000000 bytes" in (await client.write(buffer_id=name, data=bytes(3_000_001))).msg
        assert "copied whole" in (await client.write(buffer_id=name, data=b"x", start=1)).msg
        with pytest.raises(grpc.RpcError, match="copied whole"):
            await client.read(buffer_id=name, end=5)
        assert (await client.cacheable(buffer_id=name)).cacheable
        assert (await client.virtual_address(buffer_id=name)).address
        assert not (await client.freebuffer(buffer_id=name)).msg
        for act in (
            client.freebuffer,
            client.flush,
            client.invalidate,
            client.physical_address,
            client.cacheable,
        ):
            assert "was it freed" in (await act(buffer_id=name)).msg

    with_client(test, BUFFER)


def test_files_and_their_errors():
    async def test(_, client):
        with pytest.raises(grpc.RpcError, match="cannot be written"):
            await client.writefile(file_path="/etc/passwd", data=b"x")
        with pytest.raises(grpc.RpcError, match="no file /etc/passwd"):
            await client.readfile(file_path="/etc/passwd")
        parts = [{"file_path": "/tmp/x", "data": bytes([k]) * 1_000_000} for k in range(3)]
        await client.writefile(*parts)
        answers = await client.readfile(file_path="/tmp/x")
        assert b"".join(answer.data for answer in answers) == b"".join(part["data"] for part in parts)
        assert (await client.existsfile(file_path="/tmp/x")).exists
        assert not (await client.existsfile(file_path="/tmp/y")).exists
        with pytest.raises(grpc.RpcError, match="one whole"):
            await client.set_bitstream_attrs(binfile_name="x.bin", partial=True)

    with_client(test, DEVICE)


def test_every_call_is_told_to_the_owner_of_the_board():
    async def run():
        calls = []
        async with served(Memory(), calls) as (_, clients):
            await clients[MMIO.name].get_mmio(base_addr=BASE, length=4)
            await clients[BUFFER.name].flush(buffer_id="x")
            await clients[DEVICE.name].existsfile(file_path="x")
        assert len(calls) == 3

    asyncio.run(run())


def test_calls_that_there_are_not():
    async def run():
        async with (
            served(Memory()) as (endpoint, _),
            grpc.aio.insecure_channel(f"127.0.0.1:{endpoint.port}") as other,
        ):
            with pytest.raises(grpc.RpcError) as caught:
                await other.unary_unary("/gpio.Gpio/get_gpio")(b"")
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    asyncio.run(run())


async def stranger(channel, name, call, rng):
    """A call with random bytes for its messages."""
    messages = [rng.randbytes(rng.randrange(40)) for _ in range(1 + rng.randrange(3) * call.sends)]
    if call.sends:
        await channel.stream_unary(name)(iter(messages))
    elif call.answers:
        async for _ in channel.unary_stream(name)(messages[0]):
            pass
    else:
        await channel.unary_unary(name)(messages[0])


def test_uploads_share_the_room_for_files(monkeypatch):
    monkeypatch.setattr(system, "FILES_BYTES", 5_000_000)

    async def test(_, client):
        async def upload(name):
            parts = [{"file_path": f"/tmp/{name}", "data": bytes(100_000)} for _ in range(30)]
            await client.writefile(*parts)

        ended = await asyncio.gather(upload("one"), upload("two"), return_exceptions=True)
        assert any(
            isinstance(end, grpc.RpcError) and "no room for more than" in end.details() for end in ended
        )
        # What was refused takes no room.
        await client.writefile(*({"file_path": "/tmp/one", "data": bytes(1_000_000)} for _ in range(4)))

    with_client(test, DEVICE)


def test_an_overlay_takes_buffers_back():
    bit = bit_file("0" * 64, "")
    # As a client makes it of a .bit file: the bytes of each word in reverse.
    firmware = np.frombuffer(bit[bit.index(b"triplane simulated") :], ">u4").astype("<u4").tobytes()

    async def run():
        async with served(Memory()) as (_, clients):
            buffers, device = clients[BUFFER.name], clients[DEVICE.name]
            kept = (await buffers.allocate(size=MEMORY_BYTES)).buffer_id
            with pytest.raises(grpc.RpcError, match="no room"):
                await buffers.allocate(size=1)
            for path, data in (
                (f"{FIRMWARE_FOLDER}x.bin", firmware),
                (f"{MANAGER}firmware", b"x.bin"),
            ):
                await device.writefile(file_path=path, data=data)
            assert (await buffers.allocate(size=MEMORY_BYTES)).buffer_id != kept
            assert "was it freed" in (await buffers.flush(buffer_id=kept)).msg

    asyncio.run(run())


def test_strangers_do_no_harm():
    """100,000 random bytes, and messages of random bytes to every call."""

    async def run():
        rng = random.Random(4)
        memory = Memory()
        async with served(memory) as (endpoint, clients):
            for _ in range(50):
                _, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
                preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" if rng.random() < 0.5 else b""
                with contextlib.suppress(ConnectionError):
                    writer.write(preface + rng.randbytes(2_000))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{endpoint.port}") as channel:
                for service in (MMIO, BUFFER, DEVICE):
                    for name, call in service.calls.items():
                        for _ in range(10):
                            with contextlib.suppress(grpc.RpcError):
                                await stranger(channel, f"/{service.name}/{name}", call, rng)
            assert not memory.accesses
            window = (await clients[MMIO.name].get_mmio(base_addr=BASE, length=4)).mmio_id
            assert (await clients[MMIO.name].read(mmio_id=window, length=4)).status

    asyncio.run(run())


def test_a_port_has_one_board():
    async def run():
        async with served(Memory()) as (endpoint, _):
            second = PynqEndpoint(Memory(), REGISTERS, "0" * 64, configure=print, port=endpoint.port)
            with pytest.raises(OSError, match=str(endpoint.port)):
                async with second:
                    pass
        # And is free again.
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", endpoint.port))

    asyncio.run(run())
