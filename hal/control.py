# SPDX-License-Identifier: BSD-2-Clause
"""Contract B to C: all that a control board is loaded with, checked against what was built before anything is written.

A `ControlProgram` holds numbers as the gateware takes them, not physics: whoever calibrates makes it. The decoder's
table is a part of its own (`DecoderProgram`), since it is loaded for replayed rounds as well.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.decoder.table import table_crc
from triplane.gateware.dsp.layouts import NUM_TONES, PULSE, TONES, EntryField, pack_entry
from triplane.gateware.readout.layouts import Discriminant, Window
from triplane.gateware.readout.writes import (
    discriminant_writes,
    frequency_writes,
    weight_writes,
    window_writes,
)
from triplane.gateware.sequencer.opcodes import NUM_REGISTERS, WORD_BITS
from triplane.gateware.sequencer.program import Program, bank_crcs, banks, masks
from triplane.gateware.shape import FabricShape
from triplane.hal.errors import ProgramError
from triplane.hal.html import pairs, titled
from triplane.hal.registers import WORD_MAX

Write = tuple[str, Sequence[int]]
"""Register, and the words that are written to it one after the other."""

Samples = npt.NDArray[np.int16]

Rows = npt.NDArray[np.uint32]
"""Of a table, shape (rows, banks), least significant bank first."""

Tables = Mapping[str, Rows]
"""Of the sequencer: "program", "dispatcher_groups", "dispatcher_arms"."""

AMPLITUDE_MAX = 2**16 - 1

SHOWN_OUTCOMES = 8
"""Words of an execution that a notebook shows."""


def silence() -> Samples:
    """An empty envelope memory."""
    return np.zeros((0, 2), dtype=np.int16)


@dataclass(frozen=True)
class Pulses:
    """What a drive channel plays.

    Attributes:
        entries: of its pulse table, fields by name (`gateware.dsp.layouts.PULSE`).
        envelope: int16 (samples, 2), i and q, an even number of samples: two make a clock.
    """

    entries: tuple[Mapping[str, int], ...] = ()
    envelope: Samples = field(default_factory=silence)


@dataclass(frozen=True)
class Tones:
    """What a readout line plays.

    Attributes:
        entries: of its pulse table (`gateware.dsp.layouts.TONES`).
        envelope: as of `Pulses`.
        amplitudes: of the tones, 2**15 = 1.
    """

    entries: tuple[Mapping[str, int], ...] = ()
    envelope: Samples = field(default_factory=silence)
    amplitudes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Demodulation:
    """How a readout line makes bits of samples; tone k of each.

    Attributes:
        frequencies: words, turns per ADC sample * 2**32.
        weights: int16 (tones, samples, 2), real and imaginary parts.
        discriminants: of the tones.
        windows: entries of the window table.
    """

    frequencies: tuple[int, ...] = ()
    weights: Samples = field(default_factory=lambda: np.zeros((0, 0, 2), dtype=np.int16))
    discriminants: tuple[Discriminant, ...] = ()
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class ControlProgram:
    """What a control board is loaded with.

    Attributes:
        sequence: of the sequencer.
        drives: of the drive channels, from channel 0 on; those that are left out stay as they are.
        tones, demodulation: of the readout lines, from line 0 on.
        syndrome: words of the syndrome table, uint32; None where no rounds are formed.
        watchdog_cycles: that the program may take; 0 for no limit.
        rounds: of a shot, where its rounds go to a decoder in sliding windows; 0: as the decoder has it.
        epoch_register: of the sequencer, which is given the cycle in which the program's time begins; the phases of all
            readout lines are 0 in it. None: the program does not ask.
    """

    sequence: Program
    drives: tuple[Pulses, ...] = ()
    tones: tuple[Tones, ...] = ()
    demodulation: tuple[Demodulation, ...] = ()
    syndrome: npt.NDArray[np.uint32] | None = None
    watchdog_cycles: int = 0
    rounds: int = 0
    epoch_register: int | None = None

    def check(self, shape: FabricShape) -> None:
        """Raise ProgramError, naming resource, need and limit, unless this fits a fabric of that shape."""
        sequence = self.sequence
        _fits("program words", len(sequence.words), shape.program_words)
        _fits("groups", len(sequence.groups), shape.groups)
        _fits("channels", sequence.num_channels, shape.channels)
        _fits("measurement slots", sequence.num_slots, shape.slots)
        _fits("drive channels", len(self.drives), shape.drives)
        _fits("readout lines", max(len(self.tones), len(self.demodulation)), shape.lines)
        for name in ("watchdog_cycles", "rounds"):
            if not 0 <= getattr(self, name) <= WORD_MAX:
                raise ProgramError(f"{name} is 0 to {WORD_MAX}, not {getattr(self, name)}")
        if self.epoch_register is not None and not 1 <= self.epoch_register < NUM_REGISTERS:
            raise ProgramError(f"epoch_register is 1 to {NUM_REGISTERS - 1}, not {self.epoch_register}")
        for number, drive in enumerate(self.drives):
            _check_player(f"drive {number}", drive.entries, drive.envelope, PULSE, shape)
        for number, tones in enumerate(self.tones):
            name = f"readout line {number}"
            _check_player(name, tones.entries, tones.envelope, TONES, shape)
            _fits(f"amplitudes of {name}", len(tones.amplitudes), NUM_TONES)
            for value in tones.amplitudes:
                if not 0 <= value <= AMPLITUDE_MAX:
                    raise ProgramError(f"an amplitude of {name} is 0 to {AMPLITUDE_MAX}, not {value}")
        for number, line in enumerate(self.demodulation):
            _check_line(f"readout line {number}", line, shape)
        if self.syndrome is not None and self.syndrome.shape != (shape.syndrome.words,):
            raise ProgramError(
                f"the syndrome table has shape {self.syndrome.shape}, the board takes {shape.syndrome.words} words; "
                "make it with SyndromeTable.words(shape.syndrome)"
            )

    def tables(self, shape: FabricShape) -> Tables:
        """Contents of the sequencer's tables, to their last row; `check` must have passed."""
        sequence = self.sequence
        words = [int(word) for word in sequence.words]
        channels = masks(group.channels for group in sequence.groups)
        slots = masks(group.slots for group in sequence.groups)
        return {
            "program": banks(words, shape.program_words, WORD_BITS),
            "dispatcher_groups": banks(channels, shape.groups, shape.channels),
            "dispatcher_arms": banks(slots, shape.groups, shape.slots),
        }

    def writes(self, shape: FabricShape, held: Tables | None = None) -> Iterator[Write]:
        """All that is written to load this, in order; `check` must have passed.

        Args:
            shape: of the board's fabric.
            held: tables that the board should have, of which only rows that differ are written. The board trusts a
                table only when it has read all of it back, so one that it does not have as told is found.
        """
        for name, rows in self.tables(shape).items():
            yield from _table(f"sequencer_{name}", rows, (held or {}).get(name))
        yield "sequencer_control_watchdog", [self.watchdog_cycles]
        for number, drive in enumerate(self.drives):
            yield from _player(f"drive{number}", drive.entries, drive.envelope, PULSE)
        for number, tones in enumerate(self.tones):
            yield from _player(f"tones{number}", tones.entries, tones.envelope, TONES)
            if tones.amplitudes:
                yield f"tones{number}_amplitude_tone", [0]
                yield f"tones{number}_amplitude_data", tones.amplitudes
        for number, line in enumerate(self.demodulation):
            # Words of one register that follow one another make one burst.
            for name, values in itertools.groupby(_line(line), key=itemgetter(0)):
                yield f"line{number}_{name}", [value for _, value in values]
        if self.syndrome is not None:
            yield "formation_table_index", [0]
            yield "formation_table_data", [int(word) for word in self.syndrome]
            yield "formation_table_crc", [table_crc(self.syndrome)]


