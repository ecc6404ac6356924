# SPDX-License-Identifier: BSD-2-Clause
"""The tables of a decoder, as a board takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.table import table_crc
from triplane.gateware.decoder.window import WindowPlan, whole_window
from triplane.gateware.decoder.window.plan import FIELD_BITS, table_hash
from triplane.hal.errors import ProgramError
from triplane.hal.target import ArrayTarget, TableTarget, Target


@dataclass(frozen=True)
class DecoderProgram:
    """What is loaded into a decoder between runs.

    Attributes:
        words: uint32 (words,), the table: weights as `WindowPlan.table` lays them out, or entries of a lookup table.
        structure_hash: SHA-256 (hex) of the structure that these words belong to.
        passes: correlated passes for each window, 1 to 3; the third only where the second changed the observables.
        correction: append the physical correction to every record.
    """

    words: npt.NDArray[np.uint32]
    structure_hash: str
    passes: int = 1
    correction: bool = False

    @classmethod
    def from_plan(cls, plan: WindowPlan, *, passes: int = 1, correction: bool = False) -> Self:
        """The program of a window."""
        return cls(plan.table, plan.structure_hash, passes, correction)

    @classmethod
    def from_graph(cls, graph: DecodingGraph, *, passes: int = 1, correction: bool = False) -> Self:
        """The program of a window that holds a whole shot of a decoding graph."""
        return cls.from_plan(whole_window(graph), passes=passes, correction=correction)

    @classmethod
    def from_table(cls, target: TableTarget, words: npt.NDArray[np.uint32]) -> Self:
        """The program of a lookup table."""
        return cls(words, target.structure_hash)

    @property
    def table_crc(self) -> int:
        """CRC-32 of the words: every record that they decode carries it."""
        return table_crc(self.words)

    @property
    def table_hash(self) -> str:
        """SHA-256 (hex) of these very words; the plan's own where they are unchanged."""
        return table_hash(self.structure_hash, np.asarray(self.words))

    def check(self, target: Target) -> None:
        """Raise ProgramError, naming resource, need and limit, unless this fits gateware built for `target`."""
        if self.structure_hash != target.structure_hash:
            raise ProgramError(
                f"the program is for structure {self.structure_hash[:12]}, the board decodes "
                f"{target.structure_hash[:12]}; connect with the graph or plan that the program was made from"
            )
        words = np.asarray(self.words)
        if words.shape != (target.table_words,):
            raise ProgramError(
                f"the table has shape {words.shape}, the board takes {target.table_words} words"
            )
        if words.dtype != np.uint32:
            raise ProgramError(f"words of the table must be uint32, not {words.dtype}")
        if not 1 <= self.passes <= target.max_passes:
            raise ProgramError(f"passes is {self.passes}; this board takes 1 to {target.max_passes}")
        if self.correction and not target.num_edges:
            raise ProgramError("corrections are asked for, but a lookup table holds none")
        if isinstance(target, ArrayTarget):
            _check_weights(words, target.plan)


def _check_weights(words: npt.NDArray[np.uint32], plan: WindowPlan) -> None:
    shifts = np.arange(1 + plan.levels, dtype=np.uint32) * np.uint32(FIELD_BITS)
    weights = words[1:, None] >> shifts & np.uint32(2**FIELD_BITS - 1)
    limit = 2**plan.weight_bits - 1
    for number, level in np.argwhere((weights < 1) | (weights > limit))[:1]:
        name = f"alternative {level} of class {number}" if level else f"weight of class {number}"
        raise ProgramError(
            f"{name} is {weights[number, level]}; a register of {plan.weight_bits} bits takes 1 to {limit}"
        )
    least = int(weights[:, 0].min())
    if not 1 <= words[0] <= least:
        raise ProgramError(f"first_growth is {words[0]}; it must be 1 to {least}, the smallest weight")
