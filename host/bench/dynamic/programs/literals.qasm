// SPDX-License-Identifier: BSD-2-Clause
// 0b101 5, 0o17 15, 0xff 255, 1_000 1000: 1275 = 10011111011.
// expect: c=10011111011 1.0
OPENQASM 3.0;
output uint[11] c;
c = 0b101 + 0o17 + 0xff + 1_000;
