// SPDX-License-Identifier: BSD-2-Clause
// Iterative estimation of the phase 3/8 = 0.011 in binary, exact with three bits; the last is measured first.
// expect: c=011 1.0
OPENQASM 3.0;
include "stdgates.inc";
const int n = 3;
const float theta = 2 * pi * 3 / 8;
qubit control;
qubit target;
bit[n] c;
x target;
for int k in [0:n - 1] {
  reset control;
  h control;
  ctrl @ pow(2 ** (n - 1 - k)) @ p(theta) control, target;
  for int j in [0:k - 1] {
    if (c[j]) { p(-pi / 2 ** (k - j)) control; }
  }
  h control;
  c[k] = measure control;
}
