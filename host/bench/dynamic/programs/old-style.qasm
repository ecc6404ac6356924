// SPDX-License-Identifier: BSD-2-Clause
// expect: c=11 1.0
OPENQASM 3.0;
include "stdgates.inc";
qreg q[2];
creg c[2];
u3(pi, 0, pi) q[0];
u2(0, pi) q[1];
u1(pi) q[1];
u2(0, pi) q[1];
CX q[0], q[1];
CX q[0], q[1];
measure q -> c;
