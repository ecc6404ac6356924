# SPDX-License-Identifier: BSD-2-Clause
"""Converters, clocks and pins of the ZCU216.

Tiles and their clocks as in the block design that QICK ships for this board (`qick_216.hwh` of qick 0.2.436): the
CLK104 feeds ADC tile 2 and DAC tile 2, from which the others take theirs. Pins of the fabric's clock and SYSREF
as in public constraints of the CLK104's two boards (bank 87, 1.8 V); check them against your board's schematic before
the first bitstream.
"""

from triplane.boards.rfsoc.board import Pair, RfsocBoard

TILES = (0, 2, 1, 3)
"""In the order in which they are used: tile 0 brings SYSREF in, tile 2 the clock."""

BOARD = RfsocBoard(
    name="zcu216",
    part="xczu49dr-ffvf1760-2-e",
    board_part="xilinx.com:zcu216:part0:2.0",
    quad=True,
    dacs=tuple((tile, slot) for slot in range(4) for tile in TILES),
    adcs=tuple((tile, slot) for slot in range(4) for tile in TILES),
    dac_clocks=dict.fromkeys(TILES, 2),
    adc_clocks=dict.fromkeys(TILES, 2),
    reference_hz=245_760_000,
    pl_clock=Pair("B8", "B7", "LVDS_25", terminated=False),
    pl_sysref=Pair("B10", "B9", "LVDS_25", terminated=False),
    clock_chips={"LMK04828": 245.76, "LMX2594": 491.52},
)
