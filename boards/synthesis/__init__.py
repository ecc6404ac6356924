# SPDX-License-Identifier: BSD-2-Clause
"""What gateware costs on a device, by open tools from PyPI (extra `synth`).

    tools.py      runs a tool of the extra: progress, time-out, cache named by content
    netlist.py    a mapped netlist: primitives counted, longest path in levels of logic
    xilinx.py     Yosys for UltraScale+: area and depth, no placement
    ecp5.py       Yosys and nextpnr for the ECP5: placed, routed, timed
    parts.py      a design taken apart, to be mapped piece by piece, and put together again
    harness.py    tops around cores: an engine, arrays, and shift registers in place of pins

Yosys maps to the primitives of UltraScale+ but no open tool places them, so for that family depth is counted in levels
(LUTs and carry blocks from register to register) and not in nanoseconds: 8 levels are what 245.76 MHz leaves room
for when every net is short, which wide fan-outs are not. Yosys' mapper minimises a modelled delay, in which a LUT with
few inputs is the faster one, so that its levels are an upper bound. On the ECP5 the whole way to a placed and routed
design is open, and its Fmax is real for that device, three generations slower.

Two CARRY4 of a chain, which is what Yosys maps to, are the CARRY8 that the device has, in counts and in depth.

Counts are those of Yosys as it prints them: two small LUTs that a vendor's tool would fold into one LUT6 count twice,
and a comparator that Yosys builds with a carry chain has its LUTs counted with it. They compare designs mapped by
the same tool and are upper bounds otherwise.
"""

from triplane.boards.synthesis.ecp5 import Routed, place_and_route
from triplane.boards.synthesis.netlist import Figures, LogicPath, figures
from triplane.boards.synthesis.parts import Part, joined, split
from triplane.boards.synthesis.tools import SynthesisError
from triplane.boards.synthesis.xilinx import XCZU49DR_LUTS, mapped, synthesize

__all__ = [
    "XCZU49DR_LUTS",
    "Figures",
    "LogicPath",
    "Part",
    "Routed",
    "SynthesisError",
    "figures",
    "joined",
    "mapped",
    "place_and_route",
    "split",
    "synthesize",
]
