# SPDX-License-Identifier: BSD-2-Clause
"""What every board can do, whatever it is and wherever it is, and what may go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from triplane.hal.barrier import BarrierRequest, BarrierState, DecodeLimits
from triplane.hal.control import ControlProgram, Execution
from triplane.hal.descriptor import Descriptor
from triplane.hal.html import pairs, titled
from triplane.hal.program import DecoderProgram
from triplane.hal.records import Records, RunStream
from triplane.hal.registers import Register

Words = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Identity:
    """What the gateware says that it is.

    Attributes:
        name: of the gateware.
        version: of its register map, "major.minor.patch".
        build_hash: SHA-256 (hex) of the hardware's Verilog.
        table_hash: SHA-256 (hex) of the loaded tables; all zeros when none are loaded, or they were changed since.
        clock_hz: system clock.
    """

    name: str
    version: str
    build_hash: str
    table_hash: str
    clock_hz: int

    def _repr_html_(self) -> str:
        return titled(
            f"{self.name} {self.version}",
            pairs(
                {
                    "gateware": self.build_hash[:16],
                    "tables": self.table_hash[:16] if self.table_hash.strip("0") else "none loaded",
                    "clock": f"{self.clock_hz / 1e6:g} MHz",
                }
            ),
        )


@dataclass(frozen=True)
class Fault:
    """Why the board went safe. It releases no round until the next run starts, which clears it.

    Attributes:
        conditions: names of all conditions seen since the last clear, the stopping ones first.
        stopping: those that put the board in its safe state.
        cycle: cycle counter at the first condition.
        explanation: the conditions in words.
    """

    conditions: tuple[str, ...]
    stopping: tuple[str, ...]
    cycle: int
    explanation: str

    def __str__(self) -> str:
        return f"{', '.join(self.stopping)} (cycle {self.cycle}): {self.explanation}"


@runtime_checkable
class Board(Protocol):
    """A board with a decoder. Use as a context manager: leaving it closes the board.

    Every method raises a subclass of `errors.BoardError`; addresses are in bytes, words are uint32.

    Attributes:
        place: where other processes reach the board too, one name for all of them; None: it is in this process only.
    """

    place: str | None

    @property
    def descriptor(self) -> Descriptor:
        """What the board is capable of."""

    @property
    def registers(self) -> Mapping[str, Register]:
        """Register map of the gateware that is in the board."""

    def identify(self) -> Identity:
        """Read the identification."""

    def read(self, address: int) -> int:
        """Read one word."""

    def write(self, address: int, value: int) -> None:
        """Write one word, 0 to 2**32 - 1."""

    def burst_read(self, address: int, count: int, *, increment: bool = True) -> Words:
        """Read `count` words from consecutive addresses, or all from `address`."""

    def burst_write(self, address: int, words: npt.ArrayLike, *, increment: bool = True) -> None:
        """Write words to consecutive addresses, or all to `address`."""

    def load(self, program: DecoderProgram) -> None:
        """Load decoder tables. A program that does not fit is refused before anything is written."""

    def exchange(self, program: DecoderProgram) -> None:
        """Load tables while a run goes on; they take their place between two of its shots, at once.

        Which shots were decoded with which table is in the records: `tables` is the CRC-32 of the one in use.
        Raises UnsupportedError where a decoder has room for one table only.
        """

    def run(
        self,
        rounds: npt.ArrayLike,
        *,
        round_period_cycles: int,
        timeout_s: float | None = None,
        shot_by_shot: bool = False,
    ) -> RunStream:
        """Start streaming shots; ends what is left of an earlier run.

        Args:
            rounds: uint32 (shots, layers, words_per_round), see `DecodingGraph.pack_events` and `StreamMap.pack`.
            round_period_cycles: cycles from one round to the next; 0 or 1: as fast as the decoder takes them.
            timeout_s: wall clock limit for the whole run.
            shot_by_shot: every shot starts only when its records are asked for, and they come as one chunk: for shots
                that depend on what became of the one before, such as on its amended frame.
        """

    def records(self) -> Iterator[Records]:
        """What is left of the current run's records, in order."""

    def load_control(self, program: ControlProgram) -> None:
        """Load what sequencer, generators, readout and syndrome formation work with.

        A program that does not fit is refused before anything is written. This and `execute` raise UnsupportedError
        where `descriptor.features.sequencer` is False.
        """

    def execute(
        self,
        registers: Mapping[int, int] | None = None,
        *,
        limit_cycles: int,
        timeout_s: float | None = None,
        live: bool = False,
        records: bool = False,
        outcomes: Callable[[Words], object] | None = None,
    ) -> Execution:
        """Run the control program that is loaded until it halts and its last event is played; ends an earlier run.

        Args:
            registers: of the sequencer -> value at the start; the others keep what they have.
            limit_cycles: after which the program is aborted.
            timeout_s: wall clock limit.
            live: the decoder takes the rounds that are measured.
            records: take the records of windows and of rounds, and what the program gives out, while it runs, and
                return them with its end. Without it they stay in their FIFOs, and a program that makes more than those
                hold is held up.
            outcomes: called with the words that the program gives out, uint32 (words,), as they come; they are then not
                returned. What it raises ends the program.

        Raises:
            SafeStateError: a fault has stopped the program; the message has cause, channel, place and time.
            RunTimeoutError: it did not end in time.
        """

    def limit(self, limits: DecodeLimits) -> None:
        """Set the deadline of a window and the threshold of hardness, from the next window on, for all runs to come.

        This and the methods of the barrier raise UnsupportedError where `descriptor.features.escalation` is False, and
        where the decoder in the gateware has no frame of its own, as a lookup table has none.
        """

    def barrier(self, request: BarrierRequest) -> None:
        """Wait for rounds of a shot of the current run; what an earlier request waited for is forgotten."""

    def amend(self, shot: int, flips: int) -> bool:
        """Add flips to the frame of the last shot, bit k = observable k; the barrier at its end is then released.

        The fabric takes them for the shot that ended last: ask for them before the next shot starts. Give 0 to confirm
        the frame as it is.

        Args:
            shot: number of that shot, for which a barrier must have been requested.
            flips: to add, not the frame that is wanted.

        Returns:
            True where they are in the frame; False where they were refused, and the fabric's result stands.
        """

    def barrier_state(self) -> BarrierState:
        """The barrier, the frame, and what has become of shots that could be amended."""

    def elapse(self, cycles: int) -> None:
        """Let at least so many clock cycles pass. A simulated board stands still but for this and accesses to it."""

    def fault(self) -> Fault | None:
        """Why the board is in its safe state, or None if it is not."""

    def trace(self, path: Path | str | None, cycles: int) -> None:
        """Write a waveform of the next `cycles` cycles; None ends a window early. Ends the run in progress.

        Raises UnsupportedError where `descriptor.features.trace` is False.
        """

    def close(self) -> None:
        """Stop and free the board; closing twice does no harm."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
