# SPDX-License-Identifier: BSD-2-Clause
"""The simulated board: the board's own Verilog, verilated into a shared library and driven through its register bus.

`design` names a board without elaborating it, `build` turns it into a library in the cache, `library` drives it from
Python. The library holds the bus master too: a burst, or a whole stream of shots, is one call, since a Python call
per bus word would cost more than the word. All data goes over the bus all the same, so what works here works over a
cable. Over a cable it works as well: `server` lets a board listen as one on a network does, and `wire` is that network.

Three levels of cache make a second start fast. The outer one is keyed by what the Verilog follows from (structure of
the graph, sources of the gateware, versions) and holds the register map, so that nothing is elaborated again. The
next one is keyed by the Verilog itself, so that an edit of a comment compiles nothing. The innermost holds the
compiled model without the harness, so that an edit of the harness only links. Simulation is single-threaded: the
clock is the only parallelism that a board of this size would have to synchronise on.

What can go wrong: a missing compiler is named with its remedy before anything starts; a build that is interrupted
leaves nothing behind; two processes that want the same board build it once; a board that stops moving is reported
as stuck after a bounded number of cycles; a cache entry that is damaged is dropped and built again.
"""

from triplane.sim.board.build import BoardBuild, build_board, elaborate_board
from triplane.sim.board.design import Design
from triplane.sim.board.library import BoardError, SimulatedBoard

__all__ = ["BoardBuild", "BoardError", "Design", "SimulatedBoard", "build_board", "elaborate_board"]
