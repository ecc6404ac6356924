# SPDX-License-Identifier: BSD-2-Clause
"""Record stream against the golden model, cycle by cycle: every record once and whole, or counted as lost."""

import random
from collections import deque

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule
from migen import Cat, Signal

from triplane.gateware.link.records import Kind, RecordStream, RecordTap
from triplane.gateware.link.records.layouts import HEADER, PREFIX, Reason
from triplane.gateware.link.records.packer import RecordPacker
from triplane.gateware.link.records.ring import PacketRing
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.models.link.records import WORD, Passing, StreamModel, TapModel, prefix
from triplane.sim.streams import StreamMonitor, start_clock

MOST = {Kind.RESULT: 7, Kind.ROUND: 9, Kind.FAULT: 3}
SLOTS, SLOT_WORDS = 4, 32
BUILD = 0xC0FFEE01
SESSION = 0xDEADBEEF

STROBES = ("session_re", "acknowledge_re", "fetch_re", "word_we", "flush")
VALUES = ("session", "acknowledge", "fetch", "port", "linger")


class Probed(LiteXModule):
    """The stream, its registers as pins, and all that is compared in every cycle in one wide pin."""

    def __init__(self):
        taps = [RecordTap(kind, most) for kind, most in MOST.items()]
        self.stream = stream = RecordStream(taps, SLOTS, SLOT_WORDS)
        self.comb += stream.build.eq(BUILD)
        pins = {
            "now": stream.now,
            "flush": stream._control.fields.flush,
            **{name: getattr(stream, f"_{name}").storage for name in VALUES},
            **{f"{name}_re": getattr(stream, f"_{name}").re for name in ("session", "acknowledge", "fetch")},
            "word_we": stream._word.we,
        }
        for tap in taps:
            pins |= {
                f"{tap.kind.name}_{name}": getattr(tap, name) for name in ("taken", "first", "last", "data")
            }
        probed = {
            name: getattr(stream, f"_{name}").status
            for name in ("active", "next", "acknowledged", "sent", "recorded", "word")
        }
        probed |= {f"lost_{tap.kind.name}": tap.lost for tap in taps}
        probed |= {"granted": stream.ring.granted, "room": stream.ring.room}
        self.places, offset = {}, 0
        for name, signal in probed.items():
            self.places[name] = (offset, (1 << len(signal)) - 1)
            offset += len(signal)
        probe = Signal(offset)
        self.comb += probe.eq(Cat(*probed.values()))
        for name, signal in pins.items():
            signal.name_override = f"pin_{name}"
        probe.name_override = "probe"
        self.ios = {probe, *pins.values()} | endpoint_ios(stream.source, "source")


