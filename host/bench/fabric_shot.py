# SPDX-License-Identifier: BSD-2-Clause
"""One shot of a program on the real fabric, and the stamps that it leaves: trace, records of rounds, results, edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.sequencer.layouts import TAG_KIND_OFFSET, TRACE, Kind, Outcome
from triplane.gateware.syndrome.layouts import round_record
from triplane.hal.drivers.sim import SimBoard
from triplane.host.bench.fabric_loop import TONES, Loop

LEAD = ReadoutLine.LEAD
"""Cycles from CAPTURE to the first sample of a window without delay."""

AHEAD = 500
"""Cycles from the host fixing the beginning of the program's time to that time: it must have started the program."""


@dataclass(frozen=True)
class Shot:
    """What a shot's stamps say, in cycles of the board's counter.

    Attributes:
        exit_code: of the program.
        trace: of the sequencer.
        edge: first output of the drive; None without a pulse.
        start: of the program's time.
        rounds, results: words of records, uint32 (records, words).
    """

    exit_code: int
    trace: npt.NDArray[np.void]
    edge: int | None
    start: int
    rounds: npt.NDArray[np.uint32]
    results: npt.NDArray[np.uint32]

    def waited(self) -> int:
        """Cycle in which the first wait ended, low half."""
        kinds = self.trace["tag"] >> TAG_KIND_OFFSET
        return int(self.trace["cycle"][(kinds == Outcome.TAKEN) | (kinds == Outcome.PASSED)][0])

    def played(self) -> int:
        """Cycle in which the pulse was due, low half."""
        kinds = self.trace["tag"] >> TAG_KIND_OFFSET
        return int(self.trace["time"][(kinds == Kind.PLAY) & (self.trace["tag"] & 0xFF == 0)][0])


def run_shot(
    board: SimBoard, loop: Loop, windows: list[tuple[int, npt.NDArray[np.bool_]]], *, live: bool
) -> Shot:
    """Execute the program that is loaded.

    windows: (cycle of the CAPTURE from the program's start, bits of all slots); lines that are not read hear them, too.
    """
    simulation = board.simulation
    start = simulation.now + AHEAD
    for line in range(loop.shape.lines):
        own = slice(line * TONES.tones, (line + 1) * TONES.tones)
        stream = np.zeros((max(at for at, _ in windows) + LEAD + TONES.window, 2), dtype=np.int16)
        for at, bits in windows:
            first = at + LEAD
            stream[first : first + TONES.window] = TONES.samples(
                start + first, bits[own].astype(int).tolist()
            )
        simulation.samples(line, start, stream)
    simulation.edges()
    ended = board.execute({31: start}, limit_cycles=50_000, live=live)
    edges = [int(edge["cycle"]) for edge in simulation.edges() if edge["channel"] == 0 and edge["sounds"]]
    level = board.get("sequencer_trace_level")
    trace = TRACE.parse(_words(board, "sequencer_trace_data", level, TRACE.words))
    record = round_record(loop.shape.syndrome)
    rounds = _words(board, "measured_data", board.get("measured_records"), record.words)
    results = _words(board, "results_data", board.get("results_records"), RESULT.words)
    return Shot(ended.exit_code, trace, edges[0] if edges else None, start, rounds, results)


def _words(board: SimBoard, name: str, records: int, words: int) -> npt.NDArray[np.uint32]:
    if not records:
        return np.zeros((0, words), dtype=np.uint32)
    found = board.burst_read(board.registers[name].address, records * words, increment=False)
    return found.reshape(records, words)
