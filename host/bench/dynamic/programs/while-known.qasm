// SPDX-License-Identifier: BSD-2-Clause
// Classical all through: 1 + 2 + 4 + 8 = 15 quarters of pi / 15 each.
// expect: c=1 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c;
int i = 1;
int s = 0;
while (i < 16) { s += i; i *= 2; }
rx(s * pi / 15) q;
c = measure q;
