# SPDX-License-Identifier: BSD-2-Clause
"""Conditions of a compiled circuit in its own words, by the branches that they became."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from triplane.gateware.sequencer.isa import TARGET, find

if TYPE_CHECKING:
    from triplane.host.compiler.circuits import CompiledCircuit
    from triplane.host.compiler.circuits.expressions import Expression

SIGNS = {
    "eq": "=", "ne": "!=", "lt": "<", "le": "<=", "land": "and", "lor": "or", "add": "+", "sub": "-", "mul": "*",
    "shl": "<<", "shr": ">>", "and": "&", "or": "|", "xor": "^",
}  # fmt: skip

Texts = tuple[str, str]
Namer = Callable[..., str]
"""Numbers of classical bits, the first of which weighs least -> what they are called."""


def condition_texts(compiled: CompiledCircuit) -> dict[int, Texts]:
    """Address of a branch -> what holds where it is taken, and where it is not.

    Labels of the program are numbered in the order in which the tree of the schedule is walked. Branches whose labels
    are more or fewer than the conditions in the tree are left out.
    """
    from triplane.host.compiler.circuits.expressions import inverted
    from triplane.host.compiler.circuits.tree import If, Switch, While, walk

    lines = compiled.source.splitlines()
    numbers: dict[str, list[int]] = {}
    for line in lines:
        label = re.fullmatch(r"(otherwise|while|case)_(\d+):", line)
        if label:
            numbers.setdefault(label[1], []).append(int(label[2]))
    wanted = Counter[str]()
    for node in walk(compiled.scheduled):
        wanted["otherwise"] += isinstance(node, If)
        wanted["while"] += isinstance(node, While)
        wanted["case"] += len(node.cases) if isinstance(node, Switch) else 0
    labels = {stem: iter(sorted(found)) for stem, found in numbers.items() if len(found) == wanted[stem]}
    said: dict[str, Callable[[str], Texts]] = {}
    name = _namer(compiled)
    for node in walk(compiled.scheduled):
        match node:
            case If() if "otherwise" in labels:
                condition = node.condition if node.then else inverted(node.condition)
                said[f"otherwise_{next(labels['otherwise'])}"] = _constant(_unless(condition, name))
            case While() if "while" in labels:
                # `Emission` takes the label of the end just before that of the head.
                said[f"end_{next(labels['while']) - 1}"] = _constant(_unless(node.condition, name))
            case Switch() if "case" in labels:
                target = words(node.target, name)
                for _ in node.cases:
                    said[f"case_{next(labels['case'])}"] = lambda value, target=target: (  # type: ignore[misc]
                        f"{target} = {value}", f"{target} != {value}",
                    )  # fmt: skip
            case _:
                pass
    return dict(_of_branches(compiled, lines, said))


def _of_branches(
    compiled: CompiledCircuit, lines: list[str], said: dict[str, Callable[[str], Texts]]
) -> Iterator[tuple[int, Texts]]:
    program = compiled.template.sequence
    for address, word in enumerate(program.words.tolist()):
        form = find(word)
        if form is None or TARGET not in form.operands or form.mnemonic[0] != "b":
            continue
        operands = lines[program.source[address].line - 1].replace(",", " ").split()
        if operands[-1] in said:
            yield address, said[operands[-1]](operands[-2])


def _unless(condition: Expression, name: Namer) -> Texts:
    from triplane.host.compiler.circuits.expressions import inverted

    return words(inverted(condition), name), words(condition, name)


def _constant(texts: Texts) -> Callable[[str], Texts]:
    return lambda _: texts


def _namer(compiled: CompiledCircuit) -> Namer:
    circuit = compiled.transpiled
    whole = {
        tuple(circuit.find_bit(bit).index for bit in register): register.name for register in circuit.cregs
    }

    def name(*numbers: int) -> str:
        if len(numbers) == 1:
            for register, index in circuit.find_bit(circuit.clbits[numbers[0]]).registers:
                return f"{register.name}[{index}]" if register.size > 1 else str(register.name)
            return f"bit {numbers[0]}"
        return whole.get(numbers) or f"({', '.join(name(number) for number in reversed(numbers))})"

    return name


def words(expression: Expression, name: Namer) -> str:
    """An expression (`host.compiler.circuits.expressions`) as a person writes it.

    name: what bits are called.
    """
    match expression:
        case ("const" | "var", value):
            return str(value)
        case ("bit", number):
            return name(number)
        case ("bits", numbers):
            return name(*numbers)
        case ("lnot", inner):
            return f"not {_part(inner, name)}"
        case ("not" | "neg", inner, _):
            return f"{'~' if expression[0] == 'not' else '-'}{words(inner, name)}"
        case ("low", inner, _):
            return words(inner, name)
        case (operation, left, right, *_):
            return f"{_part(left, name)} {SIGNS[operation]} {_part(right, name)}"
        case _:
            return str(expression)


def _part(expression: Expression, name: Namer) -> str:
    text = words(expression, name)
    return text if expression[0] in ("const", "var", "bit", "bits") else f"({text})"
