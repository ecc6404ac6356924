# SPDX-License-Identifier: BSD-2-Clause
"""What boards with an RFSoC share: converters at the same rates, one packaged core, one block design.

    board.py       what a board is: part, converters, clocks, the few pins that are no converter's
    target.py      the system on chip as a core with AXI-Lite, AXI-Stream and an interrupt
    converters.py  parameters of AMD's RF Data Converter (PG269) for a board and a fabric
    design.py      the block design as data: cells, nets, interfaces, addresses
    project.py     a Vivado project of it: Tcl, constraints, sources

The rates follow from one clock of 245.76 MHz: an ADC of 1966.08 MSPS decimated by 8 gives a complex sample a clock, a
DAC of 3932.16 MSPS interpolated by 8 takes two. All tiles are synchronised to SYSREF (MTS), since a phase between a
drive and its readout that changes with each power-up could not be calibrated.

No open tool builds for these devices. What is generated here is checked without Vivado: the core is elaborated and
mapped by Yosys, the Tcl is executed with recorders in the place of Vivado's commands, and what it connects is compared
with the pins that there are. None of it was run by Vivado, or on a board.
"""
