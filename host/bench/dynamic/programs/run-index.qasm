// SPDX-License-Identifier: BSD-2-Clause
// A bit of a register by an index of the run: bit 1 or bit 2 of 0100.
// expect: r=0 0.5
// expect: r=1 0.5
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output bit r;
bit[4] word = "0100";
h q;
bit b = measure q;
int[8] i = 1;
i += b;
r = word[i];
