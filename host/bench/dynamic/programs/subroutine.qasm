// SPDX-License-Identifier: BSD-2-Clause
// Parity of three qubits by an ancilla: two of them are 1.
// expect: r=0 s=1 1.0
OPENQASM 3.0;
include "stdgates.inc";
def parity(qubit[3] data, qubit extra) -> bit {
  reset extra;
  for int i in [0:2] { cx data[i], extra; }
  return measure extra;
}
qubit[3] q;
qubit e;
x q[0];
x q[2];
output bit r;
output bit s;
r = parity(q, e);
x q[1];
s = parity(q, e);
