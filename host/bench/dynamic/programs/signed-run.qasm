// SPDX-License-Identifier: BSD-2-Clause
// n is -6 or 5. n<0, n>=5, n/4 (-1 or 1), n%4 (-2 or 1), n>>1 (-3 or 2), n == -6; four bits for numbers.
// -6: 1, 0, 1111, 1110, 1101, 1; 5: 0, 1, 0001, 0001, 0010, 0
// expect: r=111011110111101 0.5
// expect: r=000100001000110 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output bit[15] r;
h q;
bit b = measure q;
int[4] n = 5;
if (b) { n = -6; }
r[0] = n < 0;
r[1] = n >= 5;
r[2:5] = bit[4](n / 4);
r[6:9] = bit[4](n % 4);
r[10:13] = bit[4](n >> 1);
r[14] = n == -6;
