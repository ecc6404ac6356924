# SPDX-License-Identifier: BSD-2-Clause
"""Record stream against the golden model, cycle by cycle: every record once and whole, through stalls of every kind."""

import random

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule
from migen import Cat, Signal

from triplane.gateware.link.records import Kind, RecordSource, RecordStream
from triplane.gateware.link.records.layouts import HEADER, HEADER_WORDS, Reason
from triplane.gateware.link.records.packer import RecordPacker
from triplane.gateware.link.records.ring import PacketRing
from triplane.gateware.link.records.stream import COUNTERS
from triplane.hal.ring import SlotReader
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.models.link.records import Offer, PackerModel, RingModel, Settings
from triplane.sim.streams import StreamDriver, StreamMonitor, start_clock

LIMITS = {Kind.RESULT: 7, Kind.ROUND: 9, Kind.EVENT: 4}
SLOTS, SLOT_WORDS = 4, 32
FIRST = 2**32 - 6
"""So that the numbers wrap in every test."""

INPUTS = ("flush", "clear", "guarded", "timeout", "linger", "session", "renewed", "acknowledge", "acknowledged_to")
BUS = ("cyc", "stb", "we", "adr")


class Probed(LiteXModule):
    """The stream, its registers as pins, and all that is looked at in every cycle in one wide pin: one read a cycle."""

    def __init__(self, stream):
        self.stream, ring, control = stream, stream.ring, stream._control.fields
        pins = {
            "now": stream.now,
            "flush": stream.flush,
            "clear": stream.clear,
            "guarded": control.guarded,
            "asked": control.flush,
            "timeout": stream._timeout.storage,
            "linger": stream._linger.storage,
            "session": stream._session.storage,
            "renewed": stream._session.re,
            "acknowledge": stream._acknowledge.re,
            "acknowledged_to": stream._acknowledge.storage,
            **{name: getattr(stream, f"_{name}").status for name in COUNTERS},
            **{f"bus_{name}": getattr(ring.bus, name) for name in (*BUS, "dat_w", "dat_r", "ack", "err")},
        }
        looked_at = {name: pins[name] for name in (*INPUTS[:2], "asked", *INPUTS[6:])}
        looked_at |= {"room": ring.room, "next": ring.next, "oldest": ring.oldest, "acknowledged": ring.acknowledged}
        looked_at |= {"sent": ring.sent, "leaves": stream.source.valid, "taken": stream.source.ready}
        looked_at |= {"ends": stream.source.last}
        for kind, sink in stream.sinks.items():
            looked_at |= {f"{kind.name}_{f}": getattr(sink, f) for f in ("valid", "ready", "first", "last", "data")}
        self.places, offset = {}, 0
        for name, signal in looked_at.items():
            self.places[name] = (offset, (1 << len(signal)) - 1)
            offset += len(signal)
        probe = Signal(offset)
        self.comb += probe.eq(Cat(*looked_at.values()))
        for name, signal in pins.items():
            signal.name_override = f"pin_{name}"
        probe.name_override = "probe"
        self.ios = {probe, *pins.values()} | endpoint_ios(stream.source, "source")
        for kind, sink in stream.sinks.items():
            self.ios |= endpoint_ios(sink, kind.name.lower())


