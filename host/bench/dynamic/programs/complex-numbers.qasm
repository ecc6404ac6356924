// SPDX-License-Identifier: BSD-2-Clause
// (10 + 5i)(-2 - 7i) = 15 - 80i; sqrt(-1) = i; |3 + 4i|^2 = 25.
// expect: c=11001 1.0
OPENQASM 3.0;
output bit[5] c;
complex[float[64]] a = 10.0 + 5.0im;
complex[float[64]] b = -2.0 - 7.0im;
complex[float[64]] p = a * b;
complex[float] r = sqrt(-1.0 + 0.0im);
complex[float] z = 3 + 4im;
c = 0;
if (p == 15.0 - 80.0im) { if (imag(r) == 1.0) { c = uint[5](real(z * (3 - 4im))); } }
