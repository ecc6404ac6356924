// SPDX-License-Identifier: BSD-2-Clause
// q[3] is flipped by a control on |1>, one on |0>, and a square root of x taken twice.
// expect: c=1001 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
x q[0];
ctrl @ negctrl @ pow(2) @ pow(0.5) @ x q[0], q[1], q[3];
ctrl(2) @ x q[0], q[1], q[2];
inv @ s q[2];
c = measure q;
