# SPDX-License-Identifier: BSD-2-Clause
"""The window that is decoded at once, and how it slides over a shot of any length.

    plan.py      what a window is made of, which windows a shot takes
    compile.py   from a decoding graph to the plan: a whole shot, or a window that slides
    reweight.py  weights of another model for a window that is built already
    stream.py    host side: detectors of a shot in the words of its rounds
    bound.py     its components as arrays, and the worst case
    queue.py     rounds wait here for the window
    buffer.py    the window's detection events
    shot.py      which window of the shot comes next, and what it settles
    weights.py   the table in use and the next one; what each edge loads
    arrays.py    all arrays of the window as one
    relief.py    which edges the last correction relieves
    past.py      edges that earlier windows have committed: they relieve, too
    control.py   the passes of a window, from its last word to the frame

A window holds W layers. Edges to the layer after it end on the boundary and remember which event of that layer they
toggle; edges to layers before it are left out. Three kinds of window are decoded by the same hardware: the first, in
which the preparation lies, the last, in which the final measurement lies, and all between. An edge may weigh
differently in each, or be absent.

Clusters that hold an event in the oldest layers are committed entire, and the window moves on. The alternative, to cut
the correction at the seam and commit only what lies before it, decides over edges whose surroundings are half seen:
with the same window it fails more often.

A pass costs a decode, so everything around it is kept off its way: lengths are loaded while the arrays are idle or
peel, each array goes on as soon as it is done, the last word of a window bypasses queue and buffer, and settled layers
are shifted out after the record is made. A correction relieves hundreds of edges at once through fixed OR trees; a
memory of partners, walked edge by edge, would be smaller and take as many cycles as there are edges.

What can go wrong: a graph whose layers do not repeat is refused with the layer and the edge, since the same hardware
could not decode it; a shot that does not fill one window and a layer more is refused before it is sent.
"""

from triplane.gateware.decoder.window.compile import sliding_window, whole_window
from triplane.gateware.decoder.window.plan import NOWHERE, WindowEdge, WindowPlan, WindowStep, default_window
from triplane.gateware.decoder.window.reweight import reweighted
from triplane.gateware.decoder.window.stream import StreamMap, pack_layers

__all__ = [
    "NOWHERE",
    "StreamMap",
    "WindowEdge",
    "WindowPlan",
    "WindowStep",
    "default_window",
    "pack_layers",
    "reweighted",
    "sliding_window",
    "whole_window",
]
