# SPDX-License-Identifier: BSD-2-Clause
"""What every number of correlated passes says of whole shots: the windowed decoder's model, once per number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.correlations import DEFAULT_LEVELS
from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.window import StreamMap, whole_window
from triplane.sim.models.decoder.window import WindowModel


@dataclass(frozen=True)
class PassResult:
    """What each number of passes says of each shot.

    Attributes:
        observables: uint32 (passes, shots), bit k = predicted flip of observable k; row 0 is one pass.
        cycles: uint32 (passes, shots), decode cycles, with peeling and relief between the passes.
    """

    observables: npt.NDArray[np.uint32]
    cycles: npt.NDArray[np.uint32]


class CorrelatedModel:
    """Decodes whole shots in one correlated pass, two, and so on.

    Args:
        graph: the compiled graph, with its correlations.
        passes: largest number of passes, at least 1.
        levels: alternative weights per edge, see `compile_reliefs`.

    Raises:
        ValueError: `passes` is below 1.
    """

    def __init__(self, graph: DecodingGraph, passes: int = 2, levels: int | None = DEFAULT_LEVELS) -> None:
        if passes < 1:
            raise ValueError(f"passes must be at least 1, not {passes}")
        plan = whole_window(graph, levels=levels)
        self.graph = graph
        self.passes = passes
        self._stream = StreamMap.build(plan, graph)
        self._models = [WindowModel(plan, number + 1) for number in range(passes)]

    def decode(self, events: npt.ArrayLike) -> PassResult:
        """Decodes detection events: bool (shots, num_detectors), column k = detector k.

        Raises:
            ValueError: the events have another shape.
        """
        layers = self._stream.layers(events)
        results = [model.decode(layers) for model in self._models]
        return PassResult(
            np.stack([result.frame for result in results]),
            np.stack([result.cycles[:, 0] for result in results]).astype(np.uint32),
        )
