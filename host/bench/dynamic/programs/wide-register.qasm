// SPDX-License-Identifier: BSD-2-Clause
// Registers of 40 bits are copied, indexed and measured into; w begins as ones in its four highest places.
// expect: c=01 d=11 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[40] v;
bit[40] w = "1111000000000000000000000000000000000000";
output bit[2] c;
output bit[2] d;
x q[0];
v = w;
v[38:39] = measure q;
w = v;
c = w[38:39];
d = w[36:37];
