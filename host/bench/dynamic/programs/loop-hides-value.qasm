// SPDX-License-Identifier: BSD-2-Clause
// The loop counts what is an angle later, so it is unrolled after all.
// expect: c=01 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
int n = 0;
for int i in [0:3] { x q[1]; n += 1; }
rx(n * pi / 4) q[0];
c = measure q;
