# SPDX-License-Identifier: BSD-2-Clause
"""What the simulated board did in a run, and why: its pulses, its results, the branches that it took.

The fabric does not tell which instructions it has executed. But all that passes between its converters and the emulated
processor can be seen, and the golden models make of the same samples the same results and the same decisions, to the
cycle. The pulses that the model plays are compared with those that the board played, so a timeline that comes out of
here is the board's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.isa import GROUP
from triplane.gateware.sequencer.layouts import Kind
from triplane.gateware.shape import FabricShape
from triplane.hal.control import ControlProgram, Execution
from triplane.hal.drivers.sim import SimBoard
from triplane.host.timeline import Timeline, timeline
from triplane.sim.board.coupling import BEFORE_CYCLES, Behind
from triplane.sim.models.readout.line import LineModel, Tone
from triplane.sim.models.sequencer.core import SequencerModel
from triplane.sim.models.sequencer.queue import Release
from triplane.sim.models.sequencer.results import Arrival
from triplane.sim.qpu.events import PulseEvent
from triplane.sim.qpu.events import Tone as PlayedTone

EPOCH = 4_000
"""Cycle of the golden model in which a program's time begins."""

MOST_INSTRUCTIONS = 1_000_000


class WitnessError(RuntimeError):
    """A run of which no timeline can be made."""


