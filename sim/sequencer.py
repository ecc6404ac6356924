# SPDX-License-Identifier: BSD-2-Clause
"""A sequencer on the bench: its registers on a bus, its results and frames from a list, its generators as counters."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule
from litex.soc.interconnect.csr_bus import CSRBank, Interface
from migen import Cat, If, Signal

from triplane.gateware.sequencer.core import Sequencer
from triplane.gateware.sequencer.layouts import TRACE, Fault, Kind
from triplane.gateware.sequencer.program import Program, bank_crcs, banks, masks
from triplane.sim.models.sequencer.core import FrameAnswer, Run, SequencerModel, Stop
from triplane.sim.models.sequencer.queue import Release
from triplane.sim.models.sequencer.results import Arrival
from triplane.sim.streams import start_clock

DURATION_BITS = 3
CHANNELS, SLOTS, GROUPS, DEPTH = 4, 6, 8, 128
SIZES = {"queue_depth": 8, "stack_depth": 3, "pending_bits": 3}
START, STOP, STEP, ABORT, CLEAR = (1 << bit for bit in range(5))
"""Bits of the control register."""

MARGIN = 12
"""Cycles that the gateware runs on after the model's end: nothing may happen in them."""


def duration(entry: int) -> int:
    """Clocks that the bench's generators play an entry."""
    return 1 + (entry & (1 << DURATION_BITS) - 1)


def small_bench() -> SequencerBench:
    """A bench on which every limit is soon reached."""
    return SequencerBench(CHANNELS, SLOTS, num_groups=GROUPS, program_depth=DEPTH, trace_depth=256, **SIZES)


def small_model(program: Program, *, watchdog: int = 0) -> SequencerModel:
    """The golden model of that bench."""
    return SequencerModel(
        program,
        num_channels=CHANNELS,
        num_slots=SLOTS,
        num_groups=GROUPS,
        program_depth=DEPTH,
        durations=duration,
        watchdog=watchdog,
        **SIZES,
    )


class World:
    """What measurements and decoders answer, by a seed: the same for model and gateware.

    Args:
        seed: of all answers, and of the registers at the start.
        answers: whether there are any.
    """

    def __init__(self, seed: int, *, answers: bool = True) -> None:
        self.seed, self.answering = seed, answers
        self.arrivals: list[Arrival] = []
        self.answers: list[FrameAnswer] = []
        rng = random.Random(seed)
        self.registers = {k: rng.choice([0, 1, 2, rng.getrandbits(32)]) for k in range(1, 32)}

    def respond(self, release: Release) -> list[Arrival]:
        """Results of a CAPTURE: slots 0, 1 and 2 for an odd entry, 3 and 5 for an even one."""
        rng = random.Random(f"{self.seed} {release.cycle} {release.value}")
        at = release.cycle + rng.randrange(2, 60)
        taken = {(arrival.cycle, arrival.slot) for arrival in self.arrivals}
        new = []
        for slot in (0, 1, 2) if release.value & 1 else (3, 5):
            if rng.random() < 0.95 and self.answering:
                cycle = at + rng.randrange(3)
                while (cycle, slot) in taken:
                    cycle += 1
                new.append(Arrival(cycle, slot, rng.randrange(2), rng.randrange(2), rng.randrange(-128, 128)))
        self.arrivals += new
        return new

    def frames(self, shot: int, rounds: int, cycle: int) -> FrameAnswer | None:
        """The frame, now and then not."""
        rng = random.Random(f"{self.seed} {shot} {rounds} {cycle}")
        if rng.random() < 0.1 or not self.answering:
            return None
        answer = FrameAnswer(cycle + rng.randrange(40), rng.getrandbits(32))
        self.answers.append(answer)
        return answer


