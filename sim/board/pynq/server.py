# SPDX-License-Identifier: BSD-2-Clause
"""The calls of PYNQ.remote, answered by a simulated board."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Protocol, Self

import grpc
import grpc.aio
import numpy.typing as npt

from triplane.hal.drivers.pynq import PYNQ_PORT
from triplane.hal.registers import WORD_BYTES, WORD_MAX, RegisterMap
from triplane.sim.board.library import BoardError, Words
from triplane.sim.board.pynq.buffers import AllocationError, Buffers
from triplane.sim.board.pynq.messages import BUFFER, DEVICE, MESSAGES, MMIO, handlers
from triplane.sim.board.pynq.overlay import window_of
from triplane.sim.board.pynq.system import BitstreamError, FileError, Files, Region, processing_system

CHUNK_BYTES = 2**20
"""Of a file or a buffer in one message; a client takes 4 MiB at the most."""

MOST_WINDOWS = 4_096
"""Windows that are remembered. A client never gives one back: the oldest is forgotten, and told so."""

Request = Any
Context = grpc.aio.ServicerContext[Any, Any]


class Bus(Protocol):
    """The board's registers, by byte addresses; whoever calls lets time pass on the board by it."""

    def read(self, address: int, count: int = 1) -> Words:
        """Read words."""

    def write(self, address: int, words: npt.ArrayLike) -> None:
        """Write words."""


class PynqEndpoint:
    """Answers clients of PYNQ.remote while it is entered, in the event loop of whoever owns the board.

    Args:
        bus: of the board; used between two slices of its time, and never in the middle of one.
        registers: its map.
        build_hash: SHA-256 (hex), as its identification reads.
        configure: called when a client has loaded an overlay of that build: the board is then as it was switched on.
        called: told of each call of a client.
        host, port: to listen on; 0 for any port that is free, which a client by itself does not look for.
    """

    def __init__(
        self,
        bus: Bus,
        registers: RegisterMap,
        build_hash: str,
        *,
        configure: Callable[[], object],
        called: Callable[[], object] = lambda: None,
        host: str = "127.0.0.1",
        port: int = PYNQ_PORT,
    ) -> None:
        self.host, self.port = host, port
        regions = [_Fabric(bus, registers), *processing_system()]
        buffers = Buffers()

        def configured() -> None:
            # Whoever loads the overlay begins anew; who had buffers before is gone, or has lost the board anyway.
            buffers.clear()
            configure()

        files = Files(build_hash, configured)
        self._services = [
            handlers(MMIO, _Mmio(regions, called)),
            handlers(BUFFER, _Buffer(buffers, called)),
            handlers(DEVICE, _Device(files, called)),
        ]
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        # Without this two boards share a port, and a client finds now the one and now the other.
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers(self._services)
        try:
            self.port = server.add_insecure_port(f"{self.host}:{self.port}")
        except RuntimeError as error:
            raise OSError(errno.EADDRINUSE, f"{self.host}:{self.port}: {error}") from error
        await server.start()
        self._server = server
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)


class _Fabric:
    """The board's registers behind the port of the processing system."""

    def __init__(self, bus: Bus, registers: RegisterMap) -> None:
        window = window_of(registers)
        self.base, self.size = window.base, window.size
        self._bus = bus

    def read(self, address: int) -> int:
        return int(self._bus.read(address - self.base)[0])

    def write(self, address: int, word: int) -> None:
        self._bus.write(address - self.base, [word])


class _WindowError(Exception):
    """A window, or a place in one, that is not there."""


class _Mmio:
    """Windows on registers. What is wrong is said in the field `msg`, which a client raises as an error."""

    def __init__(self, regions: list[Region], called: Callable[[], object]) -> None:
        self._regions, self._called = regions, called
        self._windows: dict[str, tuple[Region, int, int]] = {}
        self._opened = 0

    async def get_mmio(self, request: Request, context: Context) -> Any:
        self._called()
        base, length = request.base_addr, request.length
        for region in self._regions:
            if region.base <= base and base + length <= region.base + region.size:
                break
        else:
            return MESSAGES["GetMmioResponse"](
                msg=f"the simulated board has nothing in the {length} bytes from {base:#x}: its registers are in "
                f"{self._regions[0].size:#x} bytes from {self._regions[0].base:#x}"
            )
        if base % WORD_BYTES:
            return MESSAGES["GetMmioResponse"](msg=f"a window begins at a whole word, not at {base:#x}")
        self._opened += 1
        name = f"mmio-{self._opened}"
        self._windows[name] = (region, base, length)
        if len(self._windows) > MOST_WINDOWS:
            del self._windows[next(iter(self._windows))]
        return MESSAGES["GetMmioResponse"](status=True, mmio_id=name)

    async def read(self, request: Request, context: Context) -> Any:
        self._called()
        try:
            if request.length not in (1, 2, WORD_BYTES):
                raise _WindowError(
                    f"an answer holds 1, 2 or {WORD_BYTES} bytes, not {request.length}; read words"
                )
            region, address = self._place(request.mmio_id, request.offset, WORD_BYTES)
            word = region.read(address) & WORD_MAX >> 8 * (WORD_BYTES - request.length)
        except (_WindowError, BoardError) as error:
            return MESSAGES["ReadResponse"](msg=str(error))
        return MESSAGES["ReadResponse"](status=True, data=word)

    async def write(self, request: Request, context: Context) -> Any:
        self._called()
        data = request.data
        try:
            if not data or len(data) % WORD_BYTES:
                raise _WindowError(f"whole words are written, not {len(data)} bytes")
            region, address = self._place(request.mmio_id, request.offset, len(data))
            for start in range(0, len(data), WORD_BYTES):
                region.write(address + start, int.from_bytes(data[start : start + WORD_BYTES], "little"))
        except (_WindowError, BoardError) as error:
            return MESSAGES["WriteResponse"](msg=str(error))
        return MESSAGES["WriteResponse"](status=True)

    def _place(self, name: str, offset: int, size: int) -> tuple[Region, int]:
        if name not in self._windows:
            raise _WindowError(f"there is no window {name!r}; open it again")
        region, base, length = self._windows[name]
        if offset % WORD_BYTES or offset + size > length:
            raise _WindowError(f"offset {offset:#x} is no word of a window of {length:#x} bytes")
        return region, base + offset