class Bench:
    """The device beside its model, which sees the same pins in every cycle.

    closed: packets that the model has completed.  left: packets that the sender gave.  idle: probability of a cycle
    without a word, of each tap.
    """

    def __init__(self, dut, *, seed=7, idle=0.0, linger=60, port=1):
        self.dut, self.cycle, self.idle = dut, 5, idle
        self.random = random.Random(seed)
        self.places = parameters()["places"]
        self.queues = {kind: deque() for kind in MOST}
        self.model = StreamModel(
            {kind: TapModel(most) for kind, most in MOST.items()}, SLOTS, SLOT_WORDS, BUILD
        )
        self.model.linger = linger
        self.closed, self.left = [], []
        self.setting = {"port": port, "linger": linger}
        self.seen = {}

    def pin(self, name):
        return getattr(self.dut, f"pin_{name}")

    async def begin(self, back_pressure=0.0, session=SESSION):
        for name in (*STROBES, *VALUES):
            self.pin(name).value = self.setting.get(name, 0)
        for kind in MOST:
            self.pin(f"{kind.name}_taken").value = 0
        self.dut.source_ready.value = 0
        await start_clock(self.dut)
        if back_pressure < 1:
            cocotb.start_soon(self._collect(back_pressure))
        if session:
            await self.start(session)

    async def start(self, session):
        """Write a session, and wait until it has begun."""
        await self.tick(session=session)
        for _ in range(400):
            if self.seen["active"] == session:
                return
            await self.tick()
        raise AssertionError("the session has not begun")

    async def tick(self, flush=False, **writes):
        """One cycle with writes to registers; checks everything that can be seen before its end."""
        for name, value in writes.items():
            self.pin(name).value = value
            if name not in ("port", "linger"):
                self.pin(f"{name}_re").value = 1
        if "linger" in writes:
            self.model.linger = writes["linger"]
        self.pin("flush").value = flush
        self.pin("now").value = self.cycle
        passing = [self._offer(kind) for kind in MOST]
        await ReadOnly()
        self.seen = self._look()
        if self.model.session != self.seen["active"]:  # began with the last edge
            self.model.begin(self.seen["active"])
        self.model.sent = self.seen["sent"]
        for name in ("next", "acknowledged", "recorded", "room"):
            assert self.seen[name] == getattr(self.model, name), f"{name} in cycle {self.cycle}"
        for kind, lost in self.model.lost.items():
            assert self.seen[f"lost_{kind.name}"] == lost, f"{kind.name} in cycle {self.cycle}"
        room_for = self.model.next  # what is complete with this very edge cannot be acknowledged yet
        packet = self.model.step(passing, self.cycle, granted=self.seen["granted"], flush=flush)
        if packet is not None:
            self.closed.append(packet)
        if writes.get("acknowledge", WORD) <= room_for:
            self.model.acknowledge(writes["acknowledge"])
        await RisingEdge(self.dut.sys_clk)
        self.cycle += 1
        for name in writes:
            if name not in ("port", "linger"):
                self.pin(f"{name}_re").value = 0

    def _look(self):
        value = int(self.dut.probe.value)
        return {name: value >> offset & mask for name, (offset, mask) in self.places.items()}

    def _offer(self, kind):
        queue = self.queues[kind]
        taken = bool(queue) and self.random.random() >= self.idle
        self.pin(f"{kind.name}_taken").value = taken
        if not taken:
            return None
        passing = queue.popleft()
        for name, value in zip(("data", "first", "last"), passing, strict=True):
            self.pin(f"{kind.name}_{name}").value = int(value)
        return passing

    def put(self, kind, record):
        """Words that pass a tap, one after the other."""
        end = len(record) - 1
        self.queues[kind].extend(Passing(word, k == 0, k == end) for k, word in enumerate(record))

    async def drain(self, cycles=80):
        while any(self.queues.values()):
            await self.tick()
        for _ in range(cycles):
            await self.tick()

    async def _collect(self, back_pressure):
        """Takes packets; the length is right from the first word on, and words leave without a gap."""
        monitor = StreamMonitor(
            self.dut, "source", fields=("data", "first", "last", "length"), pause=back_pressure
        )
        while True:
            words = await monitor.get(1)
            length = words[0]["length"] // 4
            taken, before = monitor.cycles, len(words)
            words += await monitor.get(length - before)
            assert back_pressure or monitor.cycles - taken == length - before
            assert [w["first"] for w in words] == [1] + [0] * (length - 1)
            assert [w["last"] for w in words] == [0] * (length - 1) + [1]
            assert {w["length"] for w in words} == {4 * length}
            self.left.append(np.array([w["data"] for w in words], "<u4").tobytes())

    async def fetch(self, sequence, words, pause=0):
        """Words of a packet as the host reads them: at most every other cycle."""
        await self.tick(fetch=sequence)
        found = []
        for _ in range(words):
            for _ in range(PacketRing.FETCH_LATENCY - 1 + pause):
                await self.tick()
            self.pin("word_we").value = 1
            await self.tick()
            self.pin("word_we").value = 0
            found.append(self.seen["word"])
            await self.tick()
        return np.array(found, "<u4").tobytes()