def _fits(what: str, need: int, limit: int) -> None:
    if need > limit:
        raise ProgramError(f"the program needs {need} {what}, the board has {limit}")


def _check_player(
    name: str,
    entries: Sequence[Mapping[str, int]],
    envelope: Samples,
    fields: Sequence[EntryField],
    shape: FabricShape,
) -> None:
    if envelope.dtype != np.int16 or envelope.ndim != 2 or envelope.shape[1] != 2 or len(envelope) % 2:
        raise ProgramError(
            f"the envelope of {name} must be int16 (samples, 2) of an even number of samples, not "
            f"{envelope.dtype} {envelope.shape}"
        )
    clocks = len(envelope) // 2
    _fits(f"pulse table entries of {name}", len(entries), shape.pulse_entries)
    _fits(f"envelope clocks of {name}", clocks, shape.envelope_clocks)
    for number, entry in enumerate(entries):
        try:
            pack_entry(fields, entry)
        except ValueError as error:
            raise ProgramError(f"entry {number} of {name}: {error}") from error
        if entry["length"] and entry["start"] + entry["length"] > clocks:
            raise ProgramError(
                f"entry {number} of {name} plays clocks {entry['start']} to "
                f"{entry['start'] + entry['length'] - 1}; its envelope has {clocks}"
            )


