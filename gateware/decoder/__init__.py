# SPDX-License-Identifier: BSD-2-Clause
"""Decoding: detection events in, predicted observable flips (and, where asked for, a correction) out.

    graph.py      a Stim detector error model becomes a decoding graph: what is built, and what is loaded
    layouts.py    the result record, declared once for gateware, host and documentation
    core.py       rounds of detection events in, one array per connected component, result records out
    unionfind/    the array: one processing element per detector, one cell per edge

The graph is wired into the fabric and only the weights are memory. The alternative, a processor that walks a graph
held in RAM, would decode any code with one bitstream, but every step would be a memory access, and a step here is two
clock cycles for the whole graph at once. A change of code is a new build (half a minute to a few minutes in
simulation); a change of calibration is a few hundred register writes.

Detectors of the two bases share no edge, so they are separate components and are decoded side by side; the latency of
a shot is that of the slower one. Nothing here knows about bases: components are found, not declared, and a model that
falls into more of them gets more arrays.

What can go wrong: detection events that no edge explains (an odd number in a component without boundary) end the shot
with the `unmatched` flag instead of a hang. A latency that would not fit the record is refused when the gateware is
described. Weights above those the first growth was computed for are harmless; below, the edge starts full, never
negative. While a shot is decoded its tables must not change, which the order of the driver's writes guarantees.
"""
