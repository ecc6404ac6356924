// SPDX-License-Identifier: BSD-2-Clause
// expect: c=11 1.0
OPENQASM 3.0;
include "stdgates.inc";
bit[2] c;
x $1;
cx $1, $3;
c[0] = measure $1;
c[1] = measure $3;
