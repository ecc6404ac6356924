// SPDX-License-Identifier: BSD-2-Clause
// The sum of 1, 2 and 3 in steps that the sequencer adds, 6 = 0110.
// expect: s=0110 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output uint[4] s;
s = 0;
for uint[4] i in [1:3] {
  h q;
  h q;
  s += i;
}
