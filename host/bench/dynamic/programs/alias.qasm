// SPDX-License-Identifier: BSD-2-Clause
// Qubits 0, 3, 5 by a set, 1 and 2 by a range, the last by a negative index.
// expect: c=101111 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[6] q;
bit[6] c;
let some = q[{0, 3, 5}];
let middle = q[1:2];
let both = some ++ middle;
let last = q[-1];
x both;
x last;
x q[-1];
x both[1];
x both[1];
c = measure q;
if (c[4] == 0) { x q[4]; c[4] = measure q[4]; c[4] = 0; }