class SequencerBench(LiteXModule):
    """A sequencer, and around it what a board would have.

    Attributes:
        pins: of the bench.
        registers: name -> word address on the bus.
        sizes: what the driver has to know of the sequencer.
    """

    def __init__(
        self, num_channels: int, num_slots: int, *, num_groups: int, program_depth: int, **sizes: int
    ) -> None:
        self.core = core = Sequencer(
            num_channels, num_slots, num_groups=num_groups, program_depth=program_depth, **sizes
        )
        self.bank = bank = CSRBank(core.get_csrs(), bus=Interface(data_width=32), ordering="little")
        numbers = {csr.name: number for number, csr in enumerate(bank.simple_csrs)}
        # LiteX numbers the words of every storage, also where there is one.
        single = {csr.name for csr in core.get_csrs() if csr.size <= 32}
        self.registers = {n[:-1] if n[:-1] in single else n: number for n, number in numbers.items()}
        self.sizes = {
            "channels": num_channels, "slots": num_slots, "groups": num_groups, "depth": program_depth,
        }  # fmt: skip
        now = Signal(64, name_override="now")
        plays = []
        for source in core.events:
            left = Signal(DURATION_BITS + 1)
            plays.append(left != 0)
            self.sync += [
                If(left != 0, left.eq(left - 1)),
                If(source.valid & (source.kind == Kind.PLAY), left.eq(source.value[:DURATION_BITS])),
            ]
        self.sync += now.eq(now + 1)
        packed = {
            name: Cat(*(getattr(result, name) for result in core.results))
            for name in ("valid", "bit", "leaked", "soft")
        }
        outputs = {
            "event_valid": Cat(*(e.valid for e in core.events)),
            "event_kind": Cat(*(e.kind for e in core.events)),
            "event_value": Cat(*(e.value for e in core.events)),
            "event_time": Cat(*(e.time for e in core.events)),
            "issued": core.dispatcher.issued.valid,
            "begins": core.execute.begin,
            "asks": Cat(core.frame_wait, core.frame_shot, core.frame_round),
        }
        pins = {}
        self.comb += [core.now.eq(now), core.busy.eq(Cat(*plays))]
        for name, signals in packed.items():
            pins[f"result_{name}"] = pin = Signal(len(signals))
            self.comb += signals.eq(pin)
        for name, signals in outputs.items():
            pins[name] = pin = Signal(len(signals))
            self.comb += pin.eq(signals)
        for name in ("measuring", "frame", "frame_ready", "start", "external", "safe", "silence", "running"):
            pins[name] = getattr(core, name)
        pins |= {f"bus_{name}": getattr(bank.bus, name) for name in ("adr", "we", "re", "dat_w", "dat_r")}
        for name, signal in pins.items():
            signal.name_override = name
        self.pins = {now, *pins.values()}


