// SPDX-License-Identifier: BSD-2-Clause
// n is 2 or 3; the loop runs from 1 to n and sums: 3 or 6.
// expect: s=0011 0.5
// expect: s=0110 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output uint[4] s;
s = 0;
h q;
bit b = measure q;
int n = 2 + int(b);
for int i in [1:n] {
  s += uint[4](i);
}
