// SPDX-License-Identifier: BSD-2-Clause
// The loop is unrolled, since it indexes qubits: qubits up to the first 1 are measured.
// expect: c=001 0.5
// expect: c=010 0.25
// expect: c=100 0.125
// expect: c=000 0.125
OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
h q;
for int i in [0:2] {
  c[i] = measure q[i];
  if (c[i]) { break; }
}
