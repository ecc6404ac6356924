# SPDX-License-Identifier: BSD-2-Clause
"""Random programs of branches, loops, ways out of them and subroutines, written in OpenQASM and in Python at once.

Python says what they compute. Each is lowered with its input unknown, so that control flow is the run's, and with its
input given, so that it is ours.
"""

import contextlib
import random

import pytest

from triplane.host.compiler.qasm import loads

VARIABLES = ["n0", "n1", "n2"]
DEEPEST = 4
INPUTS = [0, 3, 6, 9, 12, 15]


class End(Exception):  # noqa: N818 (no error, but `end`)
    pass


def wrapped(number):
    return (number + 128) % 256 - 128


class Writer:
    """Two texts of one program.

    Attributes:
        random: what decides.
        qasm: lines in OpenQASM.
        python: lines in Python.
    """

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.qasm, self.python = [], []
        self.depth = 0
        self.counters = 0
        self.functions = 0
        self.loops = 0
        self.function = False

    def line(self, qasm, python=None):
        pad = "  " * self.depth
        self.qasm.append(pad + qasm)
        if python is not None:
            self.python.append(pad + python)

    def operand(self):
        return self.random.choice(
            [*VARIABLES, str(self.random.randint(-5, 5)), f"int[8](w[{self.random.randint(0, 3)}])"]
        )

    def number(self):
        text = f"{self.operand()} {self.random.choice(['+', '-', '^', '&', '|'])} {self.operand()}"
        return text, f"wrapped({text.replace('int[8](w[', 'bit(w, ').replace('])', ')')})"

    def condition(self):
        if self.random.random() < 0.5:
            place, negated = self.random.randint(0, 3), self.random.random() < 0.5
            return f"{'!' if negated else ''}w[{place}]", f"{'not ' if negated else ''}bit(w, {place})"
        left, op, right = (
            self.random.choice(VARIABLES),
            self.random.choice(["<", ">", "==", "!=", "<=", ">="]),
            self.random.randint(-4, 4),
        )
        return (f"{left} {op} {right}",) * 2

    def block(self, opening, closing="}"):
        self.qasm.append("  " * self.depth + opening[0])
        self.python.append("  " * self.depth + opening[1])
        self.depth += 1
        self.line("", "pass")
        for _ in range(self.random.randint(1, 3)):
            self.statement()
        self.depth -= 1
        self.qasm.append("  " * self.depth + closing)

    def statement(self):
        choices = ["assign"] * 4 + ["gate", "leave"]
        if self.depth < DEEPEST:
            choices += ["if", "if", "for", "while", "switch", "call"]
        getattr(self, "write_" + self.random.choice(choices))()

    def write_assign(self):
        target = self.random.choice(VARIABLES)
        qasm, python = self.number()
        self.line(f"{target} = {qasm};", f"{target} = {python}")

    def write_gate(self):
        if not self.function:
            self.line("U(0, 0, 0) q;")

    def write_leave(self):
        choices = []
        if self.loops:
            choices += ["break", "continue"]
        if self.function:
            choices += ["return"]
        elif self.depth > 1:
            choices += ["end"]
        if not choices:
            return
        word = self.random.choice(choices)
        qasm, python = self.condition()
        if word == "return":
            value = self.random.choice(VARIABLES)
            self.line(f"if ({qasm}) {{ return {value}; }}", f"if {python}: return {value}")
        else:
            self.line(f"if ({qasm}) {{ {word}; }}", f"if {python}: {'raise End' if word == 'end' else word}")

    def write_if(self):
        qasm, python = self.condition()
        self.block((f"if ({qasm}) {{", f"if {python}:"))
        if self.random.random() < 0.5:
            self.block(("else {", "else:"))

    def write_for(self):
        name = f"i{self.counters}"
        self.counters += 1
        first, last = sorted(self.random.sample(range(-3, 4), 2))
        last = min(last, first + 2)
        self.loops += 1
        self.block(
            (f"for int[8] {name} in [{first}:{last}] {{", f"for {name} in range({first}, {last + 1}):")
        )
        self.loops -= 1
        if self.random.random() < 0.7:
            inside = "  " * (self.depth + 1)
            self.qasm.insert(-1, f"{inside}n0 = n0 + {name};")
            self.python.append(f"{inside}n0 = wrapped(n0 + {name})")

    def write_while(self):
        name = f"k{self.counters}"
        self.counters += 1
        qasm, python = self.condition()
        self.line(f"int[8] {name} = 0;", f"{name} = 0")
        self.qasm.append("  " * self.depth + f"while ({name} < 3 && ({qasm})) {{")
        self.python.append("  " * self.depth + f"while {name} < 3 and ({python}):")
        self.depth += 1
        self.loops += 1
        self.line(f"{name} += 1;", f"{name} += 1")
        for _ in range(self.random.randint(1, 3)):
            self.statement()
        self.loops -= 1
        self.depth -= 1
        self.line("}")

    def write_switch(self):
        target = self.random.choice(VARIABLES)
        labels = self.random.sample(range(-3, 4), 3)
        self.line(f"switch ({target}) {{")
        self.python.append("  " * self.depth + f"chosen = {target}")
        self.block((f"case {labels[0]}, {labels[1]} {{", f"if chosen in ({labels[0]}, {labels[1]}):"))
        self.block((f"case {labels[2]} {{", f"elif chosen == {labels[2]}:"))
        if self.random.random() < 0.5:
            self.block(("default {", "else:"))
        self.line("}")

    def write_call(self):
        if self.functions:
            number = self.random.randrange(self.functions)
            target, (qasm, python) = self.random.choice(VARIABLES), self.number()
            self.line(f"{target} = f{number}({qasm}, w);", f"{target} = f{number}({python}, w)")

    def define(self):
        self.function = True
        name = f"f{self.functions}"
        self.line(f"def {name}(int[8] n0, bit[4] w) -> int[8] {{", f"def {name}(n0, w):")
        self.depth += 1
        for variable in VARIABLES[1:]:
            self.line(f"int[8] {variable} = 1;", f"{variable} = 1")
        for _ in range(3):
            self.statement()
        self.line("return n0 - n1;", "return wrapped(n0 - n1)")
        self.depth -= 1
        self.line("}")
        self.function = False
        self.functions += 1


