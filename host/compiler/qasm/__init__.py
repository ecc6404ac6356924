# SPDX-License-Identifier: BSD-2-Clause
"""OpenQASM 3 programs as circuits of Qiskit.

`openqasm3` makes a syntax tree of the text; from there on the lowering is ours, since Qiskit's importer refuses nearly
every program that computes or calls a subroutine (docs/decisions/0020-openqasm.md).

The lowering is an interpreter that runs the program as far as that is possible when compiling. Whatever follows from
the text alone (constants, floats, angles, arrays, loops over them) is computed, and only what hangs on a measurement,
or on an integer input, is left to the run: as variables, expressions and control flow of the circuit. A value that is
needed when compiling, such as an angle or an index of a qubit, but that only the run knows, is an error that says so.

What can go wrong: a program may unroll to more than anybody wants, so there are limits (`LONGEST`, `MOST_ITERATIONS`);
and an expression without effect has none here either: both sides of `&&` are computed, whatever the first one says.
"""

from triplane.host.compiler.qasm.errors import NotKnownError, QasmError
from triplane.host.compiler.qasm.loading import Input, Program, loads

__all__ = ["Input", "NotKnownError", "Program", "QasmError", "loads"]
