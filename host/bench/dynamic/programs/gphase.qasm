// SPDX-License-Identifier: BSD-2-Clause
// A controlled phase of pi is a z on the control: h z h = x.
// expect: c=011 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
h q[0];
ctrl @ gphase(pi) q[0];
h q[0];
h q[1];
negctrl @ gphase(pi) q[1];
h q[1];
gphase(pi / 3);
c = measure q;
