// SPDX-License-Identifier: BSD-2-Clause
// 2, +4 6, -1 5, *3 15, /2 7, <<1 14, |1 15, &13 13, ^4 9, %5 4, **2 16, >>1 8.
// expect: c=01000 1.0
OPENQASM 3.0;
output bit[5] c;
uint[5] a = 2;
a += 4; a -= 1; a *= 3; a /= 2; a <<= 1; a |= 1; a &= 13; a ^= 4; a %= 5; a **= 2; a >>= 1;
c = a;
