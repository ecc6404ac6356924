# SPDX-License-Identifier: BSD-2-Clause
"""The simulated board as a board: same registers, same streams, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from triplane.gateware.shape import FabricShape
from triplane.hal.barrier import DecodeLimits, check_whole
from triplane.hal.board import Words
from triplane.hal.control import ControlProgram
from triplane.hal.drivers.bus import RegisterBoard
from triplane.hal.drivers.parts import Parts
from triplane.hal.drivers.simulated import simulated_design
from triplane.hal.errors import (
    BoardClosedError,
    BoardError,
    BuildError,
    IdentityError,
    RunTimeoutError,
    SafeStateError,
)
from triplane.hal.program import DecoderProgram
from triplane.hal.records import Pacing, RecordSource
from triplane.hal.registers import WORD_MAX, RegisterMap
from triplane.hal.target import ArrayTarget, TableTarget
from triplane.sim.board import BoardBuild, SimulatedBoard, build_board
from triplane.sim.board import BoardError as SimulationError
from triplane.sim.board.tables import GeneratorTables
from triplane.sim.cache import CacheError
from triplane.sim.toolchain import ToolchainError

if TYPE_CHECKING:
    from triplane.sim.board.coupling import Behind, Coupling

SLICE_S = 0.1
"""Wall clock time of one native call: how soon Ctrl-C is heard and progress moves."""

FIRST_SLICE_CYCLES = 2_000

ELAPSE_CYCLES = 20_000
"""Cycles of one native call while nothing happens, for the same reason."""


class SimBoard(RegisterBoard):
    """A Verilated board built for a window of arrays, or for a lookup table, with a control fabric or without one.

    `progress` is told about builds.
    """

    LEAD_CYCLES = 2_000

    def __init__(
        self,
        target: ArrayTarget | TableTarget,
        *,
        fabric: FabricShape | None = None,
        correction: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self._board: SimulatedBoard | None = None
        self._design, descriptor = simulated_design(target, fabric=fabric, correction=correction)
        self._coupling: Coupling | None = None
        self._tables: GeneratorTables | None = None
        self._progress = progress
        self._build = self._built(trace=False)
        super().__init__(descriptor, RegisterMap(self._build.registers), target, correction, fabric)
        self._tracing = False
        self._open(self._build)

    def _built(self, *, trace: bool) -> BoardBuild:
        try:
            return build_board(self._design, trace=trace, progress=self._progress)
        except (ToolchainError, CacheError) as error:
            raise BuildError(str(error)) from error

    def _open(self, build: BoardBuild) -> None:
        self.close()
        self._board = board = SimulatedBoard(build.library)
        if self.fabric is not None:
            addresses = {name: register.address for name, register in self.registers.items()}
            self._tables = GeneratorTables(addresses, self.fabric)
            board.watch(self._tables.addresses)
        found = self.identify()
        if found.build_hash != build.build_hash:
            raise IdentityError(
                f"the cached board {build.library} carries build hash {found.build_hash[:12]}, "
                f"not {build.build_hash[:12]}; delete that folder"
            )

    @property
    def simulation(self) -> SimulatedBoard:
        """The native board; raises BoardClosedError when closed."""
        if self._board is None:
            raise BoardClosedError("the board is closed; connect again")
        return self._board

    def close(self) -> None:
        """Stop and free the board; closing twice does no harm."""
        board, self._board = self._board, None
        if board is not None:
            if self._run is not None:
                self._run.end()
                self._run = None
            try:
                board.close()
            except SimulationError as error:
                raise BoardError(str(error)) from error

    def _read(self, address: int, count: int, increment: bool) -> Words:
        words = self.simulation.read(address, count, increment=increment)
        self._exchange()
        return words

    def _write(self, address: int, words: Words, increment: bool) -> None:
        self.simulation.write(address, words, increment=increment)
        self._exchange()

    def _exchange(self) -> None:
        """Time has passed on the bus: tell an attached processor what was played in it."""
        if self._coupling is not None:
            self._coupling.exchange()

    def _source(
        self, words: Words, parts: int | None, records: int, idle_limit: int, timeout_s: float | None
    ) -> RecordSource:
        if parts is None:
            return _Transfer(self, words, records, idle_limit, timeout_s)
        count = records // parts
        return Parts(
            lambda part, left: _Transfer(self, part, count, idle_limit, left),
            words.reshape(parts, -1),
            record_words=self.record_words,
            num_edges=self.num_edges,
            clock=lambda: self.simulation.cycles,
            stop=self.stop_pacer,
            timeout_s=timeout_s,
        )

    def stop_pacer(self) -> None:
        """Release no rounds any more; a board that is closed releases none."""
        if self._board is not None:
            super().stop_pacer()

    def elapse(self, cycles: int) -> None:
        """Simulate so many clock cycles without bus traffic."""
        wanted = check_whole("cycles", cycles, 0, WORD_MAX, "give cycles of the board's clock")
        simulation = self.simulation
        run = simulation.run if self._coupling is None else self._coupling.run
        for start in range(0, wanted, ELAPSE_CYCLES):
            run(min(ELAPSE_CYCLES, wanted - start))

    def attach(self, processor: Behind) -> None:
        """Put an emulated processor behind the converters, at its beginning: its time begins with the next pulse.

        It stays there whatever is loaded, until another one is attached.
        """
        control = self._control_bus()
        from triplane.sim.board.coupling import Coupling

        # The one before does not hear of it any more: it may have refused what the program played.
        self._coupling = None
        control.rest()
        self._keep_up()
        assert self._tables is not None
        coupling = Coupling(self.simulation, processor, self._tables)
        coupling.renew()
        self._coupling = coupling

    def load_control(self, program: ControlProgram) -> None:
        """Load a control program; see `hal.board.Board.load_control`."""
        _ = self.simulation
        super().load_control(program)
        self._keep_up()

    def _keep_up(self) -> None:
        """Take what was written to the generators' tables while no processor is there, and forget what they played."""
        if self._tables is not None and self._coupling is None:
            for written in self.simulation.written():
                self._tables.write(int(written["address"]), int(written["word"]))
            self.simulation.played()

    def trace(self, path: Path | str | None, cycles: int) -> None:
        """Write a VCD of `cycles` cycles from now on; None ends the window and returns to the fast simulation.

        Tracing is built into a library of its own, made at the first call. The board is exchanged for it: tables are
        loaded again, the run in progress ends, the cycle counter starts anew.
        """
        self._end_run()
        _ = self.simulation
        tracing = path is not None
        if tracing != self._tracing:
            self._open(self._built(trace=tracing))
            self._tracing = tracing
            if self._program is not None:
                self.load(self._program)
            coupling, self._coupling = self._coupling, None
            self._reload_control()
            if coupling is not None:
                self.attach(coupling.processor)
            if self._limits != DecodeLimits():
                self.limit(self._limits)
        if path is not None:
            try:
                self.simulation.trace(path, cycles)
            except SimulationError as error:
                raise BoardError(str(error)) from error

    def load(self, program: DecoderProgram) -> None:
        """Load decoder tables. A program that does not fit is refused before anything is written."""
        _ = self.simulation
        super().load(program)


