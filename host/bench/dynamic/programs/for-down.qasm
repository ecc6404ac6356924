// SPDX-License-Identifier: BSD-2-Clause
// 8*3 + 4*2 + 1 = 3, 2, 1 as digits to the base 4: 111001.
// expect: s=111001 1.0
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
output uint[6] s;
s = 0;
for int i in [3:-1:1] {
  x q;
  s = (s << 2) | uint[6](i);
}
