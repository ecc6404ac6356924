// SPDX-License-Identifier: BSD-2-Clause
// refused: durationof is not supported
OPENQASM 3.0;
include "stdgates.inc";
duration d = durationof({ x $0; });