def _check_line(name: str, line: Demodulation, shape: FabricShape) -> None:
    weights = line.weights
    if weights.dtype != np.int16 or weights.ndim != 3 or weights.shape[2] != 2:
        raise ProgramError(
            f"the weights of {name} must be int16 (tones, samples, 2), not {weights.dtype} {weights.shape}"
        )
    for what, count in (
        ("frequencies", len(line.frequencies)), ("weights", len(weights)),
        ("discriminants", len(line.discriminants)),
    ):  # fmt: skip
        _fits(f"tones with {what} on {name}", count, shape.tones)
    _fits(f"samples of weights on {name}", weights.shape[1], shape.window_samples)
    _fits(f"windows of {name}", len(line.windows), shape.windows)
    for number, window in enumerate(line.windows):
        _fits(
            f"samples for window {number} of {name}",
            window.first_weight + window.length,
            shape.window_samples,
        )
        _fits(f"tones for window {number} of {name}", window.tones.bit_length(), shape.tones)


def _table(name: str, rows: Rows, held: Rows | None) -> Iterator[Write]:
    first, end = 0, len(rows)
    if held is not None:
        # At least one row: it takes the trust away, which the check then gives anew.
        changed = np.flatnonzero((rows != held).any(axis=1))
        first, end = (int(changed[0]), int(changed[-1]) + 1) if len(changed) else (0, 1)
    yield f"{name}_index", [first]
    yield f"{name}_data", rows[first:end].reshape(-1).tolist()
    yield f"{name}_crc", bank_crcs(rows)


def _player(
    name: str, entries: Sequence[Mapping[str, int]], envelope: Samples, fields: Sequence[EntryField]
) -> Iterator[Write]:
    if entries:
        yield f"{name}_pulses_table_index", [0]
        yield f"{name}_pulses_table_data", [word for entry in entries for word in pack_entry(fields, entry)]
    if len(envelope):
        yield f"{name}_pulses_envelope_index", [0]
        yield (
            f"{name}_pulses_envelope_data",
            np.ascontiguousarray(envelope, dtype="<i2").view("<u4").ravel().tolist(),
        )


def _line(line: Demodulation) -> Iterator[tuple[str, int]]:
    for tone, frequency in enumerate(line.frequencies):
        yield from frequency_writes(tone, frequency)
    for tone, weights in enumerate(line.weights):
        yield from weight_writes(tone, weights.tolist())
    for tone, discriminant in enumerate(line.discriminants):
        yield from discriminant_writes(tone, discriminant)
    for number, window in enumerate(line.windows):
        yield from window_writes(number, window)


@dataclass(frozen=True)
class Execution:
    """How a program ended.

    Attributes:
        exit_code: that it halted with.
        cycles: from its start until its last event had been played, to within what the host waits at a time.
        instructions: executed.
        events: of these, event instructions.
        waited_cycles: in waits for results and for the frame.
        strays: cycles with results that nothing had armed.
        results: structured (windows,) of `layouts.RESULT`, what the decoder said; empty unless records were asked for.
        rounds: structured (rounds,) of the fabric's `round_record`, what was measured; likewise.
        outcomes: uint32 (words,), what the program gave out with `emit`; likewise, unless they went elsewhere.
    """

    exit_code: int
    cycles: int
    instructions: int
    events: int
    waited_cycles: int
    strays: int
    results: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, dtype=RESULT.dtype))
    rounds: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, dtype=np.dtype([])))
    outcomes: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))

    def _repr_html_(self) -> str:
        counted = {
            "cycles": f"{self.cycles:,}",
            "instructions, events": f"{self.instructions:,}, {self.events:,}",
            "cycles in waits": f"{self.waited_cycles:,}",
            "results that nothing had asked for": f"{self.strays:,}",
        }
        for name in ("results", "rounds", "outcomes"):
            if len(values := getattr(self, name)):
                counted[name] = f"{len(values):,}"
        if len(self.outcomes):
            more = ", ..." if len(self.outcomes) > SHOWN_OUTCOMES else ""
            counted["first outcomes"] = (
                ", ".join(f"{word:#x}" for word in self.outcomes[:SHOWN_OUTCOMES]) + more
            )
        return titled(f"halted with {self.exit_code:#x}", pairs(counted))
