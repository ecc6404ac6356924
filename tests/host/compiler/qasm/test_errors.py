# SPDX-License-Identifier: BSD-2-Clause
"""Errors: their place and text."""

import pytest

from triplane.host.compiler.qasm import NotKnownError, QasmError, loads

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\n'

CASES = [
    ("x r;", 1, 3, "'r' is not declared"),
    ("foo q[0];", 1, 1, "gate 'foo' is not declared"),
    ("int n = m + 1;", 1, 9, "'m' is not declared"),
    ("int n = f(1);", 1, 9, "'f' is neither a subroutine nor a built-in function"),
    ("x q[2];", 1, 3, "index 2 is out of range: there are 2 elements, 0 to 1"),
    ("x q[-3];", 1, 3, "index -3 is out of range"),
    ("x q[0:2];", 1, 7, "index 2 is out of range"),
    ("x q[{0, 5}];", 1, 3, "index 5 is out of range"),
    ("cx q[0], q[0];", 1, 1, "a qubit stands twice among the operands"),
    ("cx q[0];", 1, 1, "'cx' takes 2 qubits here, not 1"),
    ("rx q[0];", 1, 1, "'rx' takes 1 parameter here, not 0"),
    ("ctrl(2) @ x q;", 1, 1, "'x' takes 3 qubits here, not 1"),
    ("qubit[3] r;\ncx q, r;", 2, 1, "registers of different lengths, 2 and 3"),
    ('c = "101";', 1, 1, "does not fit into bit[2]"),
    ("bit[3] d = c;", 1, 12, "does not fit into bit[3]"),
    ("int n = 40ns;", 1, 9, "a duration cannot become an int[32]"),
    ("angle a = 1;\nint b = a;", 2, 9, "an angle cannot become an int[32]"),
    (
        "int[8] n = 300;",
        1,
        12,
        "300 does not fit into an int[8], which is -128 to 127; int[8](300) takes its low bits",
    ),
    ("uint[2] n = 1;\nn = 2 * 2;", 2, 1, "4 does not fit into a uint[2], which is 0 to 3"),
    ("const uint[8] n = 200 + 100;", 1, 19, "300 does not fit into a uint[8]"),
    ("int[8] n = -129;", 1, 12, "-129 does not fit"),
    ("uint[8] n = 256.0;", 1, 13, "256.0 does not fit into a uint[8], which is 0 to 255"),
    ("uint n = 1e12;", 1, 10, "does not fit into a uint[32]"),
    ("def f(uint[2] n) -> uint[2] { return n; }\nuint[2] m = f(4);", 2, 15, "4 does not fit into a uint[2]"),
    ("int n = 1;\nangle a = n;", 2, 11, "cast it to float first"),
    ("duration d = 1ns + 1dt;", 1, 14, "only the device knows how long dt is"),
    ("const int n = 1;\nn = 2;", 2, 1, "a constant cannot be assigned"),
    ("int n = 1;\nint n = 2;", 2, 1, "'n' is declared twice"),
    ("int n;\nint m = n;", 2, 9, "'n' is read before it has a value"),
    ("def f() { return; }\nint n = f();", 2, 9, "'f' returns nothing"),
    ("def f() -> int { return f(); }\nint n = f();", 1, 25, "'f' calls itself"),
    ("def f(int a) -> int { return a; }\nint n = f();", 2, 9, "'f' takes 1 arguments, not 0"),
    ("def f() { x q[0]; }\nf();", 1, 13, "qubits 'q' cannot be seen in here"),
    ("int n = 1;\ndef f() { n = 2; }\nf();", 2, 11, "cannot be changed in it"),
    ("def f() -> int { int n = 1; }\nint n = f();", 2, 9, "ends without return"),
    ("array[int, 2] a = {1, 2, 3};", 1, 19, "3 values for 2 elements"),
    ("array[int, 2] a = {1, 2};\na[2] = 1;", 2, 1, "index 2 is out of range"),
    ("array[int, 2] a = {1, 2};\narray[int, 3] b = a;", 2, 1, "does not fit into one of shape (3,)"),
    ("int n = 1 / 0;", 1, 9, "division by zero"),
    ("float f = sqrt(-1.0);", 1, 11, "sqrt(-1.0) has no value"),
    ("for int i in [0:0:3] { x q[0]; }", 1, 15, "step must not be 0"),
    ("switch (c) { case 0 { } }", 1, 1, "switch is over an integer, not a bit[2]"),
    ("int n = 1;\nswitch (n) { case 1 { } case 1 { } }", 2, 30, "label 1 stands twice"),
    ("delay[5] q[0];", 1, 6, "a delay takes a duration"),
    ("box[10ns] { x q[0]; }", 1, 1, "a box's duration is not supported"),
    ('include "other.inc";', 1, 1, 'only "stdgates.inc" can be included'),
    ("x $0;", 0, 0, "a program has either physical qubits"),
    ("gate g a { g a; }", 1, 12, "gate 'g' is not declared"),
    ("gate g a { x b; }", 1, 14, "'b' is not declared"),
    ("gate x a { }", 1, 1, "gate 'x' is there already"),
    ("x q[0]", 1, 7, "the end of the program is not expected here"),
    ("int = 3;", 1, 5, "'=' is not expected here"),
    ("break;", 1, 1, "'break' statement outside loop"),
    ("c[0] = measure q;", 1, 1, "2 qubits are measured into 1 bits"),
    ("uint[40] n = 1;\nif (c[0]) n = 2;", 2, 11, "the sequencer cannot hold a uint[40]"),
    ("float f = 0.5;\nif (c[0]) { f = 1.0; }", 2, 13, "the sequencer cannot hold a float[64]"),
    ("c[0] = measure q[0];\nx q[int(c[0])];", 2, 5, "an index must be known when compiling"),
    ("uint[4] n = uint[4](0);\nif (c[0]) n = 3;\nn = n / 3;", 3, 5, "divides by powers of two only"),
    ("input float t;\nif (t > 0.5) { x q[0]; }", 2, 5, "give inputs={...} a value of t"),
    ("bit[40] w;\nw[0] = measure q[0];\nif (w == 0) x q[1];", 3, 5, "wider than the 32 bits"),
    ("bit[40] w;\nw[0] = measure q[0];\nw = ~w;", 3, 5, "take 32 bits of it at a time"),
    ("let a = q ++ q[0:1];", 1, 9, "cannot be joined with a part of itself"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), CASES, ids=[case[0][:40] for case in CASES])
