# SPDX-License-Identifier: BSD-2-Clause
"""Host side of a window's input: which detector of a shot is which bit of which round's word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.window.compile import place_of
from triplane.gateware.decoder.window.plan import WindowPlan


@dataclass(frozen=True)
class StreamMap:
    """Detectors of a shot of any number of layers, in the slots of a plan.

    Attributes:
        num_layers: layers of the shot.
        width: slots of a layer.
        positions: int64 (detectors,), layer * width + slot of each detector.
    """

    num_layers: int
    width: int
    positions: npt.NDArray[np.int64]

    @classmethod
    def build(cls, plan: WindowPlan, graph: DecodingGraph) -> StreamMap:
        """The map for shots of `graph`, which has the ends and the repeating layer that `plan` was compiled for.

        Raises:
            ValueError: the plan has no slot for a detector, or its windows do not fit the number of layers.
        """
        layers = len(graph.layers)
        steps = plan.schedule(layers)
        width = plan.width
        positions = np.full(graph.num_detectors, -1, dtype=np.int64)
        slot = {place: k for k, place in enumerate(plan.places)}
        for number, layer in enumerate(graph.layers):
            for k, detector in enumerate(layer):
                if plan.sliding:
                    found = slot.get(place_of(graph.coordinates[detector]))
                else:
                    found = k if k < len(plan.slots[number]) else None
                if found is None:
                    raise ValueError(
                        f"the window has no slot for detector {detector} of layer {number}; "
                        "compile it from a shot of the same circuit"
                    )
                positions[detector] = number * width + found
        if plan.sliding:
            for number, step in ((0, steps[0]), (layers - 1, steps[-1])):
                absent = {v - (number - step.base) * width for v in plan.absent[step.kind]}
                strange = sorted(absent & {int(positions[d]) - number * width for d in graph.layers[number]})
                if strange:
                    raise ValueError(
                        f"layer {number} of the shot has detectors that the window does not expect there "
                        f"(slots {strange}); compile it from a shot with the same ends"
                    )
        return cls(layers, width, positions)

    def layers(self, events: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Detection events by layer and slot: bool (shots, num_layers, width), from bool (shots, detectors).

        Raises:
            ValueError: the events have another number of columns.
        """
        given = np.asarray(events, dtype=bool)
        if given.ndim != 2 or given.shape[1] != len(self.positions):
            raise ValueError(
                f"detection events have shape {given.shape}, the graph needs (shots, {len(self.positions)}); "
                "use the model that belongs to this data"
            )
        slots = np.zeros((len(given), self.num_layers * self.width), dtype=bool)
        slots[:, self.positions] = given
        return slots.reshape(len(given), self.num_layers, self.width)

    def pack(self, events: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """Words that the decoder takes: uint32 (shots, num_layers, words_per_round), from bool (shots, detectors).

        Bit k % 32 of word k // 32 of a round is slot k. Raises ValueError as `layers` does.
        """
        return pack_layers(self.layers(events))


def pack_layers(slots: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """Words of rounds: uint32 (shots, layers, words_per_round), from bool (shots, layers, slots)."""
    width = slots.shape[2]
    padded = np.zeros((*slots.shape[:2], -(-width // 32) * 32), dtype=bool)
    padded[:, :, :width] = slots
    packed = np.packbits(padded, axis=-1, bitorder="little")
    return packed.view("<u4").astype(np.uint32, copy=False)
