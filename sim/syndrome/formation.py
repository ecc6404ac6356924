# SPDX-License-Identifier: BSD-2-Clause
"""Syndrome formation with its registers as pins, driven cycle by cycle beside its model."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule

from triplane.gateware.decoder.table import CHECKING
from triplane.gateware.syndrome.formation import SyndromeFormation
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.gateware.syndrome.table import SyndromeTable
from triplane.sim.cocotb_runner import endpoint_ios
from triplane.sim.models.syndrome.formation import FormationModel, Inputs, Outputs
from triplane.sim.streams import start_clock

PULSES = ("formed", "untrusted", "overrun", "doubled", "timed_out", "held_up", "record_lost", "stopped")
INPUTS = ("valid", "bit", "leaked", "arm", "round_kind", "last", "known", "now", "clear")
STATUSES = (
    "fault_round", "fault_shot", "fault_slot", "rounds", "shots", "held_up", "backlog_max", "stray",
    "records_lost", "table_found",
)  # fmt: skip
SETTINGS = {"ahead": 3, "queue_rounds": 2, "records": 2}
"""Small, so that all of them fill up."""


class FormationBench(LiteXModule):  # type: ignore[misc]
    """Formation whose registers are pins."""

    def __init__(self, shape: SyndromeShape) -> None:
        self.core = core = SyndromeFormation(shape, **SETTINGS)
        core._control.finalize(32, "big")  # its bank would do this
        self.submodules += core._control
        pins = {name: getattr(core, name) for name in (*INPUTS, *PULSES, "observables", "last_formed")}
        pins |= {f"{name}_status": getattr(core, f"_{name}").status for name in STATUSES}
        for name in ("table_index", "table_data", "table_crc"):
            pins |= {name: getattr(core, f"_{name}").storage, f"{name}_re": getattr(core, f"_{name}").re}
        pins["timeout"] = core._timeout.storage
        pins |= {name: getattr(core._status.fields, name) for name in ("table", "cause", "busy")}
        for name, signal in pins.items():
            signal.name_override = f"pin_{name}"
        self.pins = set(pins.values()) | endpoint_ios(core.source, "source")
        self.pins |= endpoint_ios(core.records, "records")


@dataclass
class FormationShots:
    """Shots to be fed, and what must come of them.

    Attributes:
        table: compiled for them.
        bits, leaked: bool (shots, rounds, slots).
        known: bool (shots, known bits).
        words: uint32 (shots, rounds, words), what the decoder must get.
    """

    table: SyndromeTable
    bits: npt.NDArray[np.bool_]
    leaked: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    words: npt.NDArray[np.uint32]


def mask(bits: Iterable[Any]) -> int:
    """Bit k is bits[k]."""
    return sum(1 << k for k, bit in enumerate(bits) if bit)


class RoundPlayer:
    """Arms rounds and delivers their slots in any order, as early as they may come."""

    def __init__(self, data: FormationShots, model: FormationModel, *, idle: float, seed: int) -> None:
        self.data, self.model, self.idle = data, model, idle
        self.random = random.Random(seed)
        kinds = data.table.rounds
        self.rounds = [(shot, r, kind) for shot in range(len(data.bits)) for r, kind in enumerate(kinds)]
        self.armed: list[tuple[int, int, int, set[int]]] = []  # number, shot, round, slots to come
        self.at = 0

    @property
    def done(self) -> bool:
        """All rounds have left."""
        return self.at == len(self.rounds) and not self.model.armed and not self.model.queue

    def inputs(self) -> Inputs:
        """Of the next cycle."""
        given = Inputs()
        model, chance = self.model, self.random
        oldest = self.at - len(model.armed)  # rounds before it have left
        blocked: set[int] = set()
        for number, shot, r, slots in self.armed:
            if number >= oldest:
                for slot in sorted(slots - blocked):
                    if chance.random() >= self.idle:
                        given.valid |= 1 << slot
                        given.bit |= int(self.data.bits[shot, r, slot]) << slot
                        given.leaked |= int(self.data.leaked[shot, r, slot]) << slot
                        slots.discard(slot)
                blocked |= self.data.table.kinds[self.data.table.rounds[r]].expected
        self.armed = [entry for entry in self.armed if entry[0] >= oldest]
        if self.at < len(self.rounds) and len(model.armed) < model.ahead and chance.random() >= self.idle:
            shot, r, kind = self.rounds[self.at]
            given.arm, given.kind, given.last = 1, kind, int(r == len(self.data.table.rounds) - 1)
            given.known = mask(self.data.known[shot])
            expected = self.data.table.kinds[kind].expected
            self.armed.append((self.at, shot, r, set(expected)))
            self.at += 1
        return given


class FormationDriver:
    """The pins, and the model beside them."""

    def __init__(
        self, dut: Any, shape: SyndromeShape, words: npt.NDArray[np.uint32], *, timeout: int = 2**24 - 1
    ) -> None:
        self.dut, self.shape = dut, shape
        self.model = FormationModel(shape, words, timeout=timeout, **SETTINGS)
        self.timeout = timeout
        self.words: list[int] = []
        self.records: list[int] = []

    def put(self, **values: int) -> None:
        """Drive pins."""
        for name, value in values.items():
            getattr(self.dut, f"pin_{name}").value = value

    def get(self, name: str) -> int:
        """Read a pin."""
        return int(getattr(self.dut, f"pin_{name}").value)

    def offered(self, prefix: str) -> tuple[int, int, int] | None:
        """Word, first and last of a stream, None where it offers none."""
        if not int(getattr(self.dut, f"{prefix}_valid").value):
            return None
        word, first, last = (
            int(getattr(self.dut, f"{prefix}_{name}").value) for name in ("data", "first", "last")
        )
        return word, first, last

    async def start(self) -> None:
        """All pins at rest, and a clock."""
        self.put(**dict.fromkeys(INPUTS, 0), timeout=self.timeout)
        for name in ("table_index", "table_data", "table_crc"):
            self.put(**{name: 0, f"{name}_re": 0})
        self.dut.source_ready.value = self.dut.records_ready.value = 0
        await start_clock(self.dut)

    async def write(self, name: str, *values: int) -> None:
        """Write a register, value after value."""
        for value in values:
            self.put(**{name: value, f"{name}_re": 1})
            await RisingEdge(self.dut.sys_clk)
        self.put(**{f"{name}_re": 0})

    async def load(self, words: npt.NDArray[np.uint32], crc: int) -> int:
        """Write a table and have it checked: its state, and the cycles of the check in `checked`."""
        await self.write("table_index", 0)
        await self.write("table_data", *(int(word) for word in words))
        await self.write("table_crc", crc)
        self.checked = 0
        while True:
            await RisingEdge(self.dut.sys_clk)
            if self.get("table") != CHECKING:
                return self.get("table")
            self.checked += 1

    async def cycle(self, given: Inputs) -> Outputs:
        """A cycle; whatever the model says of it must be on the pins."""
        self.put(
            valid=given.valid, bit=given.bit, leaked=given.leaked, arm=given.arm, round_kind=given.kind,
            last=given.last, known=given.known, clear=given.clear, now=self.model.now,
        )  # fmt: skip
        self.dut.source_ready.value = given.ready
        self.dut.records_ready.value = given.records_ready
        await ReadOnly()
        now = self.model.now
        expected = self.model.step(given)
        for name in PULSES:
            assert self.get(name) == getattr(expected, name), f"{name} in cycle {now}"
        if expected.formed:
            assert self.get("observables") == expected.observables, f"cycle {now}"
        for prefix, word, taken, ready in (
            ("source", expected.word, self.words, given.ready),
            ("records", expected.record, self.records, given.records_ready),
        ):
            assert self.offered(prefix) == word, f"{prefix} in cycle {now}"
            if word and ready:
                taken.append(word[0])
        await RisingEdge(self.dut.sys_clk)
        return expected

    async def registers(self) -> None:
        """The model's registers are the hardware's, when all has settled."""
        model, quiet = self.model, 0
        while quiet < 3:
            before = (model.cause, model.rounds, model.backlog_max, model.stray)
            await self.cycle(Inputs(ready=0, records_ready=0))
            quiet = quiet + 1 if before == (model.cause, model.rounds, model.backlog_max, model.stray) else 0
        for name in ("fault_round", "fault_shot", "fault_slot", "rounds", "stray", "backlog_max"):
            assert self.get(f"{name}_status") == getattr(model, name), name
        assert (self.get("cause"), self.get("shots_status")) == (model.cause, model.shot)
