// SPDX-License-Identifier: BSD-2-Clause
// 1 + 5 + 10 = 16.
// expect: c=10000 1.0
OPENQASM 3.0;
output bit[5] c;
int[32] b = 0;
for int[32] i in {1, 5, 10} { b += i; }
c = bit[5](uint[5](b));
