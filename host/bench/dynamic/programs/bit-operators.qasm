// SPDX-License-Identifier: BSD-2-Clause
// a 10001111, b 01110000; a<<1 00011110, rotl(a,2) 00111110, a|b, a&b, a^b, ~a, rotr(a,1) 11000111, popcount 5.
// expect: s=00011110 t=00111110 o=11111111 n=00000000 e=11111111 i=01110000 r=11000111 p=0101 1.0
OPENQASM 3.0;
bit[8] a = "10001111";
bit[8] b = "01110000";
output bit[8] s; s = a << 1;
output bit[8] t; t = rotl(a, 2);
output bit[8] o; o = a | b;
output bit[8] n; n = a & b;
output bit[8] e; e = a ^ b;
output bit[8] i; i = ~a;
output bit[8] r; r = rotr(a, 1);
output uint[4] p; p = popcount(a);
