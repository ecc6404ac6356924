// SPDX-License-Identifier: BSD-2-Clause
// Delays do nothing to an ideal qubit; 2 * 50ns + 100ns is 0.2us.
// expect: c=01 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
duration d = 2 * 50ns + 100ns;
x q[0];
delay[d] q[0];
if (d / 1us > 0.19) { x q[1]; }
box {
  x q[1];
  delay[1.5us] q[0];
}
barrier q[0], q[1];
barrier;
c = measure q;
