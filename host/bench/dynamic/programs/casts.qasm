// SPDX-License-Identifier: BSD-2-Clause
// bool of 3 is true, int of 2.9 is 2, -1 as uint[4] is 15, "101" as an integer is 5, int[4] 12 is -4.
// expect: c=1 d=10 e=1111 f=101 g=1 1.0
OPENQASM 3.0;
output bit c; c = bool(3);
output uint[2] d; d = uint[2](2.9);
output bit[4] e; e = uint[4](-1);
bit[3] raw = "101";
output uint[3] f; f = int[16](raw);
output bool g; g = int[4](12) == -4;
