// SPDX-License-Identifier: BSD-2-Clause
// A condition that measures: thrown until a 1 comes, c is 1 then.
// expect: c=1 1.0
OPENQASM 3.0;
include "stdgates.inc";
def thrown(qubit q) -> bit { reset q; h q; return measure q; }
qubit q;
bit c;
while (!thrown(q)) { continue; }
c = measure q;
