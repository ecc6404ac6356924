// SPDX-License-Identifier: BSD-2-Clause
// The alias writes to the registers: a[1], b[0] become 1.
// expect: a=10 b=01 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit[2] a;
bit[2] b;
let joined = a ++ b;
x q;
joined[1] = measure q;
joined[2] = joined[1];
