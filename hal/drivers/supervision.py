# SPDX-License-Identifier: BSD-2-Clause
"""Jobs as a board's soft core knows them: what a host owes it so that it lets the board run, and what it says then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from triplane.gateware.processor.layouts import Command, Result, State, guarded_tables
from triplane.hal.errors import BoardError
from triplane.hal.records import Pacing, RecordSource, Words
from triplane.hal.registers import Register

ANSWER_LOOKS = 1_000
"""Looks at the mailbox before an answer is given up; a turn of the firmware takes less time than a few of them."""

PAUSE_CYCLES = 1_000
"""Between two of these."""

BOOT_LOOKS = 10_000
"""Looks at a soft core that boots, which takes it 560,000 cycles."""

SELF_TEST_DONE = 1 << 31

SEQUENCES = 2**16


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
        """Write words."""

    def elapse(self, cycles: int) -> None:
        """Let cycles pass."""


class Supervision:
    """The jobs of one host on a board with a soft core; docs/firmware.md has the states.

    Args:
        bus: the board's registers.
        lease_cycles: of silence after which the board gives the host up; 0 keeps what the board has.

    Raises:
        BoardError: the soft core does not boot, or has failed its self-test.
    """

    def __init__(self, bus: Bus, lease_cycles: int = 0) -> None:
        self._bus = bus
        self._tables = guarded_tables({name: register.fields for name, register in bus.registers.items()})
        self._boot()
        if lease_cycles:
            bus.set("processor_lease_cycles", lease_cycles)

    def _boot(self) -> None:
        for _ in range(BOOT_LOOKS):
            found = self._bus.get("processor_self_test")
            if found & SELF_TEST_DONE:
                break
            self._bus.elapse(PAUSE_CYCLES)
        else:
            raise BoardError(
                "the soft core does not end its self-test: its firmware does not run; power the board up again, and if "
                "that does not help, flash it again"
            )
        if found != SELF_TEST_DONE:
            raise BoardError(
                f"the soft core has failed its self-test (processor_self_test: {found:#010x}, see docs/registers.md), "
                "and the board cannot be trusted; power it up again, and if that does not help, flash it again"
            )

    @property
    def state(self) -> State:
        """Of the job."""
        return State(self._bus.registers["processor_job"].fields["state"].of(self._bus.get("processor_job")))

    def begin(self, tables: Collection[str]) -> None:
        """Have tables checked, and the job armed: from now on the board goes safe where this host is silent.

        Args:
            tables: status registers of the tables that the job needs.

        Raises:
            BoardError: a table is not trusted, or the board cannot leave its safe state.
        """
        needless = sum(1 << number for number, name in enumerate(self._tables) if name not in tables)
        self._command(Command.CHECK, needless)
        self._command(Command.ARM)

    def start(self) -> None:
        """Start the program of the sequencer, for a job that is armed."""
        self._command(Command.START)

    def end(self) -> None:
        """No job any more; a board that went safe stays so, for whoever asks why."""
        if self.state in (State.ARMED, State.RUNNING):
            self._command(Command.ABORT)

    def release(self) -> None:
        """Leave the safe state, if the soft core holds the board in it."""
        if self.state in (State.SAFE, State.FAULT):
            self._command(Command.CLEAR)

    def _command(self, command: Command, argument: int = 0) -> None:
        bus = self._bus
        status = bus.registers["processor_mailbox_status"].fields
        number = (status["taken"].of(bus.get("processor_mailbox_status")) + 1) % SEQUENCES
        sequence = bus.registers["processor_mailbox_command"].fields["sequence"].offset
        bus.burst_write(
            bus.registers["processor_mailbox_argument0"].address,
            [argument, 0, int(command) | number << sequence],
        )
        for _ in range(ANSWER_LOOKS):
            word = bus.get("processor_mailbox_status")
            if status["taken"].of(word) == number and not status["pending"].of(word):
                break
            bus.elapse(PAUSE_CYCLES)
        else:
            raise BoardError(
                f"the soft core does not answer {command.name}; power the board up again, and look into its event log"
            )
        result = status["result"].of(word)
        if result != Result.OK:
            raise BoardError(self._refusal(command, result))

    def _refusal(self, command: Command, result: int) -> str:
        named = Result(result).name if result in list(Result) else str(result)
        if result == Result.NOT_TRUSTED:
            wrong = self._bus.get("processor_mailbox_value")
            tables = ", ".join(name for number, name in enumerate(self._tables) if wrong >> number & 1)
            return f"the soft core does not arm the board: by {tables} a table is not trusted; load again"
        state = self.state.name
        return (
            f"the soft core answers {named} to {command.name} in the state {state}; its event log says more"
        )


class SupervisedSource:
    """Records of a run that is a job: the job ends with the last of them, or where the run is stopped.

    Args:
        source: of the records.
        records: that will come.
        ended: called once.
    """

    def __init__(self, source: RecordSource, records: int, ended: Callable[[], None]) -> None:
        self._source, self._left, self._ended = source, records, ended
        self._going = True
        self.record_words, self.num_edges = source.record_words, source.num_edges

    @property
    def cycles(self) -> int:
        """Clock cycles that the run has taken."""
        return self._source.cycles

    def pacing(self) -> Pacing:
        """The schedule so far."""
        return self._source.pacing()

    def take(self) -> Words | None:
        """New whole records, or None when all have come."""
        words = self._source.take()
        self._left -= 0 if words is None else len(words)
        if words is None or self._left <= 0:
            self._end()
        return words

    def stop(self) -> None:
        """End the run."""
        self._source.stop()
        self._end()

    def _end(self) -> None:
        going, self._going = self._going, False
        if going:
            self._ended()
