// SPDX-License-Identifier: BSD-2-Clause
// U(0, 0, 0) is the identity, but U(2 pi, 0, 0) is too: 1 + exp(i theta) has the period 2 pi; Qiskit's own has -1 there.
// expect: c=0 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit c;
h q[0];
ctrl @ U(2 * pi, 0, 0) q[0], q[1];
h q[0];
c = measure q[0];
