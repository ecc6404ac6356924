// SPDX-License-Identifier: BSD-2-Clause
// Only qubits behind a measured 0 are flipped; q[0] is 0 or 1, q[1] is 1.
// expect: d=10 0.5
// expect: d=11 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
qubit[2] r;
bit[2] c;
output bit[2] d;
h q[0];
for int i in [0:1] {
  c[i] = measure q[i];
  if (c[i]) continue;
  x r[i];
}
d = measure r;
