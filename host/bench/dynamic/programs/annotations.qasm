// SPDX-License-Identifier: BSD-2-Clause
// expect: c=1 1.0
OPENQASM 3.0;
include "stdgates.inc";
#pragma layout best
pragma another one
qubit q;
@bind to something
bit c;
@noisy
x q;
c = measure q;
