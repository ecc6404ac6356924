// SPDX-License-Identifier: BSD-2-Clause
// The specification's semiclassical Fourier transform, on |0>: every outcome is as likely.
// expect: c=00 0.25
// expect: c=01 0.25
// expect: c=10 0.25
// expect: c=11 0.25
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
reset q;
h q;
h q[0];
h q[0];
c[0] = measure q[0];
if (int(c) == 1) { rz(pi / 2) q[1]; }
h q[1];
h q[1];
c[1] = measure q[1];
