// SPDX-License-Identifier: BSD-2-Clause
// 2 * 3 flips of the second kind, 2 of the first.
// expect: c=00 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
for int i in [1:2] {
  x q[0];
  for int j in [1:3] { x q[1]; }
}
c = measure q;
