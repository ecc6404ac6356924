// SPDX-License-Identifier: BSD-2-Clause
// Results collected bit by bit in an integer.
// expect: n=0101 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
output uint[4] n;
uint[4] m = 0;
x q[0];
x q[2];
for int i in [0:3] { m[i] = measure q[i]; }
n = m;
