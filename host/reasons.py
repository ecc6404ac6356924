# SPDX-License-Identifier: BSD-2-Clause
"""Why a sequencer's program executes an instruction: the branch around it that decided so.

An instruction between a branch and its target is executed where the branch is not taken; one behind the target where it
is, if the way from above ends before it. So are programs of the compiler, and most of those written by hand; nothing is
said of blocks that somebody jumps into.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from triplane.gateware.sequencer.isa import Instruction, find
from triplane.gateware.sequencer.program import Program

SAID = {
    "on.one": ("{slot} = 1", "{slot} = 0"),
    "on.zero": ("{slot} = 0", "{slot} = 1"),
    "on.leaked": ("{slot} leaked", "{slot} not leaked"),
    "on.kept": ("{slot} not leaked", "{slot} leaked"),
    "on.atleast": ("{slot} soft >= {threshold}", "{slot} soft < {threshold}"),
    "on.below": ("{slot} soft < {threshold}", "{slot} soft >= {threshold}"),
    "frame.one": ("frame bit {bit} = 1", "frame bit {bit} = 0"),
    "frame.zero": ("frame bit {bit} = 0", "frame bit {bit} = 1"),
    "beq": ("{ra} = {b}", "{ra} != {b}"),
    "bne": ("{ra} != {b}", "{ra} = {b}"),
    "blt": ("{ra} < {b}", "{ra} >= {b}"),
    "bge": ("{ra} >= {b}", "{ra} < {b}"),
    "bltu": ("{ra} < {b}", "{ra} >= {b}"),
    "bgeu": ("{ra} >= {b}", "{ra} < {b}"),
}
"""Branch -> what holds where it is taken, and where it is not."""

ENDS = ("jump", "halt", "return")
"""Behind these the next instruction is only come to by a branch."""


@dataclass(frozen=True)
class Reason:
    """What had to hold.

    Attributes:
        branch: address of the branch.
        text: in words, such as `q0 = 1`.
        slot: whose result it was; None for registers and the frame.
    """

    branch: int
    text: str
    slot: int | None


def reasons(
    program: Program,
    slots: Mapping[int, str] | None = None,
    conditions: Mapping[int, tuple[str, str]] | None = None,
) -> dict[int, Reason]:
    """Address -> the innermost reason; instructions that are always executed are not in it.

    Args:
        program: assembled.
        slots: measurement slot -> its name; without it that of the program, or its number.
        conditions: address of a branch -> what holds where it is taken and where it is not, instead of its registers.
    """
    names = {number: name for name, number in program.slots.items()} | dict(slots or {})
    found: dict[int, Reason] = {}
    # Ascending by where the blocks begin, so that inner ones come later.
    for first, end, reason in sorted(_blocks(program, names, conditions or {}), key=lambda block: block[0]):
        found.update(dict.fromkeys(range(first, end), reason))
    return found


def _blocks(
    program: Program, names: Mapping[int, str], conditions: Mapping[int, tuple[str, str]]
) -> Iterator[tuple[int, int, Reason]]:
    """(first address, address behind the last, reason) of what follows branches that lead on."""
    forms = [find(word) for word in program.words.tolist()]
    for address, form in enumerate(forms):
        if form is None or form.mnemonic not in SAID:
            continue
        values = _values(form, int(program.words[address]))
        target, slot = values["target"], values.get("slot")
        if target <= address + 1:
            continue
        shown = {name: str(value) for name, value in values.items()}
        if slot is not None:
            shown["slot"] = names.get(slot, f"slot {slot}")
        for register in form.operands:
            if register.name in values and register.kind.name == "REGISTER":
                shown[register.name] = f"r{values[register.name]}"
        texts = conditions.get(address) or [text.format(**shown) for text in SAID[form.mnemonic]]
        taken, passed = (Reason(address, text, slot) for text in texts)
        yield address + 1, target, passed
        last = forms[target - 1]
        if last is not None and last.mnemonic in ENDS:
            end = len(forms)
            if last.mnemonic == "jump":
                end = _values(last, int(program.words[target - 1]))["target"]
            if end > target:
                yield target, end, taken


def _values(form: Instruction, word: int) -> dict[str, int]:
    return {operand.name: operand.extract(word) for operand in form.operands}
