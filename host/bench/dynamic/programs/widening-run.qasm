// SPDX-License-Identifier: BSD-2-Clause
// int[4] -3 as int[8] is 11111101; uint[4] 13 as uint[8] is 00001101.
// expect: a=11111101 b=00001101 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output int[8] a;
output uint[8] b;
x q;
bit c = measure q;
int[4] s = 0;
uint[4] u = 0;
if (c) { s = -3; u = 13; }
a = s;
b = u;
