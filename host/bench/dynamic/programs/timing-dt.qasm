// SPDX-License-Identifier: BSD-2-Clause
// Durations in dt combine with each other, not with seconds; 3 * 40dt - 20dt is 100dt.
// expect: c=1 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c;
duration d = 3 * 40dt - 20dt;
delay[d] q;
if (d == 100dt) { x q; }
c = measure q;
