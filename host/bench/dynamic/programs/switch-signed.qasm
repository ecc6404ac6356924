// SPDX-License-Identifier: BSD-2-Clause
// -1 or 1, each half.
// expect: d=1 0.5
// expect: d=0 0.5
OPENQASM 3.1;
include "stdgates.inc";
qubit[2] q;
output bit d;
h q[0];
bit c = measure q[0];
int[8] n = 1;
if (c) n = -1;
switch (n) {
  case -1 { x q[1]; }
  case 1 { }
}
d = measure q[1];
