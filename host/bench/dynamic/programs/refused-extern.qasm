// SPDX-License-Identifier: BSD-2-Clause
// refused: extern is not supported
OPENQASM 3.0;
extern decode(bit[3]) -> bit;
