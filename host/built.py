# SPDX-License-Identifier: BSD-2-Clause
"""What a board was built for: all that a host must know to connect to one that somebody else has started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import stim

from triplane import hal
from triplane.gateware.decoder.graph import DecodingGraph, GraphError, compile_graph
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.gateware.decoder.window import WindowPlan, whole_window
from triplane.gateware.shape import FabricShape
from triplane.hal.target import ArrayTarget, TableTarget, Target
from triplane.host.building.bundle import Bundle, load_bundle
from triplane.host.building.connecting import connect_bundle
from triplane.host.building.decoders import fabric_shape
from triplane.host.compiler.memory import MemoryExperiment
from triplane.host.small import CABLED, small_target


class BuiltForError(ValueError):
    """There is no such board; the text says why, and what to do."""


@dataclass(frozen=True)
class BuiltFor:
    """What a board was built for, as `hal.connect` is told.

    Attributes:
        graph, plan: one of them.
        table: beside a graph.
        fabric: None for a board without converters.
        bundle: that is in the board; None for a simulated one.
    """

    graph: DecodingGraph | None = None
    table: TableShape | None = None
    plan: WindowPlan | None = None
    fabric: FabricShape | None = None
    bundle: Bundle | None = None

    @property
    def target(self) -> Target:
        """What its decoder decodes."""
        if self.graph is not None:
            if self.table is not None:
                return TableTarget(self.graph, self.table)
            return ArrayTarget(whole_window(self.graph))
        assert self.plan is not None
        return ArrayTarget(self.plan)

    def connect(
        self, url: str, *, observe: bool = False, progress: Callable[[str], None] | None = None
    ) -> hal.Board:
        """Connect to it; arguments and errors are those of `hal.connect`."""
        if self.bundle is not None:
            return connect_bundle(self.bundle, url, observe=observe)
        return hal.connect(
            url,
            graph=self.graph,
            table=self.table,
            plan=self.plan,
            fabric=self.fabric,
            observe=observe,
            progress=progress,
        )


def decoding_board(
    model: stim.DetectorErrorModel, *, weight_bits: int, decoder: Literal["array", "table"]
) -> BuiltFor:
    """A board that decodes shots of a model.

    Raises:
        BuiltForError: the model cannot become a decoder.
    """
    try:
        graph = compile_graph(model, weight_bits=weight_bits)
        table = TableShape(observed_detectors(graph), graph.num_observables) if decoder == "table" else None
    except (GraphError, ValueError) as error:
        raise BuiltForError(f"no decoder for this model: {error}") from error
    return BuiltFor(graph, table)


def closed_loop_board(distance: int) -> BuiltFor:
    """The board of `triplane demo`.

    Raises:
        BuiltForError: no device has the shape of such a code.
    """
    try:
        experiment = MemoryExperiment.of(distance)
    except ValueError as error:
        raise BuiltForError(f"--distance of --closed-loop: {error}") from error
    return BuiltFor(plan=experiment.plan, fabric=experiment.shape)


def loopback_board() -> BuiltFor:
    """The board of `triplane board --loopback`."""
    target = small_target()
    return BuiltFor(target.graph, target.shape, fabric=CABLED)


def bundled_board(folder: Path) -> BuiltFor:
    """A board that a bundle of `triplane build` was flashed into.

    Raises:
        BundleError: the folder is no bundle, or one of another version.
    """
    bundle = load_bundle(folder)
    plan = bundle.target().plan
    fabric = fabric_shape(bundle.descriptor, bundle.manifest.distance, plan)
    return BuiltFor(plan=plan, fabric=fabric, bundle=bundle)
