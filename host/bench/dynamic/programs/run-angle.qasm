// SPDX-License-Identifier: BSD-2-Clause
// Iterative phase estimation with an angle that the measurements fill: theta is 5/8 of a turn, 0.101 in binary. The
// lowest bit is measured first, and each further one after what is known already was turned back.
// expect: out=1010 1.0
OPENQASM 3.0;
include "stdgates.inc";
const int[32] n = 3;
const float theta = 2 * pi * 5 / 8;
qubit q;
qubit r;
angle[n + 1] c = 0;
output bit[n + 1] out;
x r;
uint[n] power = 4;
for uint i in [0:n - 1] {
  reset q;
  h q;
  c >>= 1;
  ctrl @ pow(power) @ phase(theta) q, r;
  inv @ phase(c) q;
  h q;
  c[n] = measure q;
  power >>= 1;
}
out = bit[n + 1](c);
