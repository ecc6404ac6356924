// SPDX-License-Identifier: BSD-2-Clause
// Of the four values 1 and 2 flip q[2], 0 flips both, 3 neither.
// expect: d=11 0.25
// expect: d=01 0.5
// expect: d=00 0.25
OPENQASM 3.1;
include "stdgates.inc";
qubit[4] q;
bit[2] c;
output bit[2] d;
h q[0];
h q[1];
c = measure q[0:1];
switch (int(c)) {
  case 1, 2 { x q[2]; }
  case 0 { x q[2]; x q[3]; }
  default { }
}
d = measure q[2:3];