class _Transfer:
    """One run: a native transfer in slices."""

    def __init__(
        self, board: SimBoard, words: Words, records: int, idle_limit: int, timeout_s: float | None
    ) -> None:
        self._board = board
        self.record_words = board.record_words
        self.num_edges = board.num_edges
        self._words_taken = 0
        self._slice = FIRST_SLICE_CYCLES
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        simulation, registers = board.simulation, board.registers
        self._start = self._end = simulation.cycles
        self._transfer = simulation.stream(
            words,
            records * self.record_words,
            status_address=registers["link_status"].address,
            events_address=registers["events_data"].address,
            results_address=registers["results_data"].address,
            idle_limit=idle_limit,
        )
        simulation.fill(self._transfer)
        board.start_pacer()

    @property
    def cycles(self) -> int:
        return self._end - self._start

    def pacing(self) -> Pacing:
        return self._board.pacing()

    def take(self) -> Words | None:
        while True:
            left = self._transfer.results.size - self._words_taken
            if left == 0:
                return None
            simulation = self._board.simulation
            before, started = simulation.cycles, time.monotonic()
            try:
                going = simulation.advance(self._transfer, self._slice)
            except SimulationError as error:
                raise BoardError(f"{error}; reset the board, and trace it if this happens again") from error
            now = time.monotonic()
            self._end = simulation.cycles
            per_cycle = (now - started) / max(self._end - before, 1)
            self._slice = (
                max(FIRST_SLICE_CYCLES, min(int(SLICE_S / per_cycle), 4 * self._slice))
                if per_cycle > 0
                else self._slice
            )
            whole = self._transfer.done // self.record_words * self.record_words
            if whole > self._words_taken:
                words = self._transfer.results[self._words_taken : whole].reshape(-1, self.record_words)
                self._words_taken = whole
                return words
            if not going and self._transfer.done < self._transfer.results.size:
                raise SafeStateError(
                    f"the board went safe after {whole // self.record_words} of "
                    f"{self._transfer.results.size // self.record_words} records: {self._board.fault()}"
                )
            if self._deadline is not None and now > self._deadline:
                raise RunTimeoutError(
                    f"the run was stopped after {self._timeout_s:g} s with {whole // self.record_words} of "
                    f"{self._transfer.results.size // self.record_words} records; allow more time or run fewer shots"
                )

    def stop(self) -> None:
        self._board.stop_pacer()
