# SPDX-License-Identifier: BSD-2-Clause
"""Converters, clocks and pins of the ZCU111.

Tiles as in the block design that QICK ships for this board (`qick_111.hwh` of qick 0.2.436): in this generation every
tile has a clock input of its own. Pins of the fabric's clock and SYSREF by the nets of UG1271, figure 3-18.
The LMX2594 must be programmed for 245.76 MHz, for which TICS Pro writes the register file that `xrfclk` reads.
"""

from triplane.boards.rfsoc.board import Pair, RfsocBoard

BOARD = RfsocBoard(
    name="zcu111",
    part="xczu28dr-ffvg1517-2-e",
    board_part="xilinx.com:zcu111:part0:1.4",
    quad=False,
    dacs=tuple((tile, slot) for slot in range(4) for tile in range(2)),
    adcs=tuple((tile, slot) for slot in (0, 2) for tile in range(4)),
    dac_clocks={tile: tile for tile in range(2)},
    adc_clocks={tile: tile for tile in range(4)},
    reference_hz=245_760_000,
    pl_clock=Pair("AL16", "AL15", "LVDS", terminated=True),
    pl_sysref=Pair("AK17", "AK16", "LVDS", terminated=True),
    clock_chips={"LMK04208": 122.88, "LMX2594": 245.76},
)