class Witness:
    """A processor behind the converters, with a record of all that passes.

    Attributes:
        begun: (channel, cycle) of pulses and tones as they began, lines behind `drives` channels; cycles since the
            processor's time began.
        samples: line -> (first cycle, int16 (cycles, 2)) of what it answered.
    """

    def __init__(self, processor: Behind, drives: int) -> None:
        self._processor, self._drives = processor, drives
        self._forget()

    def _forget(self) -> None:
        self.begun: list[tuple[int, int]] = []
        self.samples: dict[int, list[tuple[int, npt.NDArray[np.int16]]]] = {}

    @property
    def name(self) -> str:
        """Of the device."""
        return self._processor.name

    @property
    def delays_ns(self) -> Sequence[float]:
        """Of each line."""
        return self._processor.delays_ns

    def reset(self, seed: int | None = None) -> None:
        """At the beginning again, with an empty record."""
        self._processor.reset(seed)
        self._forget()

    def play(self, event: PulseEvent) -> None:
        """A pulse."""
        self.begun.append((event.channel, event.start // 2))
        self._processor.play(event)

    def readout(self, line: int, start: int, tones: Sequence[PlayedTone]) -> object:
        """Tones of a line."""
        self.begun.append((self._drives + line, start // 2))
        return self._processor.readout(line, start, tones)

    def adc(self, line: int, start: int, count: int) -> npt.NDArray[np.int16]:
        """What the line answers."""
        samples = self._processor.adc(line, start, count)
        self.samples.setdefault(line, []).append((start, samples))
        return samples

    def heard(self, line: int, first: int, count: int) -> npt.NDArray[np.int16]:
        """Samples that entered the line from a cycle on: int16 (count, 2), 0 where there was no answer."""
        found = np.zeros((count, 2), np.int16)
        for start, samples in self.samples.get(line, ()):
            low, high = max(first, start), min(first + count, start + len(samples))
            if low < high:
                found[low - first : high - first] = samples[low - start : high - start]
        return found


@dataclass(frozen=True)
class Witnessed:
    """A run that was seen.

    Attributes:
        execution: what the board said of it.
        timeline: what it did.
    """

    execution: Execution
    timeline: Timeline


def witness(
    board: SimBoard,
    program: ControlProgram,
    processor: Behind,
    registers: Mapping[int, int] | None = None,
    *,
    limit_cycles: int = 1_000_000,
) -> Witnessed:
    """Load and run a program on a simulated board, and say what it did and why. The processor stays behind the board.

    Args:
        board: with a fabric.
        program: that takes its epoch (`ControlProgram.epoch_register`), and asks for no frame.
        processor: that is put behind it, at its beginning.
        registers: at the start, as for `Board.execute`.
        limit_cycles: after which the program is aborted.

    Raises:
        WitnessError: no such program, or the golden model played something else than the board.
        BoardError: of the run.
    """
    shape = board.fabric
    if shape is None or program.epoch_register is None:
        raise WitnessError(
            "only programs with an epoch, on a board with a fabric, can be seen; see ControlProgram"
        )
    seen = Witness(processor, shape.drives)
    board.attach(seen)
    board.load_control(program)
    ended = board.execute(registers, limit_cycles=limit_cycles, records=True)
    board.attach(processor)
    return Witnessed(ended, _Rehearsal(program, shape, seen, dict(registers or {})).timeline())


class _Rehearsal:
    """A run of the golden models with the samples that the board got."""

    def __init__(
        self, program: ControlProgram, shape: FabricShape, seen: Witness, registers: dict[int, int]
    ) -> None:
        self.program, self.shape, self.seen = program, shape, seen
        assert program.epoch_register is not None
        self._registers = registers | {program.epoch_register: EPOCH}
        self._lines = [
            LineModel(
                [
                    Tone(frequency, line.weights[k].astype(np.int64), line.discriminants[k])
                    for k, frequency in enumerate(line.frequencies)
                ],
                dict(enumerate(line.windows)),
                lead=ReadoutLine.LEAD,
                latency=ReadoutLine.LATENCY,
                epoch=EPOCH,
            )
            for line in program.demodulation
        ]
        self._arrivals: list[Arrival] = []
        self._origin = 0

    def timeline(self) -> Timeline:
        """What was done.

        Raises:
            WitnessError: it is not what the board did.
        """
        model = SequencerModel(
            self.program.sequence,
            num_channels=self.shape.channels,
            num_slots=self.shape.slots,
            queue_depth=self.shape.queue_events,
        )
        # What is played first depends on no result: by it both clocks are compared.
        first = model.run(registers=self._registers, limit=MOST_INSTRUCTIONS)
        begins = [cycle for _, cycle in self._begun(first.releases)]
        if not begins or not self.seen.begun:
            raise WitnessError("the program has played nothing")
        self._origin = min(begins) - BEFORE_CYCLES
        done = model.run(registers=self._registers, respond=self._respond, limit=MOST_INSTRUCTIONS)
        played = sorted((channel, cycle - self._origin) for channel, cycle in self._begun(done.releases))
        if done.stop is not None or played != sorted(self.seen.begun):
            raise WitnessError(
                f"the golden model has played {len(played)} pulses and stopped by {done.stop}, the board "
                f"{len(self.seen.begun)} pulses; please report this program"
            )
        return timeline(self.program.sequence, done.trace, self._arrivals)

    def _begun(self, releases: Sequence[Release]) -> Iterator[tuple[int, int]]:
        """(channel, cycle of the first sample) of pulses and tones that sound at all."""
        players = [*self.program.drives, *self.program.tones]
        numbers = [*range(len(self.program.drives))]
        numbers += [self.shape.drives + line for line in range(len(self.program.tones))]
        of_channel = dict(zip(numbers, players, strict=True))
        for release in releases:
            if release.kind != Kind.PLAY or release.channel not in of_channel:
                continue
            if of_channel[release.channel].entries[release.value]["length"]:
                yield release.channel, release.cycle + PulseGenerator.LATENCY

    def _respond(self, release: Release) -> list[Arrival]:
        """Results of a CAPTURE, by the samples that the line got."""
        number = release.channel - self.shape.drives
        group = self.program.sequence.groups[GROUP.extract(int(self.program.sequence.words[release.address]))]
        if not 0 <= number < len(self._lines):
            return []
        line = self._lines[number]
        window = line.table[release.value]
        cycles = line.lead + window.delay + window.length + line.latency + 1
        samples = self.seen.heard(number, release.cycle - self._origin, cycles)
        (said,), _ = line.run(samples, [(0, release.value)], now=release.cycle)
        arrivals = [
            Arrival(said.cycle, slot, int(result.bit[0]), int(result.leaked[0]), int(result.soft[0]))
            for tone, result in said.results.items()
            if (slot := number * self.shape.tones + tone) in group.slots
        ]
        self._arrivals += arrivals
        return arrivals