class Bench:
    """The device beside its model, which sees the same pins in every cycle.

    closed: packets that the model has completed, by number.  arrived: packets that left at the source, in order.
    """

    def __init__(self, dut, **settings):
        self.dut, self.cycle = dut, 0
        self.settings = Settings(**{"timeout": 200, "linger": 0, "guarded": True} | settings)
        self.packer = PackerModel(LIMITS, SLOT_WORDS, self.settings)
        self.ring = RingModel(SLOTS, first=FIRST)
        self.closed, self.arrived = {}, []
        self.moments = {"closed": [], "first": [], "words": []}
        self.random = random.Random(7)
        self.places = parameters()["places"]

    def pin(self, name):
        return getattr(self.dut, f"pin_{name}")

    def read(self, name):
        """A pin, or what the probe shows of the present cycle."""
        if name in self.places:
            offset, mask = self.places[name]
            return int(self.dut.probe.value) >> offset & mask
        return int(self.pin(name).value)

    async def begin(self, back_pressure=0.0, ready=True):
        for name in (*INPUTS, "now", "asked", *(f"bus_{n}" for n in BUS)):
            self.pin(name).value = 0
        self.apply()
        self.drivers = {
            kind: StreamDriver(self.dut, kind.name.lower(), pause=parameters().get("idle", 0.0)) for kind in LIMITS
        }
        for kind in LIMITS:
            getattr(self.dut, f"{kind.name.lower()}_first").value = 0
        self.dut.source_ready.value = 0
        await start_clock(self.dut)
        cocotb.start_soon(self._watch())
        if ready:
            cocotb.start_soon(self._collect(back_pressure))

    def apply(self):
        for name in ("timeout", "linger", "guarded", "session"):
            self.pin(name).value = int(getattr(self.settings, name))

    async def tick(self, count=1):
        for _ in range(count):
            await RisingEdge(self.dut.sys_clk)

    async def pulse(self, name, **values):
        for other, value in values.items():
            self.pin(other).value = value
        self.pin(name).value = 1
        await self.tick()
        self.pin(name).value = 0

    async def acknowledge(self, number):
        await self.pulse("acknowledge", acknowledged_to=number)

    async def send(self, kind, record, **marks):
        words = [{"data": w, "first": k == 0, "last": k == len(record) - 1} for k, w in enumerate(record)]
        words[-1] |= marks
        await self.drivers[kind].put(words)

    async def _watch(self):
        """The model takes the same cycle; what it says must be what the device says."""
        leaving = False
        while True:
            self.pin("now").value = self.cycle
            await ReadOnly()
            probe = int(self.dut.probe.value)
            seen = {name: probe >> offset & mask for name, (offset, mask) in self.places.items()}
            offers = [
                Offer(seen[f"{k.name}_data"], bool(seen[f"{k.name}_first"]), bool(seen[f"{k.name}_last"]))
                if seen[f"{k.name}_valid"] else None
                for k in LIMITS
            ]  # fmt: skip
            room = bool(seen["room"])
            assert not (room and self.settings.guarded and self.ring.full), "room where nothing is free"
            for name in ("next", "oldest", "acknowledged"):
                assert seen[name] == getattr(self.ring, name), name
            said, packet = self.packer.step(
                offers, now=self.cycle, sequence=self.ring.next, room=room,
                flush=bool(seen["flush"] or seen["asked"]), clear=bool(seen["clear"]), renewed=bool(seen["renewed"]),
            )  # fmt: skip
            for kind, offer, ready in zip(LIMITS, offers, said, strict=True):
                assert offer is None or ready == seen[f"{kind.name}_ready"], f"{kind.name} in cycle {self.cycle}"
                if offer and ready:
                    self.moments["words"].append(self.cycle)
            if seen["acknowledge"]:
                self.ring.acknowledge(seen["acknowledged_to"])
            if self.packer.opened:
                self.ring.open()
            if packet is not None:
                self.moments["closed"].append(self.cycle)
                self.closed[self.ring.next] = packet
                self.ring.close(packet)
            assert seen["leaves"] or not leaving, "a gap inside a packet"
            if seen["leaves"] and not leaving:
                self.moments["first"].append(self.cycle)
            leaving = seen["leaves"] and not (seen["ends"] and seen["taken"])
            await RisingEdge(self.dut.sys_clk)
            self.cycle += 1

    async def _collect(self, back_pressure):
        """Takes packets; the length is right from the first word on."""
        monitor = StreamMonitor(
            self.dut, "source", fields=("data", "first", "last", "length"), pause=back_pressure
        )
        while True:
            words = await monitor.get(1)
            while not words[-1]["last"]:
                words += await monitor.get(1)
            assert [w["first"] for w in words] == [1] + [0] * (len(words) - 1)
            assert {w["length"] for w in words} == {4 * len(words)}
            self.arrived.append(np.array([w["data"] for w in words], dtype="<u4").tobytes())

    async def bus_read(self, address):
        """One read; its `ack` comes READ_LATENCY cycles later."""
        self.pin("bus_adr").value = address
        self.pin("bus_cyc").value = self.pin("bus_stb").value = 1
        for _ in range(PacketRing.READ_LATENCY):
            await ReadOnly()
            assert not self.read("bus_ack")
            await self.tick()
        await ReadOnly()
        assert self.read("bus_ack")
        assert not self.read("bus_err")
        word = self.read("bus_dat_r")
        await self.tick()
        self.pin("bus_cyc").value = self.pin("bus_stb").value = 0
        return word

    async def fetch(self, sequence, pause=0.0):
        """A packet by the protocol of the host's `SlotReader`, a word at a time; None where it is not there."""
        reading = SlotReader(SLOTS, SLOT_WORDS).reading(sequence)
        address = next(reading)
        while True:
            while self.random.random() < pause:
                await self.tick()
            word = await self.bus_read(address)
            try:
                address = reading.send(word)
            except StopIteration as end:
                return end.value

    def check_counters(self):
        for name in self.packer.counts:
            assert self.read(name) == self.packer.counts[name], name
        assert self.read("overwritten") == self.ring.overwritten
        assert self.read("refused") == self.ring.refused


