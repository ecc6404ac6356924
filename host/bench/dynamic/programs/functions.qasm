// SPDX-License-Identifier: BSD-2-Clause
// Each is a whole number: floor 2, ceiling 3, sqrt 3, mod 1, 2 ** 3 8, log(exp) 1, cos 1, sin 1, tan 1: 21.
// expect: c=10101 1.0
OPENQASM 3.0;
output bit[5] c;
float s = floor(2.5) + ceiling(2.5) + sqrt(9.0) + mod(7, 3) + 2 ** 3 + log(exp(1.0)) + cos(0.0) + sin(pi / 2) + tan(pi / 4);
s += arcsin(0.0) + arccos(1.0) + arctan(0.0) + 0.000001;
c = uint[5](int(s));
