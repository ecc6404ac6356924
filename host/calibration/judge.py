# SPDX-License-Identifier: BSD-2-Clause
"""How well models decode: the same shots, several models, several decoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import stim

from triplane.gateware.decoder.graph import GraphError, compile_graph
from triplane.gateware.decoder.window import StreamMap, WindowPlan, reweighted
from triplane.host.replay.references import Rate, decode_with_pymatching, logical_error_rate
from triplane.host.replay.session import unpack_observables
from triplane.sim.models.decoder.correlated import CorrelatedModel
from triplane.sim.models.decoder.window import WindowModel

DECODERS = {
    "pymatching": "PyMatching",
    "correlated_pymatching": "PyMatching, correlated",
    "one_pass": "union-find, 1 pass",
    "two_passes": "union-find, 2 passes",
    "loaded": "union-find, 2 passes, loaded",
}
"""Decoder -> its name for people. Those of union-find are golden models of the gateware's arrays: built for the model,
but for the last, which is built for the reference and has the model's weights loaded.
"""


@dataclass(frozen=True)
class Judgement:
    """One model on the shots that were not fitted.

    Attributes:
        name: of the model.
        rates: decoder of `DECODERS` -> its logical error rate; without "loaded" where the model does not fit gateware
            that was built for the reference.
    """

    name: str
    rates: dict[str, Rate]

    def as_json(self) -> dict[str, Any]:
        """Rates with intervals by decoder."""
        return {
            decoder: {
                "failures": rate.failures,
                "logical_error_rate": rate.rate,
                "confidence_interval": list(rate.interval),
            }
            for decoder, rate in self.rates.items()
        }


def judge(
    name: str,
    model: stim.DetectorErrorModel,
    events: npt.NDArray[np.bool_],
    observables: npt.NDArray[np.bool_],
    *,
    weight_bits: int,
    window: WindowPlan,
    progress: Callable[[int], None] | None = None,
) -> Judgement:
    """Logical error rates of a model under every decoder.

    Args:
        name: of the model.
        model: what decodes.
        events, observables: bool (shots, detectors) and (shots, observables).
        weight_bits: of the union-find decoders.
        window: of the gateware that the model's weights are loaded into.
        progress: called with the number of shots decoded, of len(DECODERS) times the shots.
    """
    done = progress or (lambda shots: None)
    shots = len(events)
    rates = {}
    for decoder, correlated in (("pymatching", False), ("correlated_pymatching", True)):
        predicted = decode_with_pymatching(model, events, correlated=correlated)
        rates[decoder] = logical_error_rate(predicted, observables)
        done(len(rates) * shots)
    graph = compile_graph(model, weight_bits=weight_bits)
    predictions = dict(
        zip(
            ("one_pass", "two_passes"),
            CorrelatedModel(graph, passes=2).decode(events).observables,
            strict=True,
        )
    )
    try:
        loaded = reweighted(window, graph)
    except GraphError:
        pass  # shown as absent; whoever loads it is told why
    else:
        layers = StreamMap.build(loaded, graph).layers(events)
        predictions["loaded"] = WindowModel(loaded, 2).decode(layers, timing=False).frame
    for decoder, words in predictions.items():
        rates[decoder] = logical_error_rate(unpack_observables(words, observables.shape[1]), observables)
        done(len(rates) * shots)
    return Judgement(name, rates)