def test_an_error_has_its_place_and_its_reason(text, line, column, message):
    with pytest.raises(QasmError) as error:
        loads(HEAD + text)
    assert message in error.value.message
    wanted = (line + 4 if line else error.value.line, column or error.value.column)
    assert (error.value.line, error.value.column) == wanted


def test_the_line_is_shown_with_a_caret_under_the_place():
    with pytest.raises(QasmError) as error:
        loads("OPENQASM 3.0;\nqubit q;\n  U(0, 0, nothing) q;\n")
    assert str(error.value) == (
        "line 3, column 11: 'nothing' is not declared\n      U(0, 0, nothing) q;\n              ^"
    )


@pytest.mark.parametrize(
    ("source", "said"), [(None, "NoneType"), (b"OPENQASM 3.0;", "bytes; decode it"), (3, "int")]
)
def test_what_is_no_text(source, said):
    with pytest.raises(QasmError, match=f"a program is a str, not a {said}"):
        loads(source)


def test_another_version_is_refused_with_its_remedy():
    with pytest.raises(QasmError, match="qiskit.qasm2.loads reads OpenQASM 2"):
        loads("OPENQASM 2.0;\nqreg q[1];")


def test_an_error_of_what_only_the_run_knows_is_of_its_own_kind():
    with pytest.raises(NotKnownError):
        loads(HEAD + "for int i in [0:1] { rx(float(int(c)) * i) q[i]; }")


def test_an_input_that_is_too_large_for_its_type():
    with pytest.raises(QasmError, match="line 1, column 1: 300 does not fit into an int"):
        loads("input int[8] n;", inputs={"n": 300})


def test_an_input_that_is_not_there_is_named():
    with pytest.raises(QasmError, match="the program has no input 'phi'; it has theta"):
        loads("input angle theta;", inputs={"phi": 0.5})


def test_a_program_that_unrolls_without_end_is_refused():
    with pytest.raises(QasmError, match="iterations and cannot be unrolled"):
        loads("int i = 0; float f = 0.0; while (i < 1) { f += 1.0; }")
