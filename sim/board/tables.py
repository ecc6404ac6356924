# SPDX-License-Identifier: BSD-2-Clause
"""What generators have in their memories, by watching it being written.

What a generator begins is told by the number of an entry, so whoever emulates what is behind the converters needs its
tables. The host that loads them may be in another process, at the other end of a cable; but whatever way it takes, it
writes registers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.layouts import NUM_TONES, PULSE, TONES, EntryField, entry_words, unpack_entry
from triplane.gateware.shape import FabricShape
from triplane.hal.control import Samples

WORD_BYTES = 4
SAMPLES_PER_CLOCK = 2


class PlayerTables:
    """Pulse table, envelope memory and tone amplitudes of a generator, as its `EntryLoader`s fill them.

    Args:
        fields: of an entry.
        entries, clocks: of table and envelope memory.
    """

    def __init__(self, fields: tuple[EntryField, ...], entries: int, clocks: int) -> None:
        self._fields = fields
        self._table = _Loader(entries, entry_words(fields))
        self._envelope = _Loader(clocks, SAMPLES_PER_CLOCK)
        self.amplitudes = [0] * NUM_TONES
        self._tone = 0

    def handlers(self) -> dict[str, Callable[[int], None]]:
        """Register, without the generator's name -> what a word written to it does."""
        return {
            "pulses_table_index": self._table.seek,
            "pulses_table_data": self._table.put,
            "pulses_envelope_index": self._envelope.seek,
            "pulses_envelope_data": self._envelope.put,
            "amplitude_tone": self._seek_tone,
            "amplitude_data": self._put_amplitude,
        }

    def samples(self, number: int) -> Samples:
        """Envelope of an entry, int16 (samples, 2), unscaled."""
        entry = unpack_entry(self._fields, [int(word) for word in self._table.rows[number]])
        clocks = self._envelope.rows[entry["start"] :][: entry["length"]]
        return np.ascontiguousarray(clocks).view("<i2").reshape(-1, 2)

    def _seek_tone(self, tone: int) -> None:
        self._tone = tone % NUM_TONES

    def _put_amplitude(self, word: int) -> None:
        self.amplitudes[self._tone] = word
        self._tone = (self._tone + 1) % NUM_TONES


class _Loader:
    """Mirrors `gateware.dsp.loader.EntryLoader` and the memory behind it; `rows` is uint32 (depth, words)."""

    def __init__(self, depth: int, words: int) -> None:
        self.rows: npt.NDArray[np.uint32] = np.zeros((depth, words), dtype="<u4")
        self._row = 0
        self._entry: list[int] = []

    def seek(self, row: int) -> None:
        self._row, self._entry = row % len(self.rows), []

    def put(self, word: int) -> None:
        self._entry.append(word)
        if len(self._entry) == self.rows.shape[1]:
            self.rows[self._row] = self._entry
            self.seek(self._row + 1)


class GeneratorTables:
    """Tables of all generators of a board.

    Args:
        addresses: register -> its address in bytes.
        shape: of the board's fabric.

    Attributes:
        drives, tones: of the drive channels, and of the readout lines.
        version: counts the words that were taken.
    """

    def __init__(self, addresses: Mapping[str, int], shape: FabricShape) -> None:
        def player(fields: tuple[EntryField, ...]) -> PlayerTables:
            return PlayerTables(fields, shape.pulse_entries, shape.envelope_clocks)

        self.drives = [player(PULSE) for _ in range(shape.drives)]
        self.tones = [player(TONES) for _ in range(shape.lines)]
        self.version = 0
        named = {f"drive{k}": drive for k, drive in enumerate(self.drives)}
        named |= {f"tones{k}": tones for k, tones in enumerate(self.tones)}
        self._handlers = {
            addresses[f"{name}_{register}"]: handler
            for name, generator in named.items()
            for register, handler in generator.handlers().items()
            if f"{name}_{register}" in addresses
        }

    @property
    def addresses(self) -> list[int]:
        """Registers to watch."""
        return list(self._handlers)

    def write(self, address: int, word: int) -> None:
        """A word was written to one of them."""
        self._handlers[address](word)
        self.version += 1
