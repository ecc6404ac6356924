# SPDX-License-Identifier: BSD-2-Clause
"""Decoding: detection events in, predicted observable flips (and, where asked for, a correction) out.

    graph.py      a Stim detector error model becomes a decoding graph: what is built, and what is loaded
    layouts.py    the result record, declared once for gateware, host and documentation
    engine.py     windows of rounds, one after another, through the arrays
    window/       what a window is, and the parts that take it from the queue to the frame
    unionfind/    the array: one processing element per detector, one cell per edge
    lut.py        instead of all this, one read of a table
    rounds.py     its way in: the rounds of a shot are caught
    sender.py     the way out: a result record, and the correction where it is asked for
    table.py      shape of the table: address, entry, words
    memory.py     block memory that is trusted after its CRC was checked

The graph is wired into the fabric and only the weights are memory. The alternative, a processor that walks a graph
held in RAM, would decode any code with one bitstream, but every step would be a memory access, and a step here is two
clock cycles for the whole graph at once. A change of code is a new build (half a minute to a few minutes in
simulation); a change of calibration is a few hundred register writes.

Detectors of the two bases share no edge, so they are separate components and are decoded side by side; the latency of
a shot is that of the slower one. Nothing here knows about bases: components are found, not declared, and a model that
falls into more of them gets more arrays.

Where the detectors that see an observable are few (16 for a distance-3 surface code over 3 rounds) an exact table
takes the arrays' place: 8 block RAMs, 3 cycles for every shot, and the most likely observables instead of a good
matching. Its size doubles with every detector, so distance 5 is out of its reach. The `soc` takes either.

What can go wrong: detection events that no edge explains (an odd number in a component without boundary) end the
window with the `unmatched` flag instead of a hang. A latency that would not fit the record is refused when the gateware
is described. Rounds that come faster than they are decoded fill the queue, then stall the source; none is lost. A table
that was not loaded whole and right is not used: the one before stays in force, and without one nothing is predicted and
every record says so. Tables change between shots only.
"""
