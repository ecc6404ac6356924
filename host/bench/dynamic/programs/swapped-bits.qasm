// SPDX-License-Identifier: BSD-2-Clause
// The right side is what it was before: two bits of a register, of an integer and of an array change places.
// expect: c=01 r=001 s=10 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
output bit[2] c;
output bit[3] r;
output bit[2] s;
bit[3] w;
x q[1];
c = measure q;
c[0:1] = c[1:-1:0];
w[0:1] = measure q;
uint[3] n = w;
n[0:1] = n[1:-1:0];
r = n;
array[bit, 2] a;
a[0] = w[0];
a[1] = w[1];
a[0:1] = a[1:-1:0];
s[0] = a[1];
s[1] = a[0];
