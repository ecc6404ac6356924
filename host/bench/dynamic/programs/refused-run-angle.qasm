// SPDX-License-Identifier: BSD-2-Clause
// refused: a gate's parameter must be known when compiling
OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c = measure q;
rx(int(c) + 1) q;
