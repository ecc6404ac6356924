# SPDX-License-Identifier: BSD-2-Clause
"""The tables of a decoder, as a board takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.graph import DecodingGraph, table_hash
from triplane.hal.errors import ProgramError


@dataclass(frozen=True)
class DecoderProgram:
    """What is loaded into a decoder between runs.

    Attributes:
        weights: uint (num_classes,), contents of the weight registers, each at least 1.
        first_growth: growth that is safe before anything is looked at: 1 up to the smallest weight.
        correction: append the physical correction to every record.
        structure_hash: SHA-256 (hex) of the structure of the graph that these tables belong to.
    """

    weights: npt.NDArray[np.uint16]
    first_growth: int
    correction: bool
    structure_hash: str

    @classmethod
    def from_graph(cls, graph: DecodingGraph, *, correction: bool = False) -> Self:
        """The program of a decoding graph."""
        return cls(graph.weights, graph.first_growth, correction, graph.structure_hash)

    @property
    def table_hash(self) -> str:
        """SHA-256 (hex) of these very tables; the graph's own where they are unchanged."""
        return table_hash(self.structure_hash, np.asarray(self.weights), int(self.first_growth))

    def check(self, graph: DecodingGraph) -> None:
        """Raise ProgramError, naming resource, need and limit, unless this fits gateware built for `graph`."""
        if self.structure_hash != graph.structure_hash:
            raise ProgramError(
                f"the program is for graph structure {self.structure_hash[:12]}, the board decodes "
                f"{graph.structure_hash[:12]}; connect with the graph that the program was made from"
            )
        weights = np.asarray(self.weights)
        if weights.shape != (graph.num_classes,):
            raise ProgramError(
                f"weights have shape {weights.shape}, the board has {graph.num_classes} weight registers"
            )
        if weights.dtype.kind not in "ui":
            raise ProgramError(f"weights must be whole numbers, not {weights.dtype}")
        limit = 2**graph.weight_bits - 1
        wrong = np.flatnonzero((weights < 1) | (weights > limit))
        if wrong.size:
            raise ProgramError(
                f"weight {wrong[0]} is {weights[wrong[0]]}; a register of {graph.weight_bits} bits takes 1 to {limit}"
            )
        if not 1 <= self.first_growth <= int(weights.min()):
            raise ProgramError(
                f"first_growth is {self.first_growth}; it must be 1 to {weights.min()}, the smallest weight"
            )
