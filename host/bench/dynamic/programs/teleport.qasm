// SPDX-License-Identifier: BSD-2-Clause
// The state cos(0.4)|0> + sin(0.4)|1> arrives: probability of 1 is sin(0.4)^2.
// expect: c=0 0.8483533546735827
// expect: c=1 0.1516466453264173
OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit a;
bit b;
output bit c;
ry(0.8) q[0];
h q[1];
cx q[1], q[2];
cx q[0], q[1];
h q[0];
a = measure q[0];
b = measure q[1];
if (b) x q[2];
if (a) z q[2];
c = measure q[2];
