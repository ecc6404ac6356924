// SPDX-License-Identifier: BSD-2-Clause
// refused: the sequencer has no multiplier
OPENQASM 3.0;
qubit[4] q;
uint[4] n = 0;
bit[4] c = measure q;
n = uint[4](c) * uint[4](c);
