// SPDX-License-Identifier: BSD-2-Clause
// angle[4]: 7 + 1 = 8, 1 - 7 = 10, 7 / 2 = 3, 2 * 10 = 4, 10 / 1 = 10 (a number), -2 = 14; then pi turns the qubit.
// expect: a=1000 b=1010 d=0011 e=0100 f=1010 g=1110 c=1 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
angle[4] x1 = 7 * (pi / 8);
angle[4] x2 = pi / 8;
angle[4] x3 = 5 * (pi / 4);
uint[4] two = 2;
output bit[4] a; a = bit[4](x1 + x2);
output bit[4] b; b = bit[4](x2 - x1);
output bit[4] d; d = bit[4](x1 / two);
output bit[4] e; e = bit[4](two * x3);
output bit[4] f; f = bit[4](x3 / x2);
output bit[4] g; angle[4] h1 = pi / 4; g = bit[4](-h1);
rx(x1 + x2) q;
output bit c;
c = measure q;
