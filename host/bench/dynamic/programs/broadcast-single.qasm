// SPDX-License-Identifier: BSD-2-Clause
// expect: c=101 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit s;
qubit[3] q;
bit[3] c;
x s;
cx s, q;
cx s, q[1];
c = measure q;
