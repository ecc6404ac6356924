# SPDX-License-Identifier: BSD-2-Clause
"""Converters, clocks and pins of the RFSoC 4x2.

Tiles and references as in the block design that QICK ships for this board (`qick_4x2.hwh` of qick 0.2.436) and in AMD's
design for multi-tile synchronisation (Xilinx/RFSoC-MTS, boards/RFSoC4x2), from which the pins of the fabric's clock and
SYSREF are, too.
"""

from triplane.boards.rfsoc.board import Pair, RfsocBoard

BOARD = RfsocBoard(
    name="rfsoc4x2",
    part="xczu48dr-ffvg1517-2-e",
    board_part="realdigital.org:rfsoc4x2:part0:1.0",
    quad=False,
    dacs=((0, 0), (2, 0)),
    adcs=((0, 0), (2, 0), (0, 2), (2, 2)),
    dac_clocks={0: 2, 2: 2},
    adc_clocks={0: 2, 2: 2},
    reference_hz=491_520_000,
    pl_clock=Pair("AN11", "AP11", "LVDS", terminated=True),
    pl_sysref=Pair("AP18", "AR18", "LVDS", terminated=True),
    clock_chips={"LMK04828": 245.76, "LMX2594": 491.52},
)
