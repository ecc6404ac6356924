# SPDX-License-Identifier: BSD-2-Clause
"""Control programs over the register bus: loading, starting, waiting for the end, saying what went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from triplane.gateware.sequencer.layouts import FAULTS, Fault
from triplane.gateware.sequencer.opcodes import NUM_REGISTERS
from triplane.gateware.shape import FabricShape
from triplane.hal.control import ControlProgram, Execution, Tables
from triplane.hal.errors import BoardError, ProgramError, RunTimeoutError, SafeStateError
from triplane.hal.registers import WORD_MAX, Register

POLL_CYCLES = 1_000
"""Cycles that pass at least from one look at a running program to the next."""

SETTLE_CYCLES = 64
"""Cycles in which phases of readout lines have settled and a table of any size has not; see `PATIENCE`."""

PATIENCE = 1_000
"""Looks at a table that is being checked, `SETTLE_CYCLES` apart."""

TABLES = ("program", "dispatcher_groups", "dispatcher_arms")
"""Of the sequencer."""

OF_CHANNELS = (Fault.UNDERFLOW, Fault.OVERFLOW, Fault.COLLISION, Fault.ORDER)
"""Faults of an event, which was for a channel."""

FIELD_NAMES = ("starting", "executing", "paused", "halted", "drained")


class Bus(Protocol):
    """What is needed of a board."""

    @property
    def registers(self) -> Mapping[str, Register]:
        """Its register map."""

    def get(self, name: str) -> int:
        """Value of a register by name."""

    def set(self, name: str, value: int) -> None:
        """Write a register by name."""

    def burst_write(self, address: int, words: list[int], *, increment: bool = True) -> None:
        """Write words, all to one address with `increment=False`."""

    def elapse(self, cycles: int) -> None:
        """Let cycles pass."""

    def now(self) -> int:
        """The cycle counter."""


class ControlBus:
    """Loads and executes control programs on a board with a fabric.

    Args:
        bus: the board's registers.
        shape: of its fabric.
        lead_cycles: from the host reading the cycle counter to the beginning of a program's time: longer than it
            takes to tell the board when that is, and shorter than 2**31.
    """

    def __init__(self, bus: Bus, shape: FabricShape, lead_cycles: int) -> None:
        self.bus = bus
        self.shape = shape
        self.lead_cycles = lead_cycles
        self.program: ControlProgram | None = None
        self._held: Tables = {}

    def load(self, program: ControlProgram) -> None:
        """Load a program; one that does not fit is refused before anything is written.

        Of the sequencer's tables only what has changed is sent again. That rests on nothing but the board's own check
        of all it holds: where another host, or a board that was switched off, made it something else, all is sent.
        """
        program.check(self.shape)
        self.program = None
        self.rest()
        held, self._held = self._held, {}
        why = self._sent(program, held)
        if why and held:
            why = self._sent(program, {})
        if why:
            raise BoardError(f"{why}: the table did not arrive as it was sent; load again")
        self.program, self._held = program, program.tables(self.shape)

    def _sent(self, program: ControlProgram, held: Tables) -> str:
        """Send a program; which table is not trusted then, empty where all are."""
        for name, values in program.writes(self.shape, held):
            register = self.bus.registers[name]
            if register.size_words > 1:
                for value in values:
                    self.bus.set(name, value % 2**register.bits)
            else:
                self.bus.burst_write(
                    register.address, [value % 2**register.bits for value in values], increment=False
                )
        for table in TABLES:
            name = f"sequencer_{table}_status"
            fields = self.bus.registers[name].fields
            if why := self._untrusted(name, fields["trusted"].of, fields["checking"].of):
                return why
        if program.syndrome is not None:
            state = self.bus.registers["formation_status"].fields["table"].of
            return self._untrusted(
                "formation_status", lambda word: state(word) == 3, lambda word: state(word) == 1
            )
        return ""

    def tables(self, live: bool) -> list[str]:
        """Status registers of the tables that the program needs; `live`: the decoder's as well."""
        names = [f"sequencer_{table}_status" for table in TABLES]
        if self.program is not None and self.program.syndrome is not None:
            names.append("formation_status")
        return [*names, "decoder_status"] if live else names

    def rest(self) -> None:
        """End what runs, leave the safe state, and forget faults, rounds and shots."""
        self._pulse("sequencer_control_control", "abort")
        # What others find wrong with a sequencer that is safe, they forget after it.
        self._pulse("sequencer_control_control", "clear")
        self._pulse("faults_control", "clear")
        self._pulse("sequencer_control_control", "clear")
        self._pulse("formation_control", "restart")

    def execute(
        self,
        registers: Mapping[int, int] | None = None,
        *,
        limit_cycles: int,
        timeout_s: float | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        start: Callable[[], None] | None = None,
    ) -> Execution:
        """Run the program that is loaded until it has halted and its last event is played.

        Args:
            registers: of the sequencer -> value at the start; the others keep what they have.
            limit_cycles: of the program's time after which it is aborted.
            timeout_s: wall clock limit.
            meanwhile: called after every look at the program, and once more when it has ended.
            start: starts it, where that is somebody else's to do.

        Raises:
            ProgramError: nothing is loaded, or a register does not exist.
            SafeStateError: the program was stopped by a fault; the message has cause, channel, place and time.
            RunTimeoutError: it did not end in time, and was aborted.
        """
        program = self.program
        if program is None:
            raise ProgramError("no control program is loaded; call load_control() first")
        given = dict(registers or {})
        for number, value in given.items():
            if not 1 <= number < NUM_REGISTERS or not -(2**31) <= value <= WORD_MAX:
                raise ProgramError(
                    f"register {number} cannot be {value}: there are 1 to {NUM_REGISTERS - 1}, of 32 bits"
                )
        self.rest()
        lead = 0
        if program.epoch_register is not None:
            lead = self.lead_cycles
            epoch = (self.bus.now() + lead) & WORD_MAX
            given[program.epoch_register] = epoch
            for line in range(self.shape.lines):
                self.bus.set(f"line{line}_settings_epoch", epoch)
        for number, value in given.items():
            self.bus.set("sequencer_control_register", number)
            self.bus.set("sequencer_control_register_data", value & WORD_MAX)
        self.bus.elapse(SETTLE_CYCLES)
        begun, deadline = self.bus.now(), None if timeout_s is None else time.monotonic() + timeout_s
        if start is None:
            self._pulse("sequencer_control_control", "start")
        else:
            start()
        while True:
            self.bus.elapse(POLL_CYCLES)
            now = self.bus.now()
            state = self._state()
            try:
                meanwhile()
            except BoardError:
                raise
            except BaseException:
                # Whoever takes what the program gives out wants no more of it.
                self._pulse("sequencer_control_control", "abort")
                raise
            self._check_safe(program)
            if state["halted"] and state["drained"]:
                break
            if now - begun > lead + limit_cycles or (deadline is not None and time.monotonic() > deadline):
                self._pulse("sequencer_control_control", "abort")
                raise RunTimeoutError(
                    f"the program was aborted after {now - begun} cycles; give it more than {limit_cycles} cycles or "
                    "more time, or a watchdog to see where it stays"
                )
        self.bus.elapse(SETTLE_CYCLES)
        meanwhile()
        names = ("exit", "instructions", "events", "waited", "strays")
        found = {name: self.bus.get(f"sequencer_control_{name}") for name in names}
        return Execution(
            found["exit"],
            now - begun,
            found["instructions"],
            found["events"],
            found["waited"],
            found["strays"],
        )

    def register(self, number: int) -> int:
        """Value of a register of the sequencer."""
        self.bus.set("sequencer_control_register", number)
        return self.bus.get("sequencer_control_register_value")

    def _check_safe(self, program: ControlProgram) -> None:
        if not self.bus.get("faults_state"):
            return
        word, fields = (
            self.bus.get("sequencer_faults_status"),
            self.bus.registers["sequencer_faults_status"].fields,
        )
        fault = Fault(fields["fault"].of(word))
        if fault not in (Fault.NONE, Fault.EXTERNAL):
            where = [f"in cycle {self.bus.get('sequencer_faults_time')}"]
            if fault in OF_CHANNELS:
                channel = fields["channel"].of(word)
                where.append(f"channel {channel} {program.sequence.channel_names.get(channel, '')}".rstrip())
            where.append(program.sequence.place(fields["address"].of(word)))
            raise SafeStateError(f"{fault.name.lower()} {', '.join(where)}: {FAULTS[fault]}")
        seen, conditions = self.bus.get("faults_status"), self.bus.registers["faults_status"].fields
        names = [name for name, field in conditions.items() if field.of(seen)]
        raise SafeStateError(
            f"the board went safe while the program ran, {', '.join(names)}, cycle {self.bus.get('faults_cycle')}: "
            + " ".join(conditions[name].description for name in names)
        )

    def _state(self) -> dict[str, bool]:
        word, fields = (
            self.bus.get("sequencer_control_status"),
            self.bus.registers["sequencer_control_status"].fields,
        )
        return {name: bool(fields[name].of(word)) for name in FIELD_NAMES}

    def _untrusted(
        self, name: str, trusted: Callable[[int], object], checking: Callable[[int], object]
    ) -> str:
        """What the status of a table is once it was checked; empty where it is trusted."""
        word = 0
        for _ in range(PATIENCE):
            word = self.bus.get(name)
            if trusted(word):
                return ""
            if not checking(word):
                break
            self.bus.elapse(SETTLE_CYCLES)
        return f"{name} is {word:#x}"

    def _pulse(self, name: str, field: str) -> None:
        self.bus.set(name, 1 << self.bus.registers[name].fields[field].offset)
