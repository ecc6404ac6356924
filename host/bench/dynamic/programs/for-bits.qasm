// SPDX-License-Identifier: BSD-2-Clause
// Three coins; how many heads.
// expect: n=00 0.125
// expect: n=01 0.375
// expect: n=10 0.375
// expect: n=11 0.125
OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
output uint[2] n;
n = 0;
h q;
c = measure q;
for bit b in c { if (b) { n += 1; } }
