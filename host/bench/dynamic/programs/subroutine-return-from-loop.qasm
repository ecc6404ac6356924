// SPDX-License-Identifier: BSD-2-Clause
// Out of a loop of the run, within an outer one: 0 when a head comes within three throws, 1 otherwise.
// expect: c=0 0.875
// expect: c=1 0.125
OPENQASM 3.0;
include "stdgates.inc";
def unlucky(qubit q) -> bit {
  for int i in [0:2] {
    for int j in [0:0] {
      while (true) {
        reset q;
        h q;
        bit b = measure q;
        if (b) { return 0; }
        break;
      }
    }
  }
  return 1;
}
qubit q;
bit c;
c = unlucky(q);
