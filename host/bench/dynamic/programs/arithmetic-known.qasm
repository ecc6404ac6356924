// SPDX-License-Identifier: BSD-2-Clause
// b*a 6, b/a 1, b%a 1, a**b 8, -7/2 -3 (towards zero), -7%2 -1: (6+1+1+8-3-1) = 12.
// expect: c=1100 1.0
OPENQASM 3.0;
output bit[4] c;
int[32] a = 2;
int[32] b = 3;
int[32] m = -7;
int[32] s = b * a + b / a + b % a + a ** b + m / a + m % a;
c = uint[4](s);
