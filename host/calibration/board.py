# SPDX-License-Identifier: BSD-2-Clause
"""An estimated model into gateware that runs already."""

from __future__ import annotations

from dataclasses import dataclass

import stim

from triplane import hal
from triplane.gateware.decoder.graph import GraphError, compile_graph
from triplane.gateware.decoder.window import WindowPlan, reweighted
from triplane.host.calibration.estimate import CalibrationError


@dataclass(frozen=True)
class LoadedTable:
    """A table that a board holds.

    Attributes:
        table_hash: SHA-256 (hex) of the table and the structure that it is for.
        table_crc: CRC-32 of its words: `tables` of every record that it decodes.
    """

    table_hash: str
    table_crc: int


def weights_for(plan: WindowPlan, dem: stim.DetectorErrorModel) -> WindowPlan:
    """The window of a plan with the weights and alternatives of a model.

    Raises:
        CalibrationError: the model has another structure than the window, and where.
    """
    try:
        return reweighted(plan, compile_graph(dem, weight_bits=plan.weight_bits))
    except GraphError as error:
        raise CalibrationError(f"the model does not fit the gateware that was built: {error}") from error


def load_model(
    board: hal.Board,
    plan: WindowPlan,
    dem: stim.DetectorErrorModel,
    *,
    passes: int = 1,
    correction: bool = False,
    live: bool = False,
) -> LoadedTable:
    """Load the weights of a model and read back what the board says that it holds.

    Args:
        board: built for `plan`.
        plan: of the gateware, with any weights.
        dem: the model; its edges must be those of the gateware. For a sliding plan, of a shot of W + 4 layers or more.
        passes: correlated passes per window.
        correction: as the board was connected.
        live: while a run goes on, between two of its shots. The board checks the table before it takes it over; which
            records it has decoded they say themselves. `passes` and `correction` must be those of the run.

    Raises:
        CalibrationError: the model has another structure, or the board names another table than was loaded.
        BoardError: the board does not do what it should.
    """
    program = hal.DecoderProgram.from_plan(weights_for(plan, dem), passes=passes, correction=correction)
    if live:
        board.exchange(program)
        crc = program.table_crc
    else:
        board.load(program)
        crc = board.read(board.registers["decoder_table_active"].address)
    held = LoadedTable(board.identify().table_hash, crc)
    if held != LoadedTable(program.table_hash, program.table_crc):
        raise CalibrationError(
            f"the board holds table {held.table_hash[:12]} of CRC {held.table_crc:#010x} after "
            f"{program.table_hash[:12]} of CRC {program.table_crc:#010x} was loaded; reset it and load again"
        )
    return held
