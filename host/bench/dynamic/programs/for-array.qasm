// SPDX-License-Identifier: BSD-2-Clause
// 0.25 + 0.25 + 0.5 = 1 turn of half: pi.
// expect: c=1 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c;
array[float[64], 3] parts = {0.25, 0.25, 0.5};
for float[64] part in parts { rx(part * pi) q; }
c = measure q;
