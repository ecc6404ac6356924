# SPDX-License-Identifier: BSD-2-Clause
"""Requests from the network against the golden model: every access of the bus, every reply, every counter."""

import random
import struct

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge

from triplane.gateware.link.etherbone import (
    BYTE_ENABLES,
    FLAG_WRITE_FIFO,
    HEADER,
    PROBE,
    PROBE_OFFSET,
    checksum,
    make_key,
    request_words,
)
from triplane.gateware.link.exchange import Exchange
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.models.link.exchange import BusError, ExchangeModel
from triplane.sim.streams import StreamDriver, StreamMonitor, start_clock

COUNTERS = ("requests", "repeated", "refused", "malformed", "bus_errors")
ALIVE = 1 << 10
"""Nothing answers at this address or above."""


class Memory:
    """Registers that count how often they are read, so that no read is without effect."""

    def __init__(self):
        self.words, self.log = {}, []

    def read(self, address):
        if address >= ALIVE:
            raise BusError
        self.log.append(("read", address))
        self.words[address] = (self.words.get(address, 0) + 1) % 2**32
        return self.words[address]

    def write(self, address, word):
        if address >= ALIVE:
            raise BusError
        self.log.append(("write", address, word))
        self.words[address] = word


def request(writes=(), reads=(), *, key=0, base=0, flags=0, check=True):
    """The bytes of a request."""
    words = [HEADER, 0, flags << 24 | BYTE_ENABLES << 16 | len(writes) << 8 | len(reads)]
    words += [base, *writes] if writes else []
    words += [key, *reads] if reads else []
    assert len(words) == request_words(len(writes), len(reads))
    words[1] = checksum(words) if check else 0
    return struct.pack(f">{len(words)}I", *words)


async def serve(dut, memory, rng):
    """A slave that takes its time."""
    dut.bus_ack.value, dut.bus_err.value = 0, 0
    while True:
        await ReadOnly()
        if not (int(dut.bus_cyc.value) and int(dut.bus_stb.value)) or rng.random() < 0.5:
            await RisingEdge(dut.sys_clk)
            continue
        address, we, data = 4 * int(dut.bus_adr.value), int(dut.bus_we.value), int(dut.bus_dat_w.value)
        assert int(dut.bus_sel.value) == BYTE_ENABLES
        await RisingEdge(dut.sys_clk)
        try:
            if we:
                memory.write(address, data)
            else:
                dut.bus_dat_r.value = memory.read(address)
            dut.bus_ack.value = 1
        except BusError:
            if rng.random() < 0.5:
                # Nobody is there at all.
                while int(dut.bus_cyc.value):
                    await RisingEdge(dut.sys_clk)
                continue
            dut.bus_err.value = 1
        await RisingEdge(dut.sys_clk)
        dut.bus_ack.value, dut.bus_err.value = 0, 0


async def begin(dut, pause=0.3):
    dut.unguarded.value = 0
    memory = Memory()
    driver = StreamDriver(dut, "sink", pause=pause)
    await start_clock(dut)
    cocotb.start_soon(serve(dut, memory, random.Random(1)))
    return memory, driver


