# SPDX-License-Identifier: BSD-2-Clause
"""Drives a bench from a cocotb test: loads, starts, answers, and keeps what leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge

from triplane.gateware.sequencer.layouts import TRACE, Fault, Kind
from triplane.gateware.sequencer.program import Program, bank_crcs, banks, masks
from triplane.sim.models.sequencer.queue import Release
from triplane.sim.models.sequencer.results import Arrival
from triplane.sim.models.sequencer.run import FrameAnswer, Stop
from triplane.sim.streams import start_clock

START, STOP, STEP, ABORT, CLEAR = (1 << bit for bit in range(5))
"""Bits of the control register."""


class SequencerDriver:
    """Drives a bench from a cocotb test, and keeps what it does.

    Attributes:
        now: cycle.
        releases: events that have left queues.
        asked: (cycle, shot, round) of questions for the frame.
        issued: cycles in which an event left the dispatcher.
        began: cycle of the last start.
        arrivals, answers: what comes, by cycle.
        outcomes: (cycle, word) of what the program has given out; the cycle is that of the instruction.
        room: whether there is room for outcomes in a cycle.
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
        self.outcomes: list[tuple[int, int]] = []
        self.room: Callable[[int], bool] = lambda cycle: True
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
        dut.outcome_room.value = int(self.room(self.now))
        await ReadOnly()
        valid = int(dut.event_valid.value)
        if valid:
            self._keep(valid)
        if int(dut.issued.value):
            self.issued.append(self.now)
        if int(dut.begins.value):
            self.began = self.now
        sampled = int(getattr(dut, sample).value)
        outcomes, asks = int(dut.outcomes.value), int(dut.asks.value)
        if outcomes & 1:
            self.outcomes.append((self.now - 1, outcomes >> 1))
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
        self.releases, self.asked, self.issued, self.outcomes = [], [], [], []
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
