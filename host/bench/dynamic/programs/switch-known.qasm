// SPDX-License-Identifier: BSD-2-Clause
// expect: c=1 1.0
OPENQASM 3.1;
include "stdgates.inc";
qubit q;
bit c;
const int A = 0;
int i = 15;
switch (i) {
  case A { z q; }
  case A + 15 { x q; }
  default { h q; }
}
c = measure q;