def written(seed):
    writer = Writer(seed)
    writer.line("OPENQASM 3.1;\nqubit q;\ninput bit[4] w;")
    for _ in range(2):
        writer.define()
    for number, variable in enumerate(VARIABLES):
        writer.line(f"output int[8] r{number};")
        writer.qasm.append(f"int[8] {variable} = {number};")
    writer.python.append("def main(w, r):")
    writer.depth = 1
    for number, variable in enumerate(VARIABLES):
        writer.line("", f"{variable} = {number}")
    for _ in range(5):
        writer.statement()
        for number, variable in enumerate(VARIABLES):
            writer.line(f"r{number} = {variable};", f"r[{number}] = {variable}")
    return "\n".join(writer.qasm), "\n".join(writer.python)


def computed(python, w):
    space = {"wrapped": wrapped, "bit": lambda word, place: word >> place & 1, "End": End}
    exec(python, space)  # noqa: S102 (the program that was written above)
    r = [0] * len(VARIABLES)
    with contextlib.suppress(End):
        space["main"](w, r)
    return {" ".join(f"r{number}={value & 0xFF:08b}" for number, value in enumerate(r)): 1.0}


@pytest.mark.parametrize("seed", range(40))
def test_a_program_computes_what_python_computes(seed, distribution):
    qasm, python = written(seed)
    program = loads(qasm)
    for w in INPUTS:
        wanted = computed(python, w)
        assert distribution(program, {"w": w}) == pytest.approx(wanted), qasm
        assert distribution(loads(qasm, inputs={"w": format(w, "04b")})) == pytest.approx(wanted), qasm


def test_the_programs_tell_their_inputs_apart():
    different = [len({key for w in INPUTS for key in computed(written(seed)[1], w)}) for seed in range(40)]
    assert sum(number > 1 for number in different) >= 30
