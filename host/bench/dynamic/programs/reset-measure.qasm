// SPDX-License-Identifier: BSD-2-Clause
// A measured superposition is reset; a measurement without a target leaves no trace.
// expect: c=00 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q;
measure q[0];
reset q;
c = measure q;
