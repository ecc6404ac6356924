// SPDX-License-Identifier: BSD-2-Clause
// 00001111, then bits 4 to 7 become 1010 (highest first), then every second of the low ones 0.
// expect: c=10100101 1.0
OPENQASM 3.0;
output bit[8] c;
uint[8] n = 15;
n[4:7] = "1010";
n[1:2:3] = "00";
c = n;