class SequencerDriver:
    """Drives a bench from a cocotb test, and keeps what it does.

    Attributes:
        now: cycle.
        releases: events that have left queues.
        asked: (cycle, shot, round) of questions for the frame.
        issued: cycles in which an event left the dispatcher.
        began: cycle of the last start.
        arrivals, answers: what comes, by cycle.
    """

    def __init__(self, dut: Any, registers: dict[str, int], sizes: dict[str, int]) -> None:
        self.dut, self.registers, self.sizes = dut, registers, sizes
        self.now = 0
        self.releases: list[Release] = []
        self.asked: list[tuple[int, int, int]] = []
        self.issued: list[int] = []
        self.began = -1
        self.arrivals: dict[int, list[Arrival]] = {}
        self.answers: dict[int, int] = {}
        for name in ("valid", "bit", "leaked", "soft"):
            getattr(dut, f"result_{name}").value = 0
        for name in (
            "measuring",
            "frame",
            "frame_ready",
            "start",
            "external",
            "bus_adr",
            "bus_we",
            "bus_re",
            "bus_dat_w",
        ):
            getattr(dut, name).value = 0

    async def cycle(self, sample: str = "now") -> int:
        """One cycle: what comes in it is put in, what goes out of it is kept. Returns the value of a pin in it."""
        dut = self.dut
        coming = self.arrivals.pop(self.now, None)
        if coming is not None:
            fields = {"valid": 0, "bit": 0, "leaked": 0, "soft": 0}
            for a in coming:
                fields["valid"] |= 1 << a.slot
                fields["bit"] |= a.bit << a.slot
                fields["leaked"] |= a.leaked << a.slot
                fields["soft"] |= (a.soft & 0xFF) << 8 * a.slot
            for name, value in fields.items():
                getattr(dut, f"result_{name}").value = value
        answer = self.answers.pop(self.now, None)
        if answer is not None:
            dut.frame.value, dut.frame_ready.value = answer, 1
        await ReadOnly()
        valid = int(dut.event_valid.value)
        if valid:
            self._keep(valid)
        if int(dut.issued.value):
            self.issued.append(self.now)
        if int(dut.begins.value):
            self.began = self.now
        sampled = int(getattr(dut, sample).value)
        asks = int(dut.asks.value)
        if asks & 1:
            self.asked.append((self.now, asks >> 1 & 0xFFFF_FFFF, asks >> 33))
        await RisingEdge(dut.sys_clk)
        if coming is not None:
            dut.result_valid.value = 0
        if answer is not None:
            dut.frame_ready.value = 0
        self.now += 1
        return sampled

    def _keep(self, valid: int) -> None:
        kinds, values, times = (int(getattr(self.dut, f"event_{n}").value) for n in ("kind", "value", "time"))
        for channel in range(self.sizes["channels"]):
            if valid >> channel & 1:
                time = times >> 32 * channel & 0xFFFF_FFFF
                assert time == self.now & 0xFFFF_FFFF, f"channel {channel}: {time} leaves at {self.now}"
                kind = Kind(kinds >> 3 * channel & 7)
                self.releases.append(
                    Release(self.now, channel, kind, values >> 32 * channel & 0xFFFF_FFFF, -1)
                )

    async def run(self, cycles: int) -> None:
        """So many cycles."""
        for _ in range(cycles):
            await self.cycle()

    async def synchronise(self) -> None:
        """Learn the cycle counter, after reset."""
        await ReadOnly()
        self.now = int(self.dut.now.value)
        await RisingEdge(self.dut.sys_clk)
        self.now += 1

    async def write(self, register: str, value: int) -> None:
        """Write a word."""
        self.dut.bus_adr.value = self.registers[register]
        self.dut.bus_dat_w.value = value & 0xFFFF_FFFF
        self.dut.bus_we.value = 1
        await self.cycle()
        self.dut.bus_we.value = 0

    async def read(self, register: str) -> int:
        """Read a word."""
        self.dut.bus_adr.value = self.registers[register]
        self.dut.bus_re.value = 1
        await self.cycle()
        self.dut.bus_re.value = 0
        return await self.cycle("bus_dat_r")

    async def set(self, register: str, *values: int) -> None:
        """Write words to a register one after the other while nothing runs: outputs are not looked at."""
        self.dut.bus_adr.value = self.registers[register]
        self.dut.bus_we.value = 1
        for value in values:
            self.dut.bus_dat_w.value = value & 0xFFFF_FFFF
            await RisingEdge(self.dut.sys_clk)
        self.dut.bus_we.value = 0
        self.now += len(values)

    async def load(self, program: Program) -> None:
        """Load a program and its tables while nothing runs, and wait until they are checked."""
        sizes = self.sizes
        tables = {
            "program": (program.words.tolist(), sizes["depth"], 64),
            "dispatcher_groups": (
                masks(g.channels for g in program.groups),
                sizes["groups"],
                sizes["channels"],
            ),
            "dispatcher_arms": (masks(g.slots for g in program.groups), sizes["groups"], sizes["slots"]),
        }
        for name, (rows, depth, width) in tables.items():
            table = banks(rows, depth, width)
            await self.set(f"{name}_index", 0)
            await self.set(f"{name}_data", *table.ravel().tolist())
            await self.set(f"{name}_crc", *bank_crcs(table))
        cycles = max(sizes["depth"], sizes["groups"]) + 8
        for _ in range(cycles):
            await RisingEdge(self.dut.sys_clk)
        self.now += cycles

    async def begin(self, arrivals: Iterable[Arrival] = ()) -> int:
        """Start the program; returns the cycle in which it began."""
        self.releases, self.asked, self.issued = [], [], []
        self.arrivals, self.answers, self.began = {}, {}, -1
        self.expect(arrivals)
        await self.write("control_control", START)
        for _ in range(200):
            if self.began >= 0:
                return self.began
            await self.cycle()
        raise AssertionError("the program did not start")

    def expect(self, arrivals: Iterable[Arrival], answers: Iterable[FrameAnswer] = ()) -> None:
        """Results and frames that will come."""
        for arrival in arrivals:
            self.arrivals.setdefault(arrival.cycle, []).append(arrival)
        self.answers |= {answer.cycle: answer.frame for answer in answers}

    async def stop(self) -> Stop | None:
        """The fault, as the registers tell it."""
        status = await self.read("faults_status")
        time = await self.read("faults_time0") | await self.read("faults_time1") << 32
        if not status & 0xFF:
            return None
        return Stop(Fault(status & 0xFF), status >> 8 & 0xFF, status >> 16, time)

    async def trace(self) -> np.ndarray[Any, Any]:
        """All records of the trace port."""
        count = await self.read("trace_level")
        words = [await self.read("trace_data") for _ in range(TRACE.words * count)]
        return TRACE.parse(np.array(words, dtype=np.uint32).reshape(count, TRACE.words))


