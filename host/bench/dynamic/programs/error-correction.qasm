// SPDX-License-Identifier: BSD-2-Clause
// The bit-flip code: a flip of any one of three qubits is found and undone.
// expect: out=000 0.5
// expect: out=111 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
qubit[2] a;
bit[2] syn;
output bit[3] out;
def syndrome(qubit[3] d, qubit[2] a) -> bit[2] {
  bit[2] b;
  reset a;
  cx d[0], a[0];
  cx d[1], a[0];
  cx d[1], a[1];
  cx d[2], a[1];
  b = measure a;
  return b;
}
h q[0];
cx q[0], q[1];
cx q[0], q[2];
x q[1];
syn = syndrome(q, a);
if (int(syn) == 1) x q[0];
if (int(syn) == 2) x q[2];
if (int(syn) == 3) x q[1];
out = measure q;
