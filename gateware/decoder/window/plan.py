# SPDX-License-Identifier: BSD-2-Clause
"""What a decoding window is made of, worked out before any hardware is described.

Hardware, golden model and host read vertices, edges, weight classes and correlations of a window from one
`WindowPlan`, and which windows a shot is decoded in from `WindowPlan.schedule`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.table import table_crc

NOWHERE = -1
"""No vertex, no weight class."""

FIELD_BITS = 8
"""Width of a weight in a word of the table."""

LEVELS = 3
"""Alternative weights that a word of the table holds beside the base weight."""

WHOLE, FIRST, MIDDLE, LAST = "whole", "first", "middle", "last"


def default_window(distance: int) -> tuple[int, int]:
    """W and C, in layers, of a sliding window for a code of that distance (`triplane bench windows` measures it).

    Raises:
        ValueError: `distance` is not odd, or below 3.
    """
    if distance < 3 or distance % 2 == 0:
        raise ValueError(f"distance must be odd and at least 3, not {distance}")
    half = (distance + 1) // 2
    return distance + half, half


@dataclass(frozen=True)
class WindowEdge:
    """One edge of a window.

    Attributes:
        u: window vertex.
        v: window vertex above `u`, or `BOUNDARY`: the code's boundary, or the open future where `outside` says so.
        observables: bit k is set when the edge crosses logical observable k.
        outside: slot of a layer after the window whose event the edge toggles, as a vertex number beyond the
            window's: `num_vertices` + slot in the first of these layers, a width more in the second; `NOWHERE` for an
            edge that does not leave the window.
        classes: kind -> weight class, `NOWHERE` where windows of that kind lack the edge.
        layer: oldest layer that it touches.
    """

    u: int
    v: int
    observables: int
    outside: int
    classes: tuple[int, ...]
    layer: int


@dataclass(frozen=True)
class WindowStep:
    """One window of a shot.

    Attributes:
        base: layer of the shot that is the window's layer 0.
        kind: index in `WindowPlan.kinds`.
        commit: layers that are settled with it and leave the window.
        settled: layers of it that were settled before: their edges are dead.
    """

    base: int
    kind: int
    commit: int
    settled: int = 0


@dataclass(frozen=True)
class WindowPlan:
    """A window, ready to be built into gateware.

    Attributes:
        num_layers: layers that it holds, W.
        commit: layers that leave it at a time, C; W for a window of a whole shot.
        kinds: ("whole",), or ("first", "middle", "last"): which ends of the shot lie in it.
        slots: layer -> slot -> vertex; bit k of a round's words is slot k. `NOWHERE` where the layer never has it.
        places: slot -> spatial coordinates, by which other graphs find it; empty for a window of a whole shot.
        edges: sorted by (u, v, outside, observables).
        components: vertices of each array, ascending: what edges inside the window connect in any kind.
        weight_bits: width of a weight, at most 8 where tables are to be loaded.
        levels: alternative weights per class, 3 where tables are to be loaded; 0: one pass only.
        weights: uint16 (classes, 1 + levels): base weight, then the alternatives, ascending as compiled.
        reliefs: edge -> (partner, level) pairs: when `partner` is in the correction, the edge takes the alternative
            of that level, the lowest level counting.
        num_observables: number of logical observables.
        units_per_nat: quantisation scale.
    """

    num_layers: int
    commit: int
    kinds: tuple[str, ...]
    slots: tuple[tuple[int, ...], ...]
    places: tuple[tuple[float, ...], ...]
    edges: tuple[WindowEdge, ...]
    components: tuple[tuple[int, ...], ...]
    weight_bits: int
    levels: int
    weights: npt.NDArray[np.uint16] = field(repr=False)
    reliefs: tuple[tuple[tuple[int, int], ...], ...] = field(repr=False)
    num_observables: int
    units_per_nat: float

    @property
    def num_vertices(self) -> int:
        """Vertices inside the window."""
        return sum(vertex != NOWHERE for layer in self.slots for vertex in layer)

    @property
    def num_classes(self) -> int:
        """Number of weight classes."""
        return len(self.weights)

    @property
    def width(self) -> int:
        """Slots of the widest layer."""
        return max(len(layer) for layer in self.slots)

    @property
    def words_per_round(self) -> int:
        """32-bit words that carry one round's detection events."""
        return -(-self.width // 32)

    @property
    def first_growth(self) -> int:
        """Half-units of growth that are safe before anything is looked at: the smallest base weight."""
        return int(self.weights[:, 0].min()) if self.num_classes else 1

    @property
    def sliding(self) -> bool:
        """Whether a shot takes several windows."""
        return self.kinds != (WHOLE,)

    @cached_property
    def reach(self) -> int:
        """Layers after the window that its edges lead to."""
        outside = [e.outside - self.num_vertices for e in self.edges if e.outside != NOWHERE]
        return max(outside) // self.width + 1 if outside else 0

    @cached_property
    def layer_of(self) -> tuple[int, ...]:
        """Vertex -> layer."""
        layers = {vertex: number for number, slots in enumerate(self.slots) for vertex in slots}
        return tuple(layers[vertex] for vertex in range(self.num_vertices))

    @cached_property
    def absent(self) -> tuple[tuple[int, ...], ...]:
        """Kind -> vertices that have edges in windows of other kinds, but none in this: there is no such detector.

        The window before the last may hand an event on to a slot that the final measurement does not have. What
        ends there ends on the boundary, so the last window takes no events at these vertices.
        """
        wired: list[set[int]] = [set() for _ in self.kinds]
        for edge in self.edges:
            for kind, number in enumerate(edge.classes):
                if number != NOWHERE:
                    wired[kind] |= {edge.u} if edge.v == BOUNDARY else {edge.u, edge.v}
        anywhere = set().union(*wired)
        return tuple(tuple(sorted(anywhere - here)) for here in wired)

    @cached_property
    def older(self) -> tuple[int, ...]:
        """Edge -> its copy one layer older, `NOWHERE` where that has left the window: where edges go as it slides."""
        if not self.sliding:
            return (NOWHERE,) * len(self.edges)
        number = {(e.u, e.v, e.outside, e.observables): k for k, e in enumerate(self.edges)}
        older = []
        for e in self.edges:
            far = e.outside if e.outside != NOWHERE else e.v
            v, outside = BOUNDARY, NOWHERE
            if far != BOUNDARY and far - self.width < self.num_vertices:
                v = far - self.width
            elif far != BOUNDARY:
                outside = far - self.width
            key = (e.u - self.width, v, outside, e.observables)
            older.append(number.get(key, NOWHERE) if e.layer else NOWHERE)
        return tuple(older)

    def base_weights(self, kind: int) -> npt.NDArray[np.uint16]:
        """Base weight of each edge in windows of that kind: uint16 (edges,), 0 where the edge is dead."""
        classes = np.array([e.classes[kind] for e in self.edges], dtype=np.int64)
        return np.where(classes == NOWHERE, np.uint16(0), self.weights[classes, 0])

    @cached_property
    def structure_hash(self) -> str:
        """SHA-256 (hex) of everything that shapes the gateware."""
        return _digest(
            {
                "layers": self.num_layers,
                "commit": self.commit,
                "kinds": self.kinds,
                "slots": self.slots,
                "edges": [(e.u, e.v, e.observables, e.outside, e.classes, e.layer) for e in self.edges],
                "components": self.components,
                "weight_bits": self.weight_bits,
                "levels": self.levels,
                "classes": self.num_classes,
                "reliefs": self.reliefs,
                "observables": self.num_observables,
            }
        )

    @cached_property
    def table(self) -> npt.NDArray[np.uint32]:
        """Words that the loader takes: the first growth, then one per class, base weight in the lowest byte.

        Raises:
            ValueError: weights are too wide for a byte, or there are more alternatives than a word holds.
        """
        if self.weight_bits > FIELD_BITS or self.levels > LEVELS:
            raise ValueError(
                f"a word of the table holds {1 + LEVELS} weights of {FIELD_BITS} bits, "
                f"not {1 + self.levels} of {self.weight_bits}"
            )
        shifts = np.arange(1 + self.levels, dtype=np.uint32) * np.uint32(FIELD_BITS)
        words = np.bitwise_or.reduce(self.weights.astype(np.uint32) << shifts, axis=1)
        return np.concatenate(([np.uint32(self.first_growth)], words)).astype(np.uint32)

    @property
    def table_crc(self) -> int:
        """CRC-32 of `table`, see `table.table_crc`."""
        return table_crc(self.table)

    @cached_property
    def table_hash(self) -> str:
        """SHA-256 (hex) of the table for that gateware."""
        return table_hash(self.structure_hash, self.table)

    def schedule(self, layers: int, *, announced: bool = True) -> tuple[WindowStep, ...]:
        """The windows of a shot.

        Where the number of layers is announced before the first window, that one commits the remainder, and every
        later step is `commit` layers; else the last window overlaps with layers that were settled before.

        Args:
            layers: layers of the shot, N.
            announced: whether N is known when the first window is decoded.

        Raises:
            ValueError: the plan's windows do not fit a shot of so many layers.
        """
        if not self.sliding:
            if layers != self.num_layers:
                raise ValueError(f"this window holds shots of {self.num_layers} layers, not {layers}")
            return (WindowStep(0, 0, layers),)
        final = layers - self.num_layers
        if final < 1:
            raise ValueError(
                f"a shot of {layers} layers does not fill sliding windows of {self.num_layers} layers; "
                f"take at least {self.num_layers + 1} layers or a window of the whole shot"
            )
        steps: list[WindowStep] = []
        settled = 0
        while settled < final:
            count = (final - 1) % self.commit + 1 if announced and not steps else self.commit
            steps.append(WindowStep(settled, 1 if steps else 0, count))
            settled += count
        return (*steps, WindowStep(final, 2, self.num_layers, settled - final))


def table_hash(structure_hash: str, words: npt.NDArray[np.integer]) -> str:
    """SHA-256 (hex) of a table for the gateware of that structure."""
    return _digest({"structure": structure_hash, "table": words.tolist()})


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
