# SPDX-License-Identifier: BSD-2-Clause
"""A memory in the closed loop: shot after shot, each from qubits in 0, with what the board has seen and decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.fabric import OUTCOME_OFFSET
from triplane.hal.board import Board
from triplane.hal.drivers.bus import RegisterBoard
from triplane.hal.drivers.sim import SimBoard
from triplane.host.compiler.memory import MemoryExperiment
from triplane.sim.qpu.events import Event
from triplane.sim.qpu.processor import Processor
from triplane.sim.qpu.recorder import RecordingProcessor

IDLE_CYCLES = 100_000
"""What a shot may take beyond its rounds: the beginning of its program, and the last decode."""


class MemoryRunError(RuntimeError):
    """A shot whose records are not what its program makes."""


@dataclass(frozen=True)
class MemoryRun:
    """What the board has said of each shot.

    Attributes:
        events: bool (shots, layers, slots), detection events as the decoder got them.
        results: structured (shots, windows) of `layouts.RESULT`.
        flips: bool (shots,), the decoder's flip of the logical observable, by the frame of the barrier.
        logical: bool (shots,), the logical result with that flip; logical 0 was prepared.
        cycles: uint64 (shots,), of each program.
    """

    events: npt.NDArray[np.bool_]
    results: npt.NDArray[np.void]
    flips: npt.NDArray[np.bool_]
    logical: npt.NDArray[np.bool_]
    cycles: npt.NDArray[np.uint64]

    @property
    def measured(self) -> npt.NDArray[np.bool_]:
        """The logical result without correction: bool (shots,)."""
        return self.logical ^ self.flips


class RemoteProcessors:
    """The emulated processor of a simulated board in another process, at its beginning for each shot.

    Args:
        board: whose registers reach it.
        seed: of the first shot; each has the next.
    """

    def __init__(self, board: RegisterBoard, seed: int) -> None:
        self._board, self._seed = board, seed

    def attach(self, shot: int) -> None:
        """Bring its qubits to 0."""
        self._board.renew(self._seed + shot)


class Processors:
    """Emulated processors for a simulated board in this process, a fresh one for each shot.

    Args:
        board: simulated.
        experiment: whose device they are.
        seed: of the first; each has the next.
    """

    def __init__(self, board: SimBoard, experiment: MemoryExperiment, seed: int) -> None:
        self._board = board
        self._device = experiment.device
        self._seed = seed
        self._first = RecordingProcessor(self._device, seed=seed, backend="stabilizer")

    def attach(self, shot: int) -> None:
        """Put the one of a shot behind the converters."""
        self._board.attach(
            Processor(self._device, seed=self._seed + shot, backend="stabilizer") if shot else self._first
        )

    @property
    def schedule(self) -> list[Event]:
        """Events of the first shot; those of all others are the same, at other times."""
        return self._first.schedule


def run_memory(
    board: Board,
    experiment: MemoryExperiment,
    *,
    rounds: int,
    shots: int,
    prepare: Callable[[int], None],
    progress: Callable[[int], None] = lambda _: None,
) -> MemoryRun:
    """Keep logical 0 for so many rounds, again and again.

    Args:
        board: with the experiment's fabric, the decoder's program loaded.
        experiment: whose control program is loaded here.
        rounds: of ancilla readouts.
        shots: how often.
        prepare: called with the number of a shot before it; brings the qubits to 0.
        progress: called with the number of shots that are done.

    Raises:
        MemoryRunError: a shot has not the records that it should have.
    """
    program = experiment.program(rounds)
    windows = len(experiment.plan.schedule(rounds + 1))
    limit = 2 * (rounds + 2) * experiment.round_cycles + IDLE_CYCLES
    board.load_control(program)
    events, results, exits, cycles = [], [], [], []
    for shot in range(shots):
        prepare(shot)
        ended = board.execute(experiment.registers(rounds), limit_cycles=limit, live=True, records=True)
        if len(ended.results) != windows or len(ended.rounds) != rounds + 1:
            raise MemoryRunError(
                f"shot {shot} has records of {len(ended.rounds)} rounds and {len(ended.results)} windows, not of "
                f"{rounds + 1} and {windows}; look at the counters of the decoder and of syndrome formation"
            )
        events.append(_bits(ended.rounds, experiment.plan.width))
        results.append(ended.results)
        exits.append(ended.exit_code)
        cycles.append(ended.cycles)
        progress(shot + 1)
    frames = np.array(exits, dtype=np.uint32)
    return MemoryRun(
        np.array(events),
        np.array(results),
        frames & 1 != 0,
        frames >> OUTCOME_OFFSET & 1 != 0,
        np.array(cycles, dtype=np.uint64),
    )


def _bits(rounds: npt.NDArray[np.void], width: int) -> npt.NDArray[np.bool_]:
    """Detection events of records of rounds: bool (rounds, slots)."""
    words = np.stack([rounds[f"events_{k}"] for k in range(-(-width // 32))], axis=1).astype("<u4")
    return np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, :width].astype(np.bool_)