def record(rng, kind, number):
    """A record whose first word says whose it is and which; results have two lengths, as with and without correction."""
    words = LIMITS[kind] - (2 if kind == Kind.RESULT and number // 4 % 2 else 0)
    return [kind << 24 | number, *(rng.getrandbits(32) for _ in range(words - 1))]


def records_of(packets):
    """All records of packets, taken apart by the header alone: by kind, lists of words."""
    found = {kind: [] for kind in LIMITS}
    for packet in packets:
        header = np.frombuffer(packet, dtype=HEADER.dtype, count=1)[0]
        words = np.frombuffer(packet, dtype="<u4", offset=4 * HEADER_WORDS).tolist()
        assert len(words) == header["words"]
        size = int(header["record_words"])
        for k in range(int(header["records"])):
            last = k == header["records"] - 1
            found[Kind(header["kind"])].append(words[k * size :] if last else words[k * size : (k + 1) * size])
    return found


def reasons(packets):
    return [Reason(int(np.frombuffer(p, HEADER.dtype, 1)["flags"][0]) & 7) for p in packets]


async def all_sources(bench, rng, count, pauses=True):
    """Every source sends its records, with long pauses now and then; returns them by kind."""
    sent = {kind: [record(rng, kind, number) for number in range(count)] for kind in LIMITS}

    async def one(kind):
        for words in sent[kind]:
            if pauses and rng.random() < 0.1:
                await bench.tick(rng.randrange(60))
            await bench.send(kind, words)

    tasks = [cocotb.start_soon(one(kind)) for kind in LIMITS]
    for task in tasks:
        await task
    return sent


async def drained(bench):
    """Flush, and wait until everything that was closed has been sent and taken."""
    await bench.tick(3)
    await bench.pulse("asked")
    for _ in range(5000):
        await bench.tick()
        if bench.read("sent") == bench.read("next") and not bench.dut.source_valid.value:
            break
    await bench.tick(2 * SLOT_WORDS)


@cocotb.test()
async def guarded_nothing_is_lost_repeated_or_cut(dut):
    options, rng = parameters(), random.Random(5)
    bench = Bench(dut, linger=options["linger"], timeout=options["timeout"])
    await bench.begin(back_pressure=options["back_pressure"])

    async def host():
        """Acknowledges what has arrived, when it likes, sometimes twice; flushes and renews the session at times."""
        while True:
            await bench.tick(rng.randrange(1, 80))
            chance = rng.random()
            if chance < 0.8:
                await bench.acknowledge(FIRST + len(bench.arrived) & 0xFFFFFFFF)
            elif chance < 0.9:
                await bench.pulse(rng.choice(["flush", "asked"]))
            else:
                bench.settings.session += 1
                await bench.pulse("renewed", session=bench.settings.session)

    hosting = cocotb.start_soon(host())
    sent = await all_sources(bench, rng, 40)
    await drained(bench)
    hosting.cancel()
    assert bench.arrived == list(bench.closed.values())
    assert records_of(bench.arrived) == sent
    numbers = [int(np.frombuffer(p, HEADER.dtype, 1)["sequence"][0]) for p in bench.arrived]
    assert numbers == [(FIRST + k) % 2**32 for k in range(len(numbers))]
    assert 0 in numbers[1:], "the numbers have wrapped"
    assert {Reason.FULL, Reason.KIND} <= set(reasons(bench.arrived))
    bench.check_counters()
    assert bench.read("overwritten") == bench.read("abandoned") == bench.read("cut") == 0


@cocotb.test()
async def guarded_a_full_ring_holds_the_sources(dut):
    bench = Bench(dut)
    await bench.begin()
    sending = cocotb.start_soon(all_sources(bench, random.Random(2), 20, pauses=False))
    await bench.tick(1500)
    assert len(bench.closed) == SLOTS
    assert bench.arrived == list(bench.closed.values())
    assert bench.read("held") > 500
    for _ in range(400):
        await bench.acknowledge(FIRST + len(bench.arrived) & 0xFFFFFFFF)
        await bench.tick(20)
    sent = await sending
    await drained(bench)
    assert records_of(bench.arrived) == sent
    bench.check_counters()


@cocotb.test()
async def unguarded_sources_never_wait_for_the_host(dut):
    options, rng = parameters(), random.Random(9)
    bench = Bench(dut, guarded=False)
    await bench.begin(back_pressure=options["back_pressure"])
    sent = await all_sources(bench, rng, 40, pauses=False)
    # Nothing but a packet on its way into the sender's memory holds a source, and that takes no longer than to copy it.
    assert bench.read("held") <= len(bench.closed) * (SLOT_WORDS + 4)
    await drained(bench)
    assert records_of(bench.closed.values()) == sent
    assert bench.read("overwritten") == len(bench.closed) - SLOTS
    where = [list(bench.closed.values()).index(packet) for packet in bench.arrived]
    assert where == sorted(set(where)), "in order, each at most once, and each as it was closed"
    assert len(where) < len(bench.closed) if options["back_pressure"] > 0.5 else len(where) > SLOTS
    bench.check_counters()
    # The host comes back, and acknowledges what is long gone, what is there, and what there never was.
    await bench.acknowledge(bench.ring.acknowledged - 1 & 0xFFFFFFFF)
    await bench.acknowledge(bench.ring.next + 1 & 0xFFFFFFFF)
    assert bench.ring.refused == 2
    await bench.acknowledge(bench.ring.acknowledged)
    await bench.acknowledge(bench.ring.next)
    await bench.tick(3)
    assert bench.ring.refused == 2
    assert bench.read("acknowledged") == bench.read("next")
    bench.check_counters()


@cocotb.test()
async def a_host_without_datagrams_reads_the_ring(dut):
    bench, rng = Bench(dut), random.Random(4)
    await bench.begin(ready=False)
    sending = cocotb.start_soon(all_sources(bench, rng, 20))
    got = []
    while not sending.done() or bench.read("acknowledged") != bench.read("next"):
        await bench.tick(rng.randrange(1, 40))
        while bench.read("acknowledged") != bench.read("next"):
            number = bench.read("acknowledged")
            got.append(await bench.fetch(number))
            await bench.acknowledge(number + 1 & 0xFFFFFFFF)
            await bench.tick()
        if sending.done():
            await bench.pulse("flush")
            await bench.tick(20)
    assert got == list(bench.closed.values())
    assert records_of(got) == await sending
    # What was acknowledged before its turn to be sent is not sent any more: one packet waits at the source.
    assert bench.read("sent") == bench.read("next")
    bench.check_counters()


@cocotb.test()
async def a_torn_packet_is_recognised(dut):
    options, rng = parameters(), random.Random(6)
    bench = Bench(dut, guarded=False)
    await bench.begin(ready=False)
    sending = cocotb.start_soon(all_sources(bench, rng, options["count"], pauses=False))
    whole = torn = 0
    await bench.tick(300)
    while not sending.done():
        # Of the slot that is written over next, of the one after it, ...
        number = bench.read("oldest") + rng.randrange(SLOTS - 1) & 0xFFFFFFFF
        expected = bench.closed[number]
        await bench.tick(rng.randrange(20))
        got = await bench.fetch(number, pause=options["pause"])
        assert got in (None, expected)
        whole, torn = whole + (got is not None), torn + (got is None)
    assert whole > 3
    assert torn > 3
    # What is not closed yet, or gone, has no number that anybody asks for.
    await bench.pulse("flush")
    await bench.tick(RecordStream.FLUSH_LATENCY + 5)
    for number in (bench.read("next"), bench.read("oldest") - 1):
        assert await bench.fetch(number & 0xFFFFFFFF) is None
    bench.pin("bus_we").value = bench.pin("bus_cyc").value = bench.pin("bus_stb").value = 1
    await bench.tick()
    await ReadOnly()
    assert bench.read("bus_err"), "the ring is not written by the bus"


@cocotb.test()
async def sources_that_give_up_leave_nothing_behind(dut):
    bench, rng = Bench(dut), random.Random(8)
    await bench.begin()
    kept = []

    async def host():
        while True:
            await bench.tick(10)
            await bench.acknowledge(FIRST + len(bench.arrived) & 0xFFFFFFFF)

    cocotb.start_soon(host())
    for number in range(60):
        words = record(rng, Kind.ROUND, number)
        how = rng.randrange(4)
        if how == 1:  # begins anew in the middle
            await bench.send(Kind.ROUND, words[: rng.randrange(1, 9)], last=0)
        elif how == 2:  # is silenced in the middle, or before; its rest is nobody's
            await bench.send(Kind.ROUND, words[: rng.randrange(1, 9)], last=0)
            await bench.pulse("clear")
            await bench.tick(rng.randrange(3))
            await bench.drivers[Kind.ROUND].put([{"data": 1, "first": 0, "last": k == 2} for k in range(3)])
        elif how == 3 and number % 2:  # goes on for longer than a slot
            words = words + [number] * SLOT_WORDS
        await bench.send(Kind.ROUND, words)
        kept.append(words)
        if how == 2:
            await bench.tick(rng.randrange(300))
    await drained(bench)
    got = records_of(bench.arrived)[Kind.ROUND]
    assert len(got) == len(kept)
    for have, want in zip(got, kept, strict=True):
        assert have == want[: len(have)]
        assert len(have) == len(want) or (len(want) > SLOT_WORDS and len(have) >= LIMITS[Kind.ROUND])
    assert bench.read("abandoned") > 10
    assert bench.read("cut") == sum(len(words) > SLOT_WORDS for words in kept) > 3
    bench.check_counters()


@cocotb.test()
async def every_reason_is_given(dut):
    bench, rng = Bench(dut, timeout=80, linger=5), random.Random(3)
    await bench.begin()
    for number in range(5):  # five of 4 words fill a packet
        await bench.send(Kind.EVENT, record(rng, Kind.EVENT, number))
    await bench.send(Kind.RESULT, record(rng, Kind.RESULT, 3))  # 7 words, then 5
    await bench.send(Kind.RESULT, record(rng, Kind.RESULT, 4))
    await bench.send(Kind.EVENT, record(rng, Kind.EVENT, 5))
    await bench.acknowledge(FIRST + 2 & 0xFFFFFFFF)
    await bench.send(Kind.ROUND, record(rng, Kind.ROUND, 6))
    await bench.tick(200)
    await bench.acknowledge(bench.read("next"))
    await bench.send(Kind.ROUND, record(rng, Kind.ROUND, 7))
    await bench.pulse("flush")
    await bench.send(Kind.ROUND, record(rng, Kind.ROUND, 8))
    bench.settings.session = 77
    await bench.pulse("renewed", session=77)
    await bench.send(Kind.ROUND, record(rng, Kind.ROUND, 9))
    await drained(bench)
    expected = ["FULL", "LENGTH", "KIND", "TIMEOUT", "FLUSH", "SESSION", "FLUSH"]
    assert [reason.name for reason in reasons(bench.arrived)] == expected
    sessions = [int(np.frombuffer(p, HEADER.dtype, 1)["session"][0]) for p in bench.arrived]
    assert sessions == [0] * 6 + [77]


@cocotb.test()
async def latencies_are_as_stated(dut):
    bench, timeout = Bench(dut, timeout=100), 100
    await bench.begin()
    moments = bench.moments
    one = record(random.Random(1), Kind.EVENT, 0)
    await bench.send(Kind.EVENT, one)
    await bench.tick(timeout + 40)
    first_word = moments["words"][0]
    assert moments["closed"] == [first_word + timeout + RecordPacker.FLUSH_LATENCY]
    # `next` counts the packet a cycle later.
    words = HEADER_WORDS + len(one)
    assert moments["first"] == [moments["closed"][0] + 1 + RecordStream.SEND_LATENCY + words]

    await bench.send(Kind.EVENT, one)
    await bench.tick(10)
    asked = bench.cycle
    await bench.pulse("flush")
    await bench.tick(20)
    assert moments["closed"][1] == asked + RecordStream.FLUSH_LATENCY - 1

    # Back to back: five records of 4 words fill a packet, then the next one is begun.
    moments["words"].clear()
    for _ in range(6):
        await bench.send(Kind.EVENT, one)
    gaps = [b - a - 1 for a, b in zip(moments["words"], moments["words"][1:], strict=False)]
    assert gaps == [RecordPacker.RECORD_GAP] * 19 + [RecordPacker.PACKET_GAP] + [RecordPacker.RECORD_GAP] * 3


def simulate(testcase, **options):
    sources = [RecordSource(kind, words) for kind, words in LIMITS.items()]
    probed = Probed(RecordStream(sources, SLOTS, SLOT_WORDS, first=FIRST))
    run_cocotb(
        probed, probed.ios, __file__, "record_stream", options | {"places": probed.places}, testcase=testcase
    )


@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize("back_pressure", [0.0, 0.8])
@pytest.mark.parametrize(("linger", "timeout"), [(0, 20), (40, 90)])
def test_guarded(idle, back_pressure, linger, timeout):
    simulate(
        "guarded_nothing_is_lost_repeated_or_cut",
        idle=idle, back_pressure=back_pressure, linger=linger, timeout=timeout,
    )  # fmt: skip


def test_held():
    simulate("guarded_a_full_ring_holds_the_sources")


@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize("back_pressure", [0.0, 0.9])
def test_unguarded(idle, back_pressure):
    simulate("unguarded_sources_never_wait_for_the_host", idle=idle, back_pressure=back_pressure)


@pytest.mark.parametrize("idle", [0.0, 0.5])
def test_ring_alone(idle):
    simulate("a_host_without_datagrams_reads_the_ring", idle=idle)


@pytest.mark.parametrize(("pause", "count"), [(0.0, 60), (0.3, 100)])
def test_torn(pause, count):
    simulate("a_torn_packet_is_recognised", pause=pause, count=count)


@pytest.mark.parametrize("idle", [0.0, 0.3])
def test_given_up(idle):
    simulate("sources_that_give_up_leave_nothing_behind", idle=idle)


def test_reasons():
    simulate("every_reason_is_given")


def test_latencies():
    simulate("latencies_are_as_stated")


EVENT = RecordSource(Kind.EVENT, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "needs at least 1 source"),
        (([EVENT, EVENT],), "each kind has one source, not EVENT, EVENT"),
        (([RecordSource(Kind.RESULT, 23)], 4, 32), "a record of 23 words does not fit a slot of 32, of which 10"),
        (([EVENT], 6), "number of slots must be a power of two, at least 2, not 6"),
        (([EVENT], 1), "number of slots must be a power of two, at least 2, not 1"),
        (([EVENT], 4, 48), "must be a power of two from 16 to 8192, not 48"),
        (([EVENT], 4, 16384), "must be a power of two from 16 to 8192, not 16384"),
    ],
)
def test_parameters_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        RecordStream(*arguments)


def test_the_first_number_is_checked():
    with pytest.raises(ValueError, match="first sequence number is one of 32 bits, not -1"):
        RecordStream([EVENT], first=-1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((9, 4), "no kind 9; there are RESULT, ROUND, EVENT, TRACE"),
        ((Kind.EVENT, 0), "at least 1 word, not 0"),
        ((Kind.EVENT, 4, -1), "at least 0 words, not -1"),
    ],
)
def test_sources_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        RecordSource(*arguments)
