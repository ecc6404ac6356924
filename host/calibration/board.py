# SPDX-License-Identifier: BSD-2-Clause
"""An estimated model into gateware that runs already."""

from __future__ import annotations

import stim

from triplane import hal
from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.host.calibration.estimate import CalibrationError


def weights_for(graph: DecodingGraph, dem: stim.DetectorErrorModel) -> DecodingGraph:
    """A model compiled for the gateware of `graph`: same structure, its own weights.

    Raises:
        GraphError: the model is no matching graph.
        CalibrationError: the model has another structure than the gateware, and why.
    """
    fitted = compile_graph(dem, weight_bits=graph.weight_bits, sharing=graph.sharing)
    if fitted.structure_hash == graph.structure_hash:
        return fitted
    old = {(edge.u, edge.v): edge.observables for edge in graph.edges}
    new = {(edge.u, edge.v): edge.observables for edge in fitted.edges}
    if old.keys() != new.keys():
        reason = f"it has {len(new.keys() - old.keys())} other edges and lacks {len(old.keys() - new.keys())}"
    else:
        crossing = next((edge for edge in old if old[edge] != new[edge]), None)
        reason = (
            f"its likeliest error between detectors {crossing[0]} and {crossing[1]} flips other observables"
            if crossing is not None
            else "its detectors or weight registers are others"
        )
    raise CalibrationError(
        f"the model does not fit the gateware that was built for its reference: {reason}; "
        "replay it by itself, which builds gateware for it"
    )


def load_model(
    board: hal.Board, graph: DecodingGraph, dem: stim.DetectorErrorModel, *, correction: bool = False
) -> str:
    """Load the weights of a model and read back what the board says that it holds.

    Args:
        board: built for `graph`.
        graph: of the gateware.
        dem: the model; its structure must be that of the gateware.
        correction: as the board was connected.

    Returns:
        SHA-256 (hex) of the loaded tables, read from the board.

    Raises:
        CalibrationError: the model has another structure, or the board names other tables than were loaded.
        BoardError: the board does not do what it should.
    """
    program = hal.DecoderProgram.from_graph(weights_for(graph, dem), correction=correction)
    board.load(program)
    held = board.identify().table_hash
    if held != program.table_hash:
        raise CalibrationError(
            f"the board holds tables {held[:12]} after {program.table_hash[:12]} were loaded; reset it and load again"
        )
    return held
