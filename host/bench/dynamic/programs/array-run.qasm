// SPDX-License-Identifier: BSD-2-Clause
// A cell that a measurement decides.
// expect: c=0011 0.5
// expect: c=0101 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output bit[4] c;
array[uint[4], 2] a = {1, 2};
h q;
bit b = measure q;
if (b) { a[1] += 2; }
c = bit[4](a[0] + a[1]);
