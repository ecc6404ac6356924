# SPDX-License-Identifier: BSD-2-Clause
"""A program becomes text again, which assembles to the same program."""

from __future__ import annotations

from collections.abc import Iterator

from triplane.gateware.sequencer.isa import Operand, Operands, find
from triplane.gateware.sequencer.program import Program


def disassemble(program: Program) -> str:
    """Source text of a program, with its names where it has them.

    Raises:
        ValueError: a word is no instruction; the message has its address.
    """
    return "\n".join(_lines(program)) + "\n"


def instruction_text(word: int, program: Program | None = None, address: int = 0) -> str:
    """One instruction as text, with the names of `program`.

    Raises:
        ValueError: the word is no instruction.
    """
    form = find(word)
    if form is None:
        raise ValueError(f"{word:#018x} at address {address} is no instruction")
    values = [(operand, operand.extract(word)) for operand in form.operands]
    shown = [
        _operand(operand, value, program)
        for operand, value in values
        if not (operand.kind == Operands.ADVANCE and value == 0)
    ]
    return f"{form.mnemonic} {', '.join(shown)}".strip()


def _lines(program: Program) -> Iterator[str]:
    for table, numbers in ((".channel", program.channels), (".slot", program.slots)):
        for name, number in numbers.items():
            yield f"{table} {name}, {number}"
    for group in program.groups:
        arms = f" arms {', '.join(map(str, group.slots))}" if group.slots else ""
        yield f".group {group.name}, {', '.join(map(str, group.channels))}{arms}"
    names: dict[int, list[str]] = {}
    for name, address in program.labels.items():
        names.setdefault(address, []).append(name)
    for address, word in enumerate(program.words.tolist()):
        yield from (f"{name}:" for name in names.get(address, []))
        yield f"    {instruction_text(word, program, address)}"
    yield from (f"{name}:" for name in names.get(len(program.words), []))


def _operand(operand: Operand, value: int, program: Program | None) -> str:
    if operand.kind == Operands.REGISTER:
        return f"r{value}"
    if operand.kind == Operands.ADVANCE:
        return f"+{value}"
    if program is not None:
        if operand.kind == Operands.GROUP and value < len(program.groups):
            return program.groups[value].name
        tables = {Operands.SLOT: program.slots, Operands.ADDRESS: program.labels}
        for name, number in tables.get(operand.kind, {}).items():
            if number == value:
                return name
    return str(value)
