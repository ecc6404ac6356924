// SPDX-License-Identifier: BSD-2-Clause
// As in the specification: 100, 200 in the block before it is shadowed, 400 behind; 400 = 110010000.
// expect: c=110010000 1.0
OPENQASM 3.0;
output uint[9] c;
int ii = 100;
{
  ii *= 2;
  int ii = 1;
  ii *= 2;
}
ii *= 2;
c = uint[9](ii);
