// SPDX-License-Identifier: BSD-2-Clause
// A Bell pair by own gates, undone by inv; then a turn by a third of pi three times.
// expect: c=100 1.0
OPENQASM 3.0;
include "stdgates.inc";
gate bell a, b { h a; cx a, b; }
gate turn(angle_) a { rx(angle_ / 3) a; barrier a; U(0, 0, 0) a; }
qubit[3] q;
bit[3] c;
bell q[0], q[1];
inv @ bell q[0], q[1];
turn(pi) q[2];
turn(pi) q[2];
turn(pi) q[2];
c = measure q;
