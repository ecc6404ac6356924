// SPDX-License-Identifier: BSD-2-Clause
// The first qubit of three that is 1, or 3: 1/2, 1/4, 1/8, 1/8.
// expect: n=00 0.5
// expect: n=01 0.25
// expect: n=10 0.125
// expect: n=11 0.125
OPENQASM 3.0;
include "stdgates.inc";
def first(qubit[3] q) -> uint[2] {
  for uint[2] i in [0:2] {
    bit b = measure q[i];
    if (b) { return i; }
  }
  return 3;
}
qubit[3] q;
output uint[2] n;
h q;
n = first(q);
