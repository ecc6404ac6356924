// SPDX-License-Identifier: BSD-2-Clause
// Arguments by value: the caller's n stays 2; 2 * 3 + 2 = 8.
// expect: c=1000 1.0
OPENQASM 3.0;
output uint[4] c;
const int factor = 3;
def scaled(int n) -> int { n *= factor; return n; }
int n = 2;
c = uint[4](scaled(n) + n);
