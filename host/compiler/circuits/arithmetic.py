# SPDX-License-Identifier: BSD-2-Clause
"""Classical expressions as instructions of the sequencer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from triplane.host.compiler.circuits.expressions import MAX_BITS, Expression, inverted
from triplane.host.compiler.circuits.registers import Registers
from triplane.host.compiler.circuits.writer import Writer

WHAT = "a classical expression"
_UNLESS = {"eq": "bne", "ne": "beq", "lt": "bgeu"}
"""Operation -> branch to where it does not hold."""


class Arithmetic:
    """Writes the instructions of expressions.

    Args:
        writer: where to.
        registers: of bits, variables and what is between.
    """

    def __init__(self, writer: Writer, registers: Registers) -> None:
        self.writer, self.registers = writer, registers

    def into(self, register: int, expression: Expression) -> None:
        """Compute an expression; the register may be one that it reads."""
        match expression:
            case ("const" | "var", _):
                self.writer.do(f"set r{register}, {self._simple(expression)}")
            case ("bit", number):
                self._field(register, [number])
            case ("bits", numbers):
                self._field(register, list(numbers))
            case ("not", inner, width):
                self._operate("xor", register, inner, ("const", 2**width - 1))
            case ("neg", inner, width):
                self._operate("sub", register, ("const", 0), inner)
                self._wrap(register, width)
            case ("low", inner, width):
                self.into(register, inner)
                self._wrap(register, width)
            case (("and" | "or" | "xor") as name, left, right):
                self._operate(name, register, left, right)
            case (("add" | "sub") as name, left, right, width):
                self._operate(name, register, left, right)
                self._wrap(register, width)
            case ("shl", left, right, width):
                self._shift("shl", register, left, right)
                self._wrap(register, width)
            case ("shr", left, right):
                self._shift("shr", register, left, right)
            case ("mul", left, ("const", factor), width):
                self._times(register, left, factor, width)
            case _:
                self._choose(register, expression)

    def put(self, numbers: Sequence[int], expression: Expression) -> None:
        """Compute an expression, and give its bits to classical ones, the lowest to the first."""
        with self.registers.temporary(WHAT) as value, self.registers.temporary(WHAT) as part:
            self.into(value, expression)
            for place, word, bit, width in self._runs(numbers):
                mask = 2**width - 1
                self.writer.do(f"shr r{part}, r{value}, {place}")
                self.writer.do(f"and r{part}, r{part}, {mask}")
                if bit:
                    self.writer.do(f"shl r{part}, r{part}, {bit}")
                self.writer.do(f"and r{word}, r{word}, {2**MAX_BITS - 1 - (mask << bit)}")
                self.writer.do(f"or r{word}, r{word}, r{part}")

    def unless(self, expression: Expression, target: str) -> None:
        """Go to a label further on where the expression is 0."""
        writer = self.writer
        match expression:
            case ("land", left, right):
                self.unless(left, target)
                self.unless(right, target)
            case ("lor", left, right):
                holds = writer.label("holds")
                self.unless(inverted(left), holds)
                self.unless(right, target)
                writer.here(holds)
            case ("lnot", ("lor", left, right)):
                self.unless(("land", inverted(left), inverted(right)), target)
            case ("lnot", ("land", left, right)):
                self.unless(("lor", inverted(left), inverted(right)), target)
            case (("eq" | "ne" | "lt") as name, left, right):
                self._compare(_UNLESS[name], left, right, target)
            case ("le", left, right):
                self._compare("bltu", right, left, target)
            case ("lnot", ("lt", left, right)):
                self.unless(("le", right, left), target)
            case ("lnot", ("le", left, right)):
                self.unless(("lt", right, left), target)
            case ("lnot", inner):
                self._compare("bne", inner, ("const", 0), target)
            case _:
                self._compare("beq", expression, ("const", 0), target)

    def _simple(self, expression: Expression) -> str:
        """A constant or a variable as an operand."""
        if expression[0] == "const":
            return str(expression[1])
        if expression[0] == "temp":
            return f"r{expression[1]}"
        return f"r{self.registers.variables[expression[1]]}"

    def _compare(self, branch: str, left: Expression, right: Expression, target: str) -> None:
        with ExitStack() as held:
            a = self._register(left, held)
            b = self._operand(right, held)
            self.writer.branch(f"{branch} {a}, {b}, {target}", target)

    def _register(self, expression: Expression, held: ExitStack, spare: int | None = None) -> str:
        """A register that has the value: its own, a spare one, or a temporary one that is held."""
        if expression[0] in ("var", "temp"):
            return self._simple(expression)
        if spare is None:
            spare = held.enter_context(self.registers.temporary(WHAT))
        self.into(spare, expression)
        return f"r{spare}"

    def _operand(self, expression: Expression, held: ExitStack) -> str:
        """The same, or a number."""
        return self._simple(expression) if expression[0] == "const" else self._register(expression, held)

    def _operate(self, name: str, register: int, left: Expression, right: Expression) -> None:
        with ExitStack() as held:
            # A temporary one is read by nothing yet: deep expressions need no further register for their left side.
            spare = register if self.registers.is_temporary(register) else None
            a = self._register(left, held, spare)
            b = self._operand(right, held)
            self.writer.do(f"{name} r{register}, {a}, {b}")

    def _shift(self, name: str, register: int, left: Expression, right: Expression) -> None:
        """The sequencer shifts by the lowest 5 bits of its operand; further is 0."""
        if right[0] == "const":
            if right[1] >= MAX_BITS:
                self.into(register, ("const", 0))
            else:
                self._operate(name, register, left, right)
            return
        with self.registers.temporary(WHAT) as by, self.registers.temporary(WHAT) as shifted:
            self.into(by, right)
            self._operate(name, shifted, left, ("temp", by))
            far, end = self.writer.label("far"), self.writer.label("shifted")
            self.writer.branch(f"bgeu r{by}, {MAX_BITS}, {far}", far)
            self.writer.do(f"set r{register}, r{shifted}")
            self.writer.jump(end)
            self.writer.here(far, falls=False)
            self.writer.do(f"set r{register}, 0")
            self.writer.here(end)

    def _times(self, register: int, left: Expression, factor: int, width: int) -> None:
        """By shifts and additions."""
        with self.registers.temporary(WHAT) as value, self.registers.temporary(WHAT) as total:
            self.into(value, left)
            self.writer.do(f"set r{total}, 0")
            done = 0
            for place in range(min(width, MAX_BITS)):
                if factor >> place & 1:
                    if place > done:
                        self.writer.do(f"shl r{value}, r{value}, {place - done}")
                        done = place
                    self.writer.do(f"add r{total}, r{total}, r{value}")
            self.writer.do(f"set r{register}, r{total}")
        self._wrap(register, width)

    def _wrap(self, register: int, width: int) -> None:
        if width < MAX_BITS:
            self.writer.do(f"and r{register}, r{register}, {2**width - 1}")

    def _runs(self, numbers: Sequence[int]) -> list[tuple[int, int, int, int]]:
        """Bits that are neighbours: place of the first in a value, register, place in that, how many."""
        runs: list[tuple[int, int, int, int]] = []
        for place, number in enumerate(numbers):
            word, bit = self.registers.bit(number)
            if runs and (word, bit) == (runs[-1][1], runs[-1][2] + runs[-1][3]):
                runs[-1] = (*runs[-1][:3], runs[-1][3] + 1)
            else:
                runs.append((place, word, bit, 1))
        return runs

    def _field(self, register: int, numbers: list[int]) -> None:
        """Bits of their registers, put together; neighbours at once."""
        with self.registers.temporary(WHAT) as part:
            for number, (place, word, bit, width) in enumerate(self._runs(numbers)):
                into = part if number else register
                source = word
                if bit:
                    self.writer.do(f"shr r{into}, r{source}, {bit}")
                    source = into
                if bit + width < MAX_BITS or source == word:
                    self.writer.do(f"and r{into}, r{source}, {2**width - 1}")
                if place:
                    self.writer.do(f"shl r{into}, r{into}, {place}")
                if number:
                    self.writer.do(f"or r{register}, r{register}, r{into}")

    def _choose(self, register: int, expression: Expression) -> None:
        """1 or 0."""
        no, end = self.writer.label("no"), self.writer.label("chosen")
        self.unless(expression, no)
        self.writer.do(f"set r{register}, 1")
        self.writer.jump(end)
        self.writer.here(no, falls=False)
        self.writer.do(f"set r{register}, 0")
        self.writer.here(end)
