// SPDX-License-Identifier: BSD-2-Clause
// u is 9 or 2 of uint[4]: u<9, u<=9, u>9, u>=9, u==9, u!=9.
// expect: r=011010 0.5
// expect: r=100011 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output bit[6] r;
h q;
bit b = measure q;
uint[4] u = 2;
if (b) u = 9;
r[0] = u < 9;
r[1] = u <= 9;
r[2] = u > 9;
r[3] = u >= 9;
r[4] = u == 9;
r[5] = u != 9;
