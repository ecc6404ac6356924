// SPDX-License-Identifier: BSD-2-Clause
// Three coins; the first 1 ends the program, and d is set only when there was none.
// expect: c=1 d=0 0.875
// expect: c=0 d=1 0.125
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c;
bit d;
for int i in [0:2] {
  h q;
  c = measure q;
  if (c) { if (c) { end; } }
}
d = 1;
