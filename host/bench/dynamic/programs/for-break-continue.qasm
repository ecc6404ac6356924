// SPDX-License-Identifier: BSD-2-Clause
// Throws until the first tail, at most three: 0 heads 1/2, 1 head 1/4, 2 heads 1/8, 3 heads 1/8.
// expect: n=00 0.5
// expect: n=01 0.25
// expect: n=10 0.125
// expect: n=11 0.125
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c;
output uint[2] n;
n = 0;
for int i in [1:3] {
  reset q;
  h q;
  c = measure q;
  if (c) { n += 1; continue; }
  break;
}