class _Buffer:
    """Memory. A client does not look at `msg` where a buffer is made or read: the call itself then fails."""

    def __init__(self, buffers: Buffers, called: Callable[[], object]) -> None:
        self._buffers, self._called = buffers, called

    async def allocate(self, request: Request, context: Context) -> Any:
        self._called()
        try:
            return MESSAGES["AllocateResponse"](buffer_id=self._buffers.allocate(request.size))
        except AllocationError as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))

    async def write(self, requests: AsyncIterator[Request], context: Context) -> Any:
        self._called()
        start = 0
        try:
            async for request in requests:
                _check_whole(request)
                self._buffers.write(request.buffer_id, start, request.data)
                start += len(request.data)
        except AllocationError as error:
            return MESSAGES["BufferWriteResponse"](msg=str(error))
        return MESSAGES["BufferWriteResponse"]()

    async def read(self, request: Request, context: Context) -> AsyncIterator[Any]:
        self._called()
        try:
            _check_whole(request)
            data = bytes(self._buffers.find(request.buffer_id).data)
        except AllocationError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        for chunk in _chunks(data):
            yield MESSAGES["BufferReadResponse"](data=chunk)

    async def freebuffer(self, request: Request, context: Context) -> Any:
        return self._answer("FreeBufferResponse", lambda: self._buffers.free(request.buffer_id))

    async def flush(self, request: Request, context: Context) -> Any:
        # There is no cache between the processors and the memory of this board: it has only to be there.
        return self._answer("FlushResponse", lambda: self._buffers.find(request.buffer_id))

    async def invalidate(self, request: Request, context: Context) -> Any:
        return self._answer("InvalidateResponse", lambda: self._buffers.find(request.buffer_id))

    async def physical_address(self, request: Request, context: Context) -> Any:
        return self._answer("AddressResponse", lambda: self._address(request))

    async def virtual_address(self, request: Request, context: Context) -> Any:
        # Where the server itself has mapped it, which is of no use to anybody else; here it is the same.
        return self._answer("AddressResponse", lambda: self._address(request))

    async def cacheable(self, request: Request, context: Context) -> Any:
        return self._answer("CacheableResponse", lambda: self._cacheable(request))

    def _address(self, request: Request) -> dict[str, int]:
        return {"address": self._buffers.find(request.buffer_id).address}

    def _cacheable(self, request: Request) -> dict[str, bool]:
        self._buffers.find(request.buffer_id)
        return {"cacheable": True}

    def _answer(self, response: str, act: Callable[[], object]) -> Any:
        self._called()
        try:
            found = act()
        except AllocationError as error:
            return MESSAGES[response](msg=str(error))
        return MESSAGES[response](**found) if isinstance(found, dict) else MESSAGES[response]()


class _Device:
    """Files, and the FPGA manager among them."""

    def __init__(self, files: Files, called: Callable[[], object]) -> None:
        self._files, self._called = files, called
        self._coming = 0  # bytes of files that are on their way

    async def existsfile(self, request: Request, context: Context) -> Any:
        self._called()
        return MESSAGES["ExistsFileResponse"](exists=self._files.exists(request.file_path))

    async def readfile(self, request: Request, context: Context) -> AsyncIterator[Any]:
        self._called()
        try:
            data = self._files.read(request.file_path)
        except FileError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        for chunk in _chunks(data):
            yield MESSAGES["ReadFileResponse"](data=chunk)

    async def writefile(self, requests: AsyncIterator[Request], context: Context) -> Any:
        self._called()
        path, data = "", bytearray()
        try:
            async for request in requests:
                path = path or request.file_path
                data += request.data
                self._coming += len(request.data)
                if self._coming > self._files.room(path):
                    raise FileError(f"no room for more than {self._files.room(path)} bytes in {path}")
            self._files.write(path, bytes(data))
        except FileError as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        except BitstreamError as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        finally:
            self._coming -= len(data)
        return MESSAGES["WriteFileResponse"]()

    async def set_bitstream_attrs(self, request: Request, context: Context) -> Any:
        self._called()
        if request.partial:
            await context.abort(
                grpc.StatusCode.UNIMPLEMENTED,
                f"{request.binfile_name} is a part of a bitstream, and the simulated board is one whole",
            )
        return MESSAGES["SetBitstreamAttrsResponse"](status=True)


def _check_whole(request: Request) -> None:
    if request.start or request.end:
        raise AllocationError(
            f"buffers are copied whole, as by a client of pynq 4.0, not bytes {request.start} to {request.end}"
        )


def _chunks(data: bytes) -> Iterator[bytes]:
    return (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))
