// SPDX-License-Identifier: BSD-2-Clause
// expect: c=1111 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] a;
qubit[2] b;
bit[4] c;
x a;
cx a, b;
let all = a ++ b;
c = measure all;
