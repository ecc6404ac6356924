# SPDX-License-Identifier: BSD-2-Clause
"""What a board's gateware was built to decode: which rounds it takes, and which tables fit it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Protocol

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.table import TableShape
from triplane.gateware.decoder.window import NOWHERE, WindowPlan
from triplane.hal.errors import ProgramError


class Target(Protocol):
    """What gateware decodes."""

    @property
    def structure_hash(self) -> str:
        """SHA-256 (hex) of everything that shapes the gateware."""

    @property
    def words_per_round(self) -> int:
        """32-bit words of a round."""

    @property
    def table_words(self) -> int:
        """Words of its table."""

    @property
    def num_edges(self) -> int:
        """Bits of a correction; 0 where the decoder makes none."""

    @property
    def num_observables(self) -> int:
        """Bits of a frame."""

    @property
    def max_passes(self) -> int:
        """Correlated passes that it can be asked for."""

    def records_per_shot(self, layers: int) -> int:
        """Records of a shot of so many layers; raises ProgramError where it cannot be decoded."""

    def slots(self, layer: int) -> frozenset[int]:
        """Bits of a round's words that hold detection events, for a layer of a shot."""


@dataclass(frozen=True)
class ArrayTarget:
    """Union-find arrays that decode windows of a plan."""

    plan: WindowPlan

    @property
    def structure_hash(self) -> str:
        """SHA-256 (hex) of everything that shapes the gateware."""
        return self.plan.structure_hash

    @property
    def words_per_round(self) -> int:
        """32-bit words of a round."""
        return self.plan.words_per_round

    @property
    def table_words(self) -> int:
        """Words of the table: the first growth, and one per weight class."""
        return 1 + self.plan.num_classes

    @property
    def num_edges(self) -> int:
        """Edges of a window."""
        return len(self.plan.edges)

    @property
    def num_observables(self) -> int:
        """Observables of the plan."""
        return self.plan.num_observables

    @property
    def max_passes(self) -> int:
        """3, or 1 where the plan has no alternative weights."""
        return 3 if self.plan.levels else 1

    def records_per_shot(self, layers: int) -> int:
        """Windows of a shot of so many layers."""
        try:
            return len(self.plan.schedule(layers))
        except ValueError as error:
            raise ProgramError(str(error)) from error

    def slots(self, layer: int) -> frozenset[int]:
        """Slots of the plan's layer; all layers of a sliding window have the same."""
        vertices = self.plan.slots[0 if self.plan.sliding else layer]
        return frozenset(k for k, vertex in enumerate(vertices) if vertex != NOWHERE)


@dataclass(frozen=True)
class TableTarget:
    """A lookup table for shots of a graph."""

    graph: DecodingGraph
    shape: TableShape

    @property
    def structure_hash(self) -> str:
        """SHA-256 (hex) of the graph's rounds and of the shape."""
        content = [self.graph.layers, repr(self.shape)]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

    @property
    def words_per_round(self) -> int:
        """32-bit words of a round."""
        return self.graph.words_per_round

    @property
    def table_words(self) -> int:
        """Words of the table."""
        return self.shape.words

    @property
    def num_edges(self) -> int:
        """0: a table holds no correction."""
        return 0

    @property
    def num_observables(self) -> int:
        """Observables of the graph."""
        return self.graph.num_observables

    @property
    def max_passes(self) -> int:
        """1: an entry is read once."""
        return 1

    def records_per_shot(self, layers: int) -> int:
        """1: a shot is one window."""
        if layers != len(self.graph.layers):
            raise ProgramError(f"this table decodes shots of {len(self.graph.layers)} layers, not {layers}")
        return 1

    def slots(self, layer: int) -> frozenset[int]:
        """Detectors of the layer."""
        return frozenset(range(len(self.graph.layers[layer])))
