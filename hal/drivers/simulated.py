# SPDX-License-Identifier: BSD-2-Clause
"""Which design the simulated board has for a target, and what a host may know of it without a compiler."""

from __future__ import annotations

from collections.abc import Callable

from triplane.boards import descriptor_path
from triplane.gateware.shape import FabricShape
from triplane.hal.descriptor import Descriptor, load_descriptor
from triplane.hal.errors import BuildError, UnsupportedError
from triplane.hal.gateware import Gateware
from triplane.hal.registers import RegisterMap
from triplane.hal.target import ArrayTarget, TableTarget
from triplane.sim.board import Design, elaborate_board
from triplane.sim.cache import CacheError


def simulated_design(
    target: ArrayTarget | TableTarget, *, fabric: FabricShape | None = None, correction: bool = False
) -> tuple[Design, Descriptor]:
    """The design of the simulated board for a target, and the descriptor of that board.

    Raises:
        UnsupportedError: the board cannot decode this.
    """
    descriptor = load_descriptor(descriptor_path("sim"))
    if correction and not target.num_edges:
        raise UnsupportedError("corrections are asked for, but a lookup table holds none")
    depths = {
        "event_depth": descriptor.control.event_fifo_words,
        "result_depth": descriptor.control.result_fifo_words,
    }
    if isinstance(target, ArrayTarget):
        bits, qec = target.plan.weight_bits, descriptor.qec
        if not qec.min_weight_bits <= bits <= qec.max_weight_bits:
            raise UnsupportedError(
                f"the graph has weights of {bits} bits; the board takes "
                f"{qec.min_weight_bits} to {qec.max_weight_bits}"
            )
        design = Design.for_plan(target.plan, **depths)
    else:
        design = Design.for_table(target.graph, target.shape, **depths)
    if fabric is not None:
        design = design.with_fabric(fabric)
        descriptor = with_fabric(descriptor, fabric)
    return design, descriptor


def served_gateware(
    design: Design, descriptor: Descriptor, progress: Callable[[str], None] | None = None
) -> Gateware:
    """What is in a simulated board of that design which listens on ports."""
    try:
        board = elaborate_board(design.with_links(), progress=progress)
    except CacheError as error:
        raise BuildError(str(error)) from error
    served = descriptor.model_copy(
        update={"features": descriptor.features.model_copy(update={"trace": False})}
    )
    return Gateware(RegisterMap(board.registers), board.build_hash, served)


def with_fabric(descriptor: Descriptor, shape: FabricShape) -> Descriptor:
    """The descriptor of a board that has a control fabric as well."""
    features = descriptor.features.model_copy(
        update={"sequencer": True, "readout": True, "pauli_frame": bool(shape.frame_qubits)}
    )
    control = descriptor.control.model_copy(
        update={"dac_channels": shape.drives + shape.lines, "adc_channels": shape.lines}
    )
    return descriptor.model_copy(update={"features": features, "control": control})
