# SPDX-License-Identifier: BSD-2-Clause
"""The Pauli frame: what has gone wrong on the processor, remembered until it matters.

Errors that a code has found are not undone. They are Paulis, and Paulis pass Clifford gates as other Paulis; so
`PauliFrame` keeps two bits for each qubit and one for each logical observable, carries them through the gates as
these are commanded, and turns over the results that they have spoilt. Nothing is played for it, and a correction costs
no time on the processor. The same bits take the byproducts of teleportation and lattice surgery: what a measurement
leaves behind is written as an operation, as if it were an error.

One operation a cycle, by indices of qubits, because that is what a single-issue sequencer can command; corrections come
in beside it, all observables at once, physical ones as rows of a table, one a cycle. A matrix that took all edges at
once would be as large as the decoder for the sake of what nobody waits for: the observables, which somebody does wait
for, need no table.

`FrameBarrier` holds the flips of the decoder's windows, shot by shot, and tells who waits when those of a given round
are all in; it sits in the decode engine, where the windows end.

What can go wrong: a frame that is read too early. Corrections that are still in the decoder are not in it, and a gate
that is tracked before they have come carries the wrong frame. Nothing here can know that; the barrier does, which
waits for the frame of exactly the rounds that matter and is given up at its bound. An operation that names no qubit
does nothing and is counted.
"""

from triplane.gateware.frame.barrier import FrameBarrier
from triplane.gateware.frame.layouts import Operation
from triplane.gateware.frame.pauli import PauliFrame

__all__ = ["FrameBarrier", "Operation", "PauliFrame"]
