// SPDX-License-Identifier: BSD-2-Clause
// refused: defcal is not supported
OPENQASM 3.0;
defcal x $0 { play(d, w); }
