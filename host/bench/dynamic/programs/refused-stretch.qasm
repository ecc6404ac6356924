// SPDX-License-Identifier: BSD-2-Clause
// refused: stretch is not supported
OPENQASM 3.0;
stretch s;
