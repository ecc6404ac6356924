# SPDX-License-Identifier: BSD-2-Clause
"""Layouts of the decoder's streams and records, declared once.

The gateware lays words out from these declarations, the host reads them back through `Record.dtype`, and the
documentation prints `Record.table()`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNMATCHED = 1 << 0
"""Flag: detection events are left that neither a partner nor a boundary explains."""

UNTRUSTED = 1 << 1
"""Flag: no table that passed its check is in use, and the record predicts nothing."""

LAST = 1 << 2
"""Flag: last window of its shot; `frame` holds all flips of the shot."""

LATE = 1 << 3
"""Flag: the deadline stopped a pass of this window, or kept one from starting."""

HARD = 1 << 4
"""Flag: `hardness` is above the programmed threshold."""

FLAGS = {"unmatched": UNMATCHED, "untrusted": UNTRUSTED, "last": LAST, "late": LATE, "hard": HARD}

CONFIDENCE_OFFSET = 8
"""Lowest bit of the flags' confidence; 8 bits, 0 where the decoder gives none."""


@dataclass(frozen=True)
class Field:
    """One field of a record: name, width in bits (8, 16 or 32), and what it means."""

    name: str
    bits: int
    meaning: str


@dataclass(frozen=True)
class Record:
    """A record of 32-bit words, fields packed from the least significant bit of the first word."""

    name: str
    fields: tuple[Field, ...]

    @property
    def words(self) -> int:
        """Number of 32-bit words."""
        return sum(f.bits for f in self.fields) // 32

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Structured dtype of the record in memory, little-endian."""
        return np.dtype([(f.name, f"<u{f.bits // 8}") for f in self.fields])

    def parse(self, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.void]:
        """Reads records from words: uint32 (records, >= words) to a structured array (records,)."""
        head = np.ascontiguousarray(words[:, : self.words], dtype="<u4")
        return head.view(self.dtype).reshape(len(words))

    def table(self) -> str:
        """The layout as a Markdown table."""
        lines = ["| word | bits | field | meaning |", "|---|---|---|---|"]
        position = 0
        for f in self.fields:
            low = position % 32
            lines.append(f"| {position // 32} | {low + f.bits - 1}..{low} | `{f.name}` | {f.meaning} |")
            position += f.bits
        return "\n".join(lines)


RESULT = Record(
    "result",
    (
        Field("sequence", 32, "number of the window, from 0 since the decoder was last restarted"),
        Field(
            "timestamp_lo",
            32,
            "cycle counter, low half, when the last round of the window entered the decoder",
        ),
        Field("timestamp_hi", 32, "cycle counter, high half"),
        Field("decode_cycles", 16, "cycles from the last round being taken to the frame valid"),
        Field(
            "flags",
            16,
            "bit 0: unmatched, detection events are left that nothing explains; bit 1: untrusted, no table that "
            "passed its check is in use; bit 2: last window of its shot; bit 3: late, the deadline cut a pass "
            "short; bit 4: hard, hardness above the threshold; bits 15..8: confidence that a lookup table gives",
        ),
        Field("observables", 32, "flips that this window settled, bit k = observable k"),
        Field("frame", 32, "flips of the shot so far, this window included"),
        Field("grow_steps", 16, "growth steps of all arrays in all passes"),
        Field("merge_steps", 16, "merges through the arbiters of all arrays in all passes"),
        Field(
            "hardness",
            16,
            "growth steps of the last pass, 32767 at most; bit 15: that pass changed the observables",
        ),
        Field(
            "waited", 16, "cycles from the last round entering the queue until it was taken, 65535 at most"
        ),
        Field("rounds", 32, "rounds of the shot that are settled, this window included"),
        Field("tables", 32, "CRC-32 of the weights, or of the lookup table, that were in use; 0 for none"),
    ),
)

RESULT_WORDS = RESULT.words


def correction_words(num_edges: int) -> int:
    """Words that follow a result where corrections are asked for: bit k % 32 of word k // 32 is edge k."""
    return -(-num_edges // 32)
