// SPDX-License-Identifier: BSD-2-Clause
// x is 3 or 0: x+x, x-1, 4*x, x/2, x%2, ~x, -x of uint[4], four bits each, first lowest.
// x=3: 6, 2, 12, 1, 1, 12, 13; x=0: 0, 15, 0, 0, 0, 15, 0.
// expect: r=1101110000010001110000100110 0.5
// expect: r=0000111100000000000011110000 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output bit[28] r;
h q;
bit b = measure q;
uint[4] x = 0;
if (b) { x = 3; }
r[0:3] = bit[4](x + x);
r[4:7] = bit[4](x - 1);
r[8:11] = bit[4](4 * x);
r[12:15] = bit[4](x / 2);
r[16:19] = bit[4](x % 2);
r[20:23] = bit[4](~x);
r[24:27] = bit[4](-x);
