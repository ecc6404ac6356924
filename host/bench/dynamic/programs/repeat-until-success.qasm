// SPDX-License-Identifier: BSD-2-Clause
// expect: c=1 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c;
while (!c) {
  reset q;
  h q;
  c = measure q;
}
