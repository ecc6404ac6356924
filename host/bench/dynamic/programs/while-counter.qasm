// SPDX-License-Identifier: BSD-2-Clause
// Heads are counted until there are two, at most three throws: HH 1/4, HTH, THH 1/8 each, else fewer.
// expect: n=10 0.5
// expect: n=01 0.375
// expect: n=00 0.125
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output uint[2] n;
bit c;
int[8] throws = 0;
n = 0;
while (throws < 3 && n < 2) {
  h q;
  c = measure q;
  reset q;
  if (c == 1) {
    n += 1;
  }
  throws += 1;
}