def datagram_words(data, peer, error=0):
    count = max(-(-len(data) // 4), 1)
    words = struct.unpack(f">{count}I", data.ljust(4 * count, b"\0"))
    return [
        {
            "data": word,
            "error": error,
            "peer": peer,
            "length": len(data),
            "first": k == 0,
            "last": k == count - 1,
        }
        for k, word in enumerate(words)
    ]


async def reply(dut, monitor, peer):
    """The bytes of the next reply, which must go to that peer and have the length that it says."""
    words = []
    while True:
        (word,) = await monitor.get(1)
        words.append(word)
        assert word["peer"] == peer
        assert word["first"] == (len(words) == 1)
        if word["last"]:
            break
    assert all(word["length"] == 4 * len(words) for word in words)
    return struct.pack(f">{len(words)}I", *(word["data"] for word in words))


async def settle(dut, monitor, cycles):
    """So many cycles in which no reply may begin."""
    for _ in range(cycles):
        await ReadOnly()
        assert not int(dut.source_valid.value)
        await RisingEdge(dut.sys_clk)


FIELDS = ("data", "peer", "length", "first", "last")


async def compare(dut, datagrams, back_pressure):
    """Each datagram, with its peer, against the model."""
    memory, driver = await begin(dut)
    model = ExchangeModel(Memory())
    monitor = StreamMonitor(dut, "source", fields=FIELDS, pause=back_pressure)
    for number, (data, peer) in enumerate(datagrams):
        expected = model.receive(data, peer)
        await driver.put(datagram_words(data, peer))
        if expected is None:
            await settle(dut, monitor, 40)
            while int(dut.bus_cyc.value):
                await RisingEdge(dut.sys_clk)
        else:
            got = await reply(dut, monitor, peer)
            assert got == expected, (number, data.hex(), got.hex(), expected.hex())
        for _ in range(20):
            await RisingEdge(dut.sys_clk)
        assert memory.log == model.bus.log, (number, data.hex())
        counts = {name: int(getattr(dut, name).value) for name in COUNTERS}
        assert counts == {name: model.counts[name] for name in COUNTERS}, (number, data.hex())
        assert make_key(int(dut.key_session.value), int(dut.key_sequence.value)) == model.key
    return model


@cocotb.test()
async def a_hostile_network(dut):
    options = parameters()
    rng = random.Random(options["seed"])
    sessions, sent, datagrams = {1: 5, 2: 9}, [], []

    def body(key):
        writes = [rng.getrandbits(32) for _ in range(rng.choice([0, 0, 1, 2, 7]))]
        reads = [4 * rng.randrange(64) for _ in range(rng.choice([1, 1, 2, 5]))]
        if rng.random() < 0.05:
            reads[rng.randrange(len(reads))] = ALIVE
        base = ALIVE - 8 if rng.random() < 0.05 else 4 * rng.randrange(64)
        return request(writes, reads, key=key, base=base, flags=rng.choice([0, FLAG_WRITE_FIFO]))

    following = dict.fromkeys(sessions, 0)
    for _ in range(options["count"]):
        peer = rng.choice(list(sessions))
        choice = rng.random()
        if choice < 0.05:
            sessions[peer] = max(sessions.values()) + rng.randrange(1, 4)
            following[peer] = 1
            data = request([], [0], key=make_key(sessions[peer], 0))
        elif choice < 0.6:
            data = body(make_key(sessions[peer], following[peer]))
            following[peer] = (following[peer] + 1) % 2**16
        elif choice < 0.8 and sent:
            data, peer = rng.choice(sent[-4:])  # come again, or too late
        elif choice < 0.85:
            key = rng.choice([0, 1, make_key(sessions[peer], following[peer])])
            data = request([], [4 * rng.randrange(64)], key=key, check=False)
        elif choice < 0.9:
            data = bytearray(body(make_key(sessions[peer], following[peer])))
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            data = bytes(data)
        elif choice < 0.95:
            data = body(make_key(sessions[peer], following[peer]))
            data = data[: rng.randrange(1, len(data))]
        else:
            data = rng.randbytes(rng.randrange(1, 64))
        sent.append((data, peer))
        datagrams.append((data, peer))
    model = await compare(dut, datagrams, options["back_pressure"])
    assert all(model.counts[name] > 5 for name in COUNTERS if name != "bus_errors")
    assert model.counts["bus_errors"]


@cocotb.test()
async def the_longest(dut):
    key = make_key(1, 0)
    fifo = request(range(255), [4] * 252, key=make_key(1, 1), base=8, flags=FLAG_WRITE_FIFO)
    plain = request(range(253), range(0, 1016, 4), key=make_key(1, 2), base=8)
    model = await compare(dut, [(request([], [0], key=key), 7), (fifo, 7), (plain, 7), (plain, 7)], 0.2)
    assert model.counts["requests"] == 3
    # One word more than there is room for
    _, driver = await begin(dut)
    await driver.put(datagram_words(bytes(4 * 513), 7))
    await settle(dut, None, 20)
    assert int(dut.malformed.value) == 1


@cocotb.test()
async def a_probe_is_answered(dut):
    probe = struct.pack(">2I", HEADER | PROBE << PROBE_OFFSET, 0xFEED)
    await compare(dut, [(probe, 3), (probe[:4], 3), (probe + bytes(4), 3)], 0.5)


@cocotb.test()
async def writes_without_a_key_are_an_option(dut):
    _, driver = await begin(dut, 0)
    monitor = StreamMonitor(dut, "source", fields=FIELDS)
    await driver.put(datagram_words(request([5], base=16), 1))
    await settle(dut, monitor, 60)
    assert (int(dut.refused.value), int(dut.requests.value)) == (1, 0)
    dut.unguarded.value = 1
    await driver.put(datagram_words(request([5], base=16, check=False), 1))
    await settle(dut, monitor, 60)
    assert (int(dut.refused.value), int(dut.requests.value)) == (1, 1)
    await driver.put(datagram_words(request([], [16]), 1))
    assert (await reply(dut, monitor, 1))[16:] == struct.pack(">I", 6)


@cocotb.test()
async def every_bit_counts(dut):
    """With a key no bit of a request can be wrong: nothing is executed."""
    memory, driver = await begin(dut, 0)
    monitor = StreamMonitor(dut, "source", fields=FIELDS)
    await driver.put(datagram_words(request([], [0], key=make_key(1, 0)), 7))
    await reply(dut, monitor, 7)
    sound = request([0xDEAD, 0xBEEF], [0], key=make_key(1, 1), base=16)
    before = list(memory.log)
    # One bit makes a probe of it, which is answered and executes nothing either.
    probes = 8 * (len(sound) - 4) + PROBE_OFFSET
    for bit in [k for k in range(8 * len(sound)) if k != probes]:
        damaged = int.from_bytes(sound, "big") ^ 1 << bit
        await driver.put(datagram_words(damaged.to_bytes(len(sound), "big"), 7))
        await settle(dut, monitor, 16)
    assert memory.log == before
    assert int(dut.malformed.value) == 8 * len(sound) - 1
    await driver.put(datagram_words(sound, 7))
    await reply(dut, monitor, 7)
    assert (memory.words[16], memory.words[20]) == (0xDEAD, 0xBEEF)


@cocotb.test()
async def a_damaged_frame_is_nothing(dut):
    memory, driver = await begin(dut)
    await driver.put(datagram_words(request([], [16]), 1, error=1))
    await settle(dut, None, 60)
    assert int(dut.malformed.value) == 1
    assert memory.log == []


def simulate(testcase, **options):
    exchange = Exchange(bus_bits=30)
    pins = {name: getattr(exchange, f"_{name}").status for name in COUNTERS}
    pins |= {f"key_{name}": getattr(exchange._key.fields, name) for name in ("session", "sequence")}
    pins |= {"unguarded": exchange._control.fields.unguarded}
    pins |= {
        f"bus_{name}": getattr(exchange.bus, name)
        for name in ("adr", "dat_w", "dat_r", "sel", "cyc", "stb", "ack", "we", "err")
    }
    for name, signal in pins.items():
        signal.name_override = name
    ios = endpoint_ios(exchange.sink, "sink") | endpoint_ios(exchange.source, "source")
    run_cocotb(exchange, set(pins.values()) | ios, __file__, "exchange", options, testcase=testcase)


@pytest.mark.parametrize(("seed", "back_pressure"), [(1, 0.0), (2, 0.7), (3, 0.2)])
def test_every_datagram_is_what_the_model_makes_of_it(seed, back_pressure):
    simulate("a_hostile_network", seed=seed, count=300, back_pressure=back_pressure)


def test_the_longest_requests():
    simulate("the_longest")


def test_probe():
    simulate("a_probe_is_answered")


def test_unguarded():
    simulate("writes_without_a_key_are_an_option")


def test_every_bit_is_checked():
    simulate("every_bit_counts")


def test_damaged():
    simulate("a_damaged_frame_is_nothing")
