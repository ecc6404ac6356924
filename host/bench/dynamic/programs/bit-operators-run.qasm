// SPDX-License-Identifier: BSD-2-Clause
// As with known bits, but measured: a is 1011.
// expect: s=0110 t=0111 o=1111 i=0100 r=1101 p=0011 v=1101 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] a;
x q[0]; x q[1]; x q[3];
a = measure q;
output bit[4] s; s = a << 1;
output bit[4] t; t = rotl(a, 1);
output bit[4] o; o = a | "0100";
output bit[4] i; i = ~a;
output bit[4] r; r = rotr(a, 1);
output uint[4] p; p = popcount(a);
output bit[4] v; v = a[3:-1:0];
