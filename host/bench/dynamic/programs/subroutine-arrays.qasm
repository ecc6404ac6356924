// SPDX-License-Identifier: BSD-2-Clause
// By reference: the array's cells are doubled; their sum is 12.
// expect: c=1100 1.0
OPENQASM 3.0;
output uint[4] c;
array[int[8], 3] a = {1, 2, 3};
def double(mutable array[int[8], #dim = 1] v) {
  for uint i in [0:sizeof(v) - 1] { v[i] *= 2; }
}
def total(readonly array[int[8], 3] v) -> int[8] {
  int[8] s = 0;
  for int[8] x in v { s += x; }
  return s;
}
double(a);
c = uint[4](total(a));
