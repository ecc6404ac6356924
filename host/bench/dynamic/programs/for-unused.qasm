// SPDX-License-Identifier: BSD-2-Clause
// Three flips.
// expect: c=1 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c;
for int i in [0:2] { x q; }
c = measure q;
