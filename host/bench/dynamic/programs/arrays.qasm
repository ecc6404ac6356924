// SPDX-License-Identifier: BSD-2-Clause
// From the highest: 8 == 8 is 1; 6 - 2 is 0100; row[0] is 7, 0111; 1.2 + 2.2 - 2.2 is cut to 001; 1 + 4 is 101.
// expect: c=101000111001101 1.0
OPENQASM 3.0;
output bit[15] c;
array[float[32], 3, 2] m = {{1.1, 1.2}, {2.1, 2.2}, {3.1, 3.2}};
array[uint[4], 2, 2] b = {{5, 6}, {7, 8}};
array[uint[4], 2] row = b[1];
array[uint[4], 2] first = {0, 1};
let long = first ++ row;
c[0:2] = bit[3](uint[3](long[1] + 4));
c[3:5] = bit[3](uint[3](m[0, 1] + m[1, 1] - 2.2));
c[6:9] = bit[4](row[0]);
c[10:13] = bit[4](b[0, -1] - 2);
b[0] = b[1];
c[14] = b[0, 1] == 8;