def record(rng, kind, number):
    """A record whose first word says whose it is and which; results have two lengths, as some have corrections."""
    words = MOST[kind] - (2 if kind == Kind.RESULT and number // 4 % 2 else 0)
    return [kind << 24 | number, *(rng.getrandbits(32) for _ in range(words - 1))]


def records_of(packets):
    """All records of packets, taken apart word by word: by kind, lists of (lost, words)."""
    found = {kind: [] for kind in MOST}
    for packet in packets:
        header = np.frombuffer(packet, HEADER.dtype, 1)[0]
        words = np.frombuffer(packet, "<u4", offset=HEADER.dtype.itemsize)
        assert len(words) == header["words"]
        at = 0
        for _ in range(header["records"]):
            mark = words[at : at + 1].view(PREFIX.dtype)[0]
            found[Kind(mark["kind"])].append(
                (int(mark["lost"]), words[at + 1 : at + 1 + mark["words"]].tolist())
            )
            at += 1 + int(mark["words"])
        assert at == len(words)
    return found


def reasons(packets):
    return [Reason(int(np.frombuffer(p, HEADER.dtype, 1)["reason"][0])) for p in packets]


@cocotb.test()
async def every_record_leaves_once(dut):
    options = parameters()
    bench = Bench(dut, idle=options["idle"])
    await bench.begin(options["back_pressure"])
    given = {kind: [] for kind in MOST}
    for number in range(60):
        for kind in MOST:
            if bench.random.random() < 0.7:
                given[kind].append(record(bench.random, kind, number))
                bench.put(kind, given[kind][-1])
        # As fast as it goes, but never more than taps and ring hold
        while any(bench.queues.values()) or any(len(tap.words) > 30 for tap in bench.model.taps.values()):
            await bench.tick(acknowledge=bench.seen["sent"])
    for _ in range(1000):
        await bench.tick(acknowledge=bench.seen["sent"])
    assert bench.left == bench.closed
    assert records_of(bench.left) == {kind: [(0, words) for words in given[kind]] for kind in MOST}
    assert bench.seen["recorded"] == sum(map(len, given.values()))
    assert Reason.FULL in reasons(bench.left)


@cocotb.test()
async def a_full_ring_loses_whole_records_and_says_how_many(dut):
    bench = Bench(dut)
    await bench.begin()
    given = [record(bench.random, Kind.RESULT, number) for number in range(120)]
    for words in given:
        bench.put(Kind.RESULT, words)
    await bench.drain()
    assert bench.seen["next"] == SLOTS
    assert bench.seen["lost_RESULT"] > 0
    while bench.seen["next"] > bench.seen["acknowledged"]:
        await bench.tick(acknowledge=bench.seen["next"])
        for _ in range(200):
            await bench.tick()
    # What comes next says what is missing before it.
    given.append(record(bench.random, Kind.RESULT, 200))
    bench.put(Kind.RESULT, given[-1])
    await bench.drain(150)
    assert bench.left == bench.closed
    number = 0
    for lost, words in records_of(bench.left)[Kind.RESULT]:
        number += lost
        assert words == given[number]
        number += 1
    assert number == len(given)
    assert bench.seen["recorded"] + bench.seen["lost_RESULT"] == len(given)


@cocotb.test()
async def what_is_not_acknowledged_can_be_fetched(dut):
    """While records go on coming, and while packets are sent: nothing that is read is torn."""
    bench = Bench(dut, idle=0.6)
    await bench.begin(0.3)
    for sequence in range(12):
        while bench.seen["next"] <= sequence:
            if not any(bench.queues.values()):
                for kind in MOST:
                    bench.put(kind, record(bench.random, kind, sequence))
            await bench.tick()
        packet = bench.closed[sequence]
        for _ in range(2):
            pause = bench.random.randrange(2)
            assert (
                await bench.fetch(sequence, len(packet) // 4, pause) == packet == bench.model.fetch(sequence)
            )
        await bench.tick(acknowledge=sequence + 1)
    assert bench.seen["lost_FAULT"] == bench.model.lost[Kind.FAULT]


@cocotb.test()
async def parts_of_records_are_thrown_away_and_counted(dut):
    bench = Bench(dut)
    await bench.begin()
    for broken in ([1, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9], [5]):
        whole = record(bench.random, Kind.RESULT, 1)
        bench.put(Kind.RESULT, broken)
        if len(broken) == 3:
            bench.queues[Kind.RESULT][-1] = Passing(3, False, False)  # its end never comes
        bench.put(Kind.RESULT, whole)
        lost = bench.seen["lost_RESULT"]
        await bench.drain(150)
        assert bench.seen["lost_RESULT"] == lost + 1
        assert records_of(bench.closed[-1:])[Kind.RESULT][0][0] in (0, 1)
    # A record that was given up before the next one began is told by the one after that.
    found = records_of(bench.left)[Kind.RESULT]
    assert len(found) == 3
    assert bench.left == bench.closed
    bench.put(Kind.RESULT, whole)
    await bench.drain(150)
    assert sum(lost for lost, _ in records_of(bench.left)[Kind.RESULT]) == 3


@cocotb.test()
async def a_session_begins_with_nothing(dut):
    """In the middle of a record, of a packet, and of a datagram that is on its way."""
    bench = Bench(dut, idle=0.2)
    await bench.begin(0.5)
    for session in range(1, 25):
        for kind in MOST:
            for number in range(bench.random.randrange(6)):
                bench.put(kind, record(bench.random, kind, number))
        for _ in range(bench.random.randrange(120)):
            await bench.tick()
        sent, next_ = bench.seen["sent"], bench.seen["next"]
        await bench.start(session)
        await bench.tick()
        assert (bench.seen["next"], bench.seen["sent"], bench.seen["recorded"]) == (0, 0, 0), (sent, next_)
        assert not any(bench.seen[f"lost_{kind.name}"] for kind in MOST)
    for queue in bench.queues.values():
        queue.clear()
    await bench.start(77)
    bench.closed.clear()
    bench.put(Kind.FAULT, [1, 2, 3])
    await bench.drain(300)
    assert records_of(bench.closed)[Kind.FAULT] == [(0, [1, 2, 3])]
    # No datagram is torn, and those of one session are in order.
    keys = [tuple(np.frombuffer(p, HEADER.dtype, 1)[["session", "sequence"]][0]) for p in bench.left]
    assert len(set(keys)) == len(keys)
    assert bench.left[-1] == bench.closed[-1]
    for packet in bench.left:
        records_of([packet])


@cocotb.test()
async def nothing_is_recorded_without_a_session(dut):
    bench = Bench(dut)
    await bench.begin(session=0)
    for number in range(30):
        bench.put(Kind.RESULT, record(bench.random, Kind.RESULT, number))
    await bench.drain(200)
    assert (bench.seen["next"], bench.seen["lost_RESULT"], bench.closed, bench.left) == (0, 0, [], [])


@cocotb.test()
async def without_a_port_packets_wait_to_be_fetched(dut):
    bench = Bench(dut, port=0)
    await bench.begin()
    bench.put(Kind.FAULT, [1, 2, 3])
    await bench.drain(100)
    assert (bench.seen["next"], bench.seen["sent"], bench.left) == (1, 1, [])
    assert await bench.fetch(0, len(bench.closed[0]) // 4) == bench.closed[0]
    await bench.tick(acknowledge=2)
    await bench.tick()
    assert bench.seen["acknowledged"] == 0, "there is no packet 1 yet"


@cocotb.test()
async def packets_are_closed_in_time(dut):
    bench = Bench(dut, linger=500)
    await bench.begin()
    bench.put(Kind.FAULT, [1, 2, 3])
    await bench.drain(20)
    assert bench.closed == []
    start = bench.cycle
    await bench.tick(flush=True)
    while not bench.closed:
        await bench.tick()
    assert bench.cycle - start == RecordPacker.FLUSH_LATENCY + 1
    bench.put(Kind.FAULT, [4, 5, 6])
    start = bench.cycle
    while len(bench.closed) < 2:
        await bench.tick()
    opened = int(np.frombuffer(bench.closed[1], HEADER.dtype, 1)["cycle_lo"][0])
    assert bench.cycle - opened == 500 + 3 + HEADER.words
    assert reasons(bench.closed) == [Reason.FLUSH, Reason.TIMEOUT]
    await bench.tick(flush=True)  # with nothing open: forgotten
    bench.put(Kind.FAULT, [7, 8, 9])
    await bench.drain(100)
    assert len(bench.closed) == 2


def run(testcase=None, **options):
    module = Probed()
    options |= {"places": module.places}
    run_cocotb(module, module.ios, __file__, "records", options, testcase=testcase)


def test_stream():
    run(idle=0.0, back_pressure=0.0)


@pytest.mark.parametrize(("idle", "back_pressure"), [(0.5, 0.0), (0.0, 0.6), (0.7, 0.3)])
def test_every_record_leaves_once(idle, back_pressure):
    run("every_record_leaves_once", idle=idle, back_pressure=back_pressure)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RecordTap(Kind.RESULT, 1), r"2 to 255 words, not 1 \(RESULT\)"),
        (lambda: RecordTap(Kind.ROUND, 256), r"2 to 255 words, not 256 \(ROUND\)"),
        (lambda: RecordTap(Kind.ROUND, 90, 80), "hold a record of 90 words, not 80"),
        (lambda: RecordStream([]), "at least 1 tap"),
        (lambda: RecordStream([RecordTap(Kind.FAULT, 3)] * 2), "each kind has one tap, not FAULT, FAULT"),
        (lambda: RecordStream([RecordTap(Kind.FAULT, 3)], slots=3), "power of two, at least 2, not 3"),
        (lambda: RecordStream([RecordTap(Kind.FAULT, 3)], slot_words=512), "from 16 to 256, not 512"),
        (lambda: RecordStream([RecordTap(Kind.ROUND, 9)], slot_words=16), "18 words, not 16 words only"),
    ],
)
def test_parameters_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_first_word_of_a_record():
    assert prefix(Kind.ROUND, 9, 3) == 3 << 16 | 9 << 8 | 2
