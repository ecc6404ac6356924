// SPDX-License-Identifier: BSD-2-Clause
// Where the coin is 1 the program ends before the flip.
// expect: c=10 0.5
// expect: c=01 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
c[0] = measure q[0];
if (c[0]) { end; }
x q[1];
c[1] = measure q[1];
