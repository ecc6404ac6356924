# SPDX-License-Identifier: BSD-2-Clause
"""Assembly text becomes a program: labels, constants, groups, macros, and errors that say where and what.

    .channel drive0, 0                  ; names for numbers
    .slot qubit0, 0
    .group drive, drive0                ; index of a group in the order of these lines
    .group readout, 17 arms qubit0      ; a CAPTURE to it arms these slots
    .equ X180, 3
    .macro flip group, gap
        play group, X180, +gap
    .endmacro
    start:
        flip drive, 10ns + 4

Labels of a macro are its own: two calls do not collide. Addresses may be used before their labels, constants may not.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from triplane.gateware.sequencer.expression import Expression, Units
from triplane.gateware.sequencer.isa import MNEMONICS, Instruction, Operand, Operands, forms
from triplane.gateware.sequencer.layouts import ADDRESS_BITS
from triplane.gateware.sequencer.macros import Macros, arguments
from triplane.gateware.sequencer.opcodes import GROUP_BITS, NUM_REGISTERS, SLOT_BITS
from triplane.gateware.sequencer.program import Group, Place, Program
from triplane.gateware.sequencer.source import AssemblyError, Complaint, Diagnostic, Line, Token, read_lines

CLOCK_HZ = 245_760_000
REGISTERS = {f"r{k}": k for k in range(NUM_REGISTERS)}
DIRECTIVES = (".channel", ".slot", ".group", ".equ", ".macro", ".endmacro")
MAX_CHANNELS = 1 << 10


@dataclass(frozen=True)
class _Statement:
    """An instruction whose addresses are not known yet."""

    line: Line
    form: Instruction
    arguments: tuple[tuple[Token, ...], ...]


def assemble(text: str, *, file: str = "program", clock_hz: int = CLOCK_HZ) -> Program:
    """Assembles a program.

    Args:
        text: source.
        file: its name, for errors and the source map.
        clock_hz: what times and frequencies with units are counted by.

    Raises:
        AssemblyError: with every error that could be found, each with file, line, column and the text that it is about.
    """
    return _Assembler(clock_hz).run(text, file)


class _Assembler:
    def __init__(self, clock_hz: int) -> None:
        self.units = Units(clock_hz)
        self.errors: list[Diagnostic] = []
        self.constants: dict[str, int] = {}
        self.channels: dict[str, int] = {}
        self.slots: dict[str, int] = {}
        self.groups: dict[str, Group] = {}
        self.macros = Macros(self.errors)
        self.labels: dict[tuple[int, str], int] = {}
        self.statements: list[_Statement] = []

    def run(self, text: str, file: str) -> Program:
        for line in self.macros.expand(read_lines(text, file, self.errors)):
            self._guarded(line, self._statement)
        words = [self._guarded(statement.line, self._word, statement) for statement in self.statements]
        if self.errors:
            raise AssemblyError(sorted(self.errors, key=lambda e: (_outermost(e.line).number, e.column)))
        return Program(
            words=np.array(words, dtype=np.uint64),
            groups=tuple(self.groups.values()),
            labels={name: address for (scope, name), address in self.labels.items() if scope == 0},
            source=tuple(Place(_outermost(s.line).file, _outermost(s.line).number) for s in self.statements),
            channels=self.channels,
            slots=self.slots,
        )

    def _guarded(self, line, action, *arguments):
        """Runs `action` on a line; a complaint becomes an error, and the next line is read."""
        try:
            return action(line, *arguments)
        except Complaint as complaint:
            self.errors.append(complaint.at(line))
            return 0

    # Lines

    def _statement(self, line: Line) -> None:
        tokens = line.tokens
        if len(tokens) > 1 and tokens[1].text == ":":
            self._label(line, tokens[0])
            tokens = tokens[2:]
        if not tokens:
            return
        head, rest = tokens[0], tokens[1:]
        if head.kind != "name":
            raise Complaint(f"an instruction is expected, not {head.text!r}", head)
        if head.text.startswith("."):
            self._directive(head, rest)
            return
        found = forms(head.text)
        if not found:
            raise Complaint(
                f"there is no instruction {head.text!r}{_near(head.text, (*MNEMONICS, *self.macros.names))}",
                head,
            )
        address = len(self.statements)
        if address >> ADDRESS_BITS:
            raise Complaint(f"a program has at most {1 << ADDRESS_BITS} instructions", head)
        # The address of what follows stays right even if the operands are wrong.
        self.statements.append(_Statement(line, found[0], ()))
        given = arguments(rest)
        self.statements[-1] = _Statement(line, _choose(found, head, given), given)

    def _label(self, line: Line, token: Token) -> None:
        if token.kind != "name" or token.text.startswith(".") or token.text in REGISTERS:
            raise Complaint(f"{token.text!r} cannot be a label", token)
        key = line.scope, token.text
        if key in self.labels:
            raise Complaint(f"the label {token.text!r} is at address {self.labels[key]} already", token)
        self.labels[key] = len(self.statements)

    def _directive(self, head: Token, rest: tuple[Token, ...]) -> None:
        if head.text not in DIRECTIVES:
            raise Complaint(f"there is no directive {head.text!r}{_near(head.text, DIRECTIVES)}", head)
        if not rest or rest[0].kind != "name":
            raise Complaint(f"{head.text} needs a name", *rest[:1])
        name = rest[0]
        if len(rest) < 3 or rest[1].text != ",":
            raise Complaint(f"{head.text} {name.text} needs a comma and a number", *rest[1:2])
        if name.text in REGISTERS:
            raise Complaint(f"{name.text} is a register", name)
        numbers = {".channel": self.channels, ".slot": self.slots, ".equ": self.constants}
        if name.text in numbers.get(head.text, self.groups):
            raise Complaint(f"{name.text!r} is given already", name)
        if head.text == ".group":
            self._group(name, rest[2:])
            return
        value = self._whole(rest[2:], self.constants)
        most = {".channel": MAX_CHANNELS, ".slot": 1 << SLOT_BITS}.get(head.text)
        if most is not None and not 0 <= value < most:
            raise Complaint(
                f"the number of a {head.text[1:]} is 0 to {most - 1}, not {value}", rest[2], rest[-1]
            )
        numbers[head.text][name.text] = value

    def _group(self, name: Token, rest: tuple[Token, ...]) -> None:
        if len(self.groups) == 1 << GROUP_BITS:
            raise Complaint(f"there are at most {1 << GROUP_BITS} groups", name)
        cut = next((k for k, token in enumerate(rest) if token.text == "arms"), len(rest))
        channels = [self._named(a, self.channels, "channel", MAX_CHANNELS) for a in arguments(rest[:cut])]
        slots = [self._named(a, self.slots, "slot", 1 << SLOT_BITS) for a in arguments(rest[cut + 1 :])]
        if not channels or (cut < len(rest) and not slots):
            raise Complaint("a group names its channels, and after `arms` its slots", name)
        self.groups[name.text] = Group(name.text, tuple(sorted(set(channels))), tuple(sorted(set(slots))))

    # Operands

    def _whole(self, tokens: tuple[Token, ...], names: dict[str, int]) -> int:
        expression = Expression(tokens, 0, names, self.units)
        value = expression.value()
        if expression.next is not None:
            raise Complaint(
                f"nothing is expected after the number, not {expression.next.text!r}", expression.next
            )
        return value

    def _named(self, tokens: tuple[Token, ...], names: dict[str, int], what: str, most: int) -> int:
        """A thing by its name, or by its number."""
        if not tokens:
            raise Complaint(f"a {what} is missing here")
        if len(tokens) == 1 and tokens[0].kind == "name" and tokens[0].text not in self.constants:
            if tokens[0].text not in names:
                raise Complaint(
                    f"there is no {what} {tokens[0].text!r}{_near(tokens[0].text, names)}", tokens[0]
                )
            return names[tokens[0].text]
        value = self._whole(tokens, self.constants)
        if not 0 <= value < most:
            raise Complaint(f"the number of a {what} is 0 to {most - 1}, not {value}", tokens[0], tokens[-1])
        return value

    def _word(self, line: Line, statement: _Statement) -> int:
        given = list(statement.arguments)
        values = []
        for operand in statement.form.operands:
            if operand.kind == Operands.ADVANCE and not given:
                values.append(0)
            elif not given:
                return 0  # told when the form was chosen
            else:
                values.append(self._operand(line, operand, given.pop(0)))
        return statement.form.encode(values)

    def _operand(self, line: Line, operand: Operand, tokens: tuple[Token, ...]) -> int:
        if not tokens:
            raise Complaint(f"{operand.name} is missing here")
        kind = operand.kind
        if kind == Operands.REGISTER:
            if len(tokens) != 1 or tokens[0].text not in REGISTERS:
                raise Complaint(
                    f"{operand.name} is a register, r0 to r{NUM_REGISTERS - 1}", tokens[0], tokens[-1]
                )
            return REGISTERS[tokens[0].text]
        if kind == Operands.ADDRESS:
            return self._address(line, tokens)
        if kind == Operands.GROUP:
            index = {name: k for k, name in enumerate(self.groups)}
            return self._named(tokens, index, "group", 1 << GROUP_BITS)
        if kind == Operands.SLOT:
            return self._named(tokens, self.slots, "slot", 1 << SLOT_BITS)
        if kind == Operands.ADVANCE and tokens[0].text != "+":
            raise Complaint("the advance of the cursor is written with a plus", tokens[0], tokens[-1])
        value = self._whole(tokens, self.constants)
        least, most = operand.range
        if not least <= value <= most:
            raise Complaint(f"{operand.name} must be {least} to {most}, not {value}", tokens[0], tokens[-1])
        return value

    def _address(self, line: Line, tokens: tuple[Token, ...]) -> int:
        if len(tokens) == 1 and tokens[0].kind == "name" and tokens[0].text not in self.constants:
            for scope in _scopes(line):
                if (scope, tokens[0].text) in self.labels:
                    return self.labels[scope, tokens[0].text]
            known = [name for scope, name in self.labels if scope in _scopes(line)]
            raise Complaint(f"there is no label {tokens[0].text!r}{_near(tokens[0].text, known)}", tokens[0])
        value = self._whole(tokens, self.constants)
        if not 0 <= value < 1 << ADDRESS_BITS:
            raise Complaint(
                f"an address is 0 to {(1 << ADDRESS_BITS) - 1}, not {value}", tokens[0], tokens[-1]
            )
        return value


def _choose(found: list[Instruction], head: Token, arguments: tuple[tuple[Token, ...], ...]) -> Instruction:
    """The form whose operands are as many, and registers where registers are given."""

    def counts(form: Instruction) -> bool:
        optional = any(o.kind == Operands.ADVANCE for o in form.operands)
        return len(form.operands) - optional <= len(arguments) <= len(form.operands)

    fitting = [form for form in found if counts(form)]
    if not fitting:
        written = " or ".join(dict.fromkeys(form.syntax for form in found))
        raise Complaint(f"{head.text!r} is not written with {len(arguments)} operands, but: {written}", head)

    def agrees(form: Instruction) -> int:
        return sum(
            (operand.kind == Operands.REGISTER) == (len(tokens) == 1 and tokens[0].text in REGISTERS)
            for operand, tokens in zip(form.operands, arguments, strict=False)
        )

    return max(fitting, key=agrees)


def _near(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _outermost(line: Line) -> Line:
    while line.called_from is not None:
        line = line.called_from
    return line


def _scopes(line: Line) -> list[int]:
    """Scopes whose labels a line sees, its own first."""
    scopes = [line.scope]
    while line.called_from is not None:
        line = line.called_from
        scopes.append(line.scope)
    return scopes
