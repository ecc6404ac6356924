// SPDX-License-Identifier: BSD-2-Clause
// expect: d=00 0.25
// expect: d=01 0.25
// expect: d=10 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
output bit[2] d;
h q;
c = measure q;
if (c == 0) { d = "00"; } else if (c == 1) { d = "01"; } else d = "10";
