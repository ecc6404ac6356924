// SPDX-License-Identifier: BSD-2-Clause
// Two coins a, b: and, or, not a, a differs from b. 00: 0100; 01 (b): 1110; 10: 1010; 11: 0011.
// expect: r=0100 0.25
// expect: r=1110 0.25
// expect: r=1010 0.25
// expect: r=0011 0.25
OPENQASM 3.0;
include "stdgates.inc";
def thrown(qubit a) -> bit { h a; return measure a; }
qubit[2] q;
output bit[4] r;
bool a = bool(thrown(q[0]));
bool b = thrown(q[1]) == 1;
r[0] = a && b;
r[1] = a || b;
r[2] = !a;
r[3] = a != b;
