# SPDX-License-Identifier: BSD-2-Clause
"""Everything that follows from the register map alone: shared by all boards that are reached through a register bus."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.layouts import RESULT, correction_words
from triplane.gateware.decoder.table import CHECKING, TRUSTED
from triplane.gateware.shape import FabricShape
from triplane.hal.barrier import BarrierRequest, BarrierState, DecodeLimits, check_whole
from triplane.hal.board import Words
from triplane.hal.control import ControlProgram, Execution
from triplane.hal.descriptor import Descriptor
from triplane.hal.drivers.access import RegisterAccess
from triplane.hal.drivers.collect import Collector
from triplane.hal.drivers.control import ControlBus
from triplane.hal.drivers.supervision import SupervisedSource, Supervision
from triplane.hal.errors import (
    BoardError,
    IdentityError,
    ProgramError,
    UnsupportedError,
)
from triplane.hal.program import DecoderProgram
from triplane.hal.records import Pacing, Records, RecordSource, RunStream
from triplane.hal.registers import WORD_MAX, RegisterMap
from triplane.hal.target import Target

ANSWER_CYCLES = 1_000_000
"""For whatever a decoder is asked that does not depend on the length of a table: far above every bound."""

FIRST_PAUSE_CYCLES, LAST_PAUSE_CYCLES = 64, 2**16
"""Between two looks at a board that is busy: the first, twice that, and so on."""


class RegisterBoard(RegisterAccess):
    """A board behind a register bus. Subclasses move words and run streams; see `hal.board.Board` for the methods.

    Args:
        descriptor: of the board.
        registers: map of the gateware that is expected in it.
        target: what the gateware was built to decode.
        correction: ask for corrections also where a program does not.
        fabric: what its control fabric is built of; None without one.
    """

    LEAD_CYCLES = 2_457_600
    """From the host reading the time to the beginning of a program's: 10 ms at 245.76 MHz."""

    place: str | None = None

    def __init__(
        self,
        descriptor: Descriptor,
        registers: RegisterMap,
        target: Target,
        correction: bool,
        fabric: FabricShape | None = None,
    ) -> None:
        self.fabric = fabric
        self._control = None if fabric is None else ControlBus(self, fabric, self.LEAD_CYCLES)
        self.descriptor = descriptor
        super().__init__(registers)
        self._target = target
        self._correction = correction
        self._program: DecoderProgram | None = None
        self._run: RunStream | None = None
        self._limits = DecodeLimits()
        self._awaited: BarrierRequest | None = None
        self._supervision: Supervision | None = None

    @abstractmethod
    def _source(
        self, words: Words, parts: int | None, records: int, idle_limit: int, timeout_s: float | None
    ) -> RecordSource:
        """Fill the event FIFO from `words`, start the pacer, and deliver so many records.

        Where `parts` is given, words and records are in so many equal parts, and each is streamed only when its records
        are taken, with a start of the pacer of its own.
        """

    def start_pacer(self) -> None:
        """Release rounds from now on."""
        self._pulse("pacer_control", "start")

    def stop_pacer(self) -> None:
        """Release none any more."""
        self._pulse("pacer_control", "stop")

    def pacing(self) -> Pacing:
        """The schedule of the current run so far."""
        return Pacing(
            self.get("pacer_released"),
            self.get("pacer_starved_rounds"),
            self.get("pacer_stalled_rounds"),
            self.get("pacer_backlog_max"),
        )

    # Programs and runs

    def load(self, program: DecoderProgram) -> None:
        """Load decoder tables. A program that does not fit is refused before anything is written."""
        program.check(self._target)
        self._end_run()
        self._rearm()
        self._write_table(program)
        self._await(lambda: self._active_table() == program.table_crc, "take its table over")
        self.set("identification_table_hash", int(program.table_hash, 16))
        found = self.identify().table_hash
        if found != program.table_hash:
            raise IdentityError(
                f"the board reports table hash {found[:12]}, not {program.table_hash[:12]}; load again"
            )
        self._program = program

    def exchange(self, program: DecoderProgram) -> None:
        """Load tables for the shots to come, while a run is going on; see `hal.board.Board.exchange`."""
        program.check(self._target)
        if "activate" not in self.registers["decoder_control"].fields:
            raise UnsupportedError("this decoder has no second table; load() ends the run and loads it")
        if self._program is None:
            raise ProgramError("no program is loaded; call load() first")
        if (program.passes, program.correction) != (self._program.passes, self._program.correction):
            raise ProgramError("passes and correction belong to a run; end it and call load() to change them")
        self._write_table(program)
        self.set("identification_table_hash", int(program.table_hash, 16))
        self._program = program

    def _write_table(self, program: DecoderProgram) -> None:
        """Write the words, have them checked, and ask for them to be used."""
        self.set("decoder_table_index", 0)
        self.burst_write(self.registers["decoder_table_data"].address, program.words, increment=False)
        self.set("decoder_table_crc", program.table_crc)
        state = self.registers["decoder_status"].fields["table"]
        self._await(
            lambda: state.of(self.get("decoder_status")) != CHECKING,
            "end the check of its table",
            len(program.words) + ANSWER_CYCLES,  # a word a cycle
        )
        if state.of(self.get("decoder_status")) != TRUSTED:
            raise BoardError(
                f"the table arrived with CRC {self.get('decoder_table_found'):#010x}, not "
                f"{program.table_crc:#010x}, and is not used; load again"
            )
        if "activate" in self.registers["decoder_control"].fields:
            self._pulse("decoder_control", "activate", self._mode(program))

    def _active_table(self) -> int:
        """CRC-32 of the table in use."""
        return self.get(
            "decoder_table_active" if "decoder_table_active" in self.registers else "decoder_table_found"
        )

    def _mode(self, program: DecoderProgram) -> int:
        """The decoder's control register without its pulses."""
        fields = self.registers["decoder_control"].fields
        mode = int(self._correction or program.correction) << fields["correction"].offset
        return mode | (program.passes << fields["passes"].offset if "passes" in fields else 0)

    def _await(self, reached: Callable[[], bool], what: str, within_cycles: int = ANSWER_CYCLES) -> None:
        """Wait by the board's own clock: how many words a host moves meanwhile says nothing of it."""
        begun, pause = self.now(), FIRST_PAUSE_CYCLES
        while not reached():
            if self.now() - begun > within_cycles:
                raise BoardError(
                    f"the decoder did not {what} within {within_cycles} cycles; power the board up again, or load its "
                    "bitstream again"
                )
            self.elapse(pause)
            pause = min(2 * pause, LAST_PAUSE_CYCLES)

    def run(
        self,
        rounds: npt.ArrayLike,
        *,
        round_period_cycles: int,
        timeout_s: float | None = None,
        shot_by_shot: bool = False,
    ) -> RunStream:
        """Start streaming shots; ends what is left of an earlier run. See `hal.board.Board.run`."""
        if self._program is None:
            raise ProgramError("no program is loaded; call load() first")
        words = self._check_rounds(rounds)
        limit = self.descriptor.qec.max_round_period_cycles
        if not 0 <= round_period_cycles <= limit:
            raise ProgramError(f"round_period_cycles is {round_period_cycles}; it must be 0 to {limit}")
        if timeout_s is not None and not timeout_s > 0:
            raise ProgramError(f"timeout_s is {timeout_s}; it must be above 0, or None for no limit")
        self._end_run()
        self._rearm()
        shots, layers, _ = words.shape
        records = shots * self._target.records_per_shot(layers)
        self.set("pacer_period", round_period_cycles)
        self.set("pacer_rounds", layers if shot_by_shot else shots * layers)
        # Longest time without a word either way: a shot at its cadence, twice over, and a decode at its bound.
        bound = self.registers["decoder_status"].fields["bound"].of(self.get("decoder_status"))
        idle_limit = 2 * layers * max(round_period_cycles, words.shape[2]) + 2 * bound + 10_000
        if "decoder_rounds" in self.registers:
            self.set("decoder_rounds", layers)
        parts = shots if shot_by_shot else None
        if self._supervision is not None:
            # A table that may be exchanged meanwhile cannot be one that the run ends without.
            exchanged = "activate" in self.registers["decoder_control"].fields
            self._supervision.begin(() if exchanged else ("decoder_status",))
        source = self._source(words.reshape(-1), parts, records, idle_limit, timeout_s)
        if self._supervision is not None:
            source = SupervisedSource(source, records, self._leave_job)
        self._run = RunStream(source, records)
        return self._run

    def records(self) -> Iterator[Records]:
        """What is left of the current run's records, in order."""
        return iter(()) if self._run is None else self._run

    # Control programs

    def load_control(self, program: ControlProgram) -> None:
        """Load a control program; see `hal.board.Board.load_control`."""
        self._control_bus().load(program)

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
        """Run the control program that is loaded; see `hal.board.Board.execute`."""
        control = self._control_bus()
        self._end_run()
        self._rearm()
        if live and control.program and control.program.rounds and "decoder_rounds" in self.registers:
            self.set("decoder_rounds", control.program.rounds)
        self.set("rounds_control", int(live))
        supervision = self._supervision
        if supervision is not None:
            supervision.begin(control.tables(live))
        collector = Collector(self, control.shape, records, outcomes) if records or outcomes else None
        try:
            ended = control.execute(
                registers,
                limit_cycles=limit_cycles,
                timeout_s=timeout_s,
                meanwhile=collector.collect if collector else lambda: None,
                start=None if supervision is None else supervision.start,
            )
        finally:
            self.set("rounds_control", 0)
            self._leave_job()
        return ended if collector is None else collector.added_to(ended)

    def _control_bus(self) -> ControlBus:
        if self._control is None:
            raise UnsupportedError(
                f"the board {self.descriptor.name} has no sequencer feature; connect with the shape of a fabric"
            )
        return self._control

    def _reload_control(self) -> None:
        """Load the control program again, if there is one: the board has forgotten it."""
        if self._control is not None and self._control.program is not None:
            self.load_control(self._control.program)

    # Limits and barriers

    def limit(self, limits: DecodeLimits) -> None:
        """Set the deadline of a window and the threshold of hardness; see `hal.board.Board.limit`."""
        self._check_escalation()
        self.set("decoder_deadline", int(limits.deadline_cycles))
        self.set("decoder_hard_above", int(limits.hard_above))
        self._limits = limits

    def barrier(self, request: BarrierRequest) -> None:
        """Wait for rounds of a shot of the current run; see `hal.board.Board.barrier`."""
        self._check_escalation()
        self.set("decoder_barrier_timeout", int(request.amend_within_cycles))
        self.set("decoder_barrier_shot", int(request.shot))
        self.set("decoder_barrier_round", int(request.rounds))
        escalate = self.registers["decoder_barrier_control"].fields["escalate"].offset
        self._pulse("decoder_barrier_control", "wait", (request.amend_within_cycles > 0) << escalate)
        self._awaited = request

    def amend(self, shot: int, flips: int) -> bool:
        """Add flips to the frame of the last shot; see `hal.board.Board.amend`."""
        self._check_escalation()
        observables = self._target.num_observables
        word = check_whole(
            "flips", flips, 0, 2**observables - 1, f"bit k is observable k, and the decoder has {observables}"
        )
        if self._awaited is None or self._awaited.shot != shot:
            awaited = "none" if self._awaited is None else f"shot {self._awaited.shot}"
            raise ProgramError(
                f"shot {shot} cannot be amended, the barrier waits for {awaited}; call barrier() for it before it ends"
            )
        taken, refused = self.get("decoder_barrier_amended"), self.get("decoder_barrier_refused")
        self.set("decoder_barrier_amend", word)
        self._await(
            lambda: (
                (self.get("decoder_barrier_amended"), self.get("decoder_barrier_refused")) != (taken, refused)
            ),
            "answer an amendment",
        )
        return self.get("decoder_barrier_amended") != taken

    def barrier_state(self) -> BarrierState:
        """The barrier and the frame as they are now."""
        self._check_escalation()
        state, fields = self.get("decoder_barrier_state"), self.registers["decoder_barrier_state"].fields
        return BarrierState(
            waiting=bool(fields["waiting"].of(state)),
            open=bool(fields["open"].of(state)),
            frame=self.get("decoder_barrier_frame"),
            reaction_cycles=self.get("decoder_barrier_reaction"),
            released=self.get("decoder_barrier_released"),
            amended=self.get("decoder_barrier_amended"),
            expired=self.get("decoder_barrier_expired"),
            refused=self.get("decoder_barrier_refused"),
        )

    def elapse(self, cycles: int) -> None:
        """Let at least so many clock cycles pass: a board of its own has them pass by itself."""
        wanted = check_whole("cycles", cycles, 0, WORD_MAX, "give cycles of the board's clock")
        time.sleep(wanted / self.descriptor.timing.clock_hz)

    def _check_escalation(self) -> None:
        if not self.descriptor.features.escalation:
            raise UnsupportedError(
                f"the board {self.descriptor.name} has no escalation feature: no deadlines, no threshold of hardness, "
                "no barriers; use a board whose descriptor has it, or run without"
            )
        if "decoder_hard_above" not in self.registers:
            raise UnsupportedError(
                "the decoder in this board is a lookup table, whose shots are never hard and never amended; connect "
                "without a table"
            )

    def trace(self, path: Path | str | None, cycles: int) -> None:
        """Waveforms need a board that can write them."""
        raise UnsupportedError(
            f"the board {self.descriptor.name} has no trace feature; use the simulated board"
        )

    @property
    def with_correction(self) -> bool:
        """Whether records carry a correction."""
        return self._correction or (self._program is not None and self._program.correction)

    @property
    def num_edges(self) -> int | None:
        """Bits of the correction in each record, None where records carry none."""
        return self._target.num_edges if self.with_correction else None

    @property
    def record_words(self) -> int:
        """Words of one record as the board is set up now."""
        return RESULT.words + (correction_words(self._target.num_edges) if self.with_correction else 0)

    def _check_rounds(self, rounds: npt.ArrayLike) -> Words:
        array = np.asarray(rounds)
        per_round = self._target.words_per_round
        if array.ndim != 3 or array.shape[2] != per_round:
            raise ProgramError(
                f"rounds have shape {array.shape}; this board takes (shots, layers, {per_round}), "
                "see DecodingGraph.pack_events and StreamMap.pack"
            )
        if not array.shape[0]:
            raise ProgramError("rounds hold no shot; there is nothing to run")
        layers = array.shape[1]
        self._target.records_per_shot(layers)
        if array.shape[0] * layers > WORD_MAX:
            raise ProgramError(
                f"{array.shape[0]} shots are {array.shape[0] * layers} rounds; a run takes {WORD_MAX}"
            )
        if array.dtype != np.uint32:
            raise ProgramError(
                f"rounds have dtype {array.dtype}; they must be uint32, see DecodingGraph.pack_events"
            )
        for layer in range(layers):
            slots = self._target.slots(layer)
            for word in range(per_round):
                used = sum(1 << slot % 32 for slot in slots if slot // 32 == word)
                stray = np.flatnonzero(array[:, layer, word] & np.uint32(WORD_MAX ^ used))
                if stray.size:
                    raise ProgramError(
                        f"shot {stray[0]}, round {layer}, word {word} is {array[stray[0], layer, word]:#x}; "
                        f"only the bits {used:#x} are detectors"
                    )
        return np.ascontiguousarray(array)

    def _supervise(self, lease_cycles: int) -> None:
        """Run jobs under the eyes of the board's soft core, if it has one; see `Supervision`."""
        if "processor_job" in self.registers:
            self._supervision = Supervision(self, lease_cycles)

    def _leave_job(self) -> None:
        """The job has ended, or is given up."""
        if self._supervision is not None:
            self._supervision.end()

    def renew(self, seed: int) -> None:
        """Take the emulated processor behind the converters back to its beginning: all qubits in 0.

        Args:
            seed: of all that is random in it.

        Raises:
            UnsupportedError: what is behind the converters cannot be taken anywhere.
        """
        if "emulator_renew" not in self.registers:
            raise UnsupportedError(
                f"the board {self.descriptor.name} has no registers of an emulated processor; qubits are reset by "
                "measuring them, or by waiting"
            )
        self.set("emulator_seed", seed)
        self.set("emulator_renew", 1)

    def _rearm(self) -> None:
        """Leave nothing of an earlier run: stop rounds, let the decoder finish, empty everything, count from 0."""
        if self._supervision is not None:
            self._supervision.end()
            self._supervision.release()
        self.stop_pacer()
        if self._awaited is not None:
            # The decoder does not rest while a barrier waits for an amendment; none will come any more.
            self.set("decoder_barrier_timeout", 0)
            self.set("decoder_barrier_control", 0)
            self._awaited = None
        busy = self.registers["decoder_status"].fields["busy"]

        def resting() -> bool:
            self._pulse("faults_control", "clear")
            return not busy.of(self.get("decoder_status"))

        self._await(resting, "come to rest")
        mode = self._mode(self._program) if self._program is not None else 0
        self._pulse("decoder_control", "restart", mode)
        self._pulse("faults_control", "clear")

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.end()