async def started(dut: Any, given: dict[str, Any]) -> SequencerDriver:
    """The driver of a bench out of reset; `given` has its registers and sizes."""
    driver = SequencerDriver(dut, given["registers"], given["sizes"])
    await start_clock(dut)
    await driver.synchronise()
    return driver


async def compare(driver: SequencerDriver, program: Program, world: World, *, watchdog: int = 0) -> Run:
    """Runs a program on the bench and on the model, and asserts that all that can be seen of both is the same.

    Returns:
        the model's run. The bench is out of its safe state again.
    """
    what = f"seed {world.seed}"
    for number, value in world.registers.items():
        await driver.set("control_register", number)
        await driver.set("control_register_data", value)
    await driver.write("control_watchdog", watchdog)
    await driver.load(program)
    start = await driver.begin()
    run = small_model(program, watchdog=watchdog).run(
        start=start, respond=world.respond, frames=world.frames, registers=world.registers, limit=4000
    )
    assert not run.exhausted, what
    driver.expect(world.arrivals, world.answers)
    last = max([run.end, *(release.cycle for release in run.releases)])
    await driver.run(last + MARGIN - driver.now)
    got = [(r.cycle, r.channel, r.kind, r.value) for r in driver.releases]
    assert got == [(r.cycle, r.channel, r.kind, r.value) for r in run.releases], what
    assert await driver.stop() == run.stop, what
    assert (await driver.trace()).tolist() == run.trace.tolist(), what
    assert driver.asked == run.expected, what
    assert await driver.read("control_instructions") == run.instructions, what
    assert await driver.read("control_events") == run.events, what
    if run.stop is None:
        assert await driver.read("control_exit") == run.exit_code, what
        assert await driver.read("control_cursor0") == run.cursor, what
        for number, value in enumerate(run.registers):
            await driver.set("control_register", number)
            assert await driver.read("control_register_value") == value, f"{what}: r{number}"
    else:
        assert int(driver.dut.safe.value), what
        await driver.write("control_control", CLEAR)
        await driver.run(2)
    return run
