# SPDX-License-Identifier: BSD-2-Clause
"""The specification of the instruction set, printed from its declaration.

python -m triplane.gateware.sequencer.specification docs/isa.md            # write
python -m triplane.gateware.sequencer.specification docs/isa.md --check    # exit 1 and print the difference
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

from triplane.gateware.sequencer.isa import INSTRUCTIONS, Instruction, Operands
from triplane.gateware.sequencer.layouts import (
    ADDRESS_BITS,
    BRANCH_CYCLES,
    EVENT_TO_RELEASE,
    FAULTS,
    KINDS,
    LEAD,
    OUTCOMES,
    RESULT_TO_EVENT,
    SAFE_CYCLES,
    START_LEAD,
    START_TO_EXECUTE,
    TRACE,
    Fault,
)
from triplane.gateware.sequencer.opcodes import NUM_REGISTERS, OPCODE_OFFSET, WORD_BITS, Unit

UNITS = {
    Unit.EVENT: "Events",
    Unit.TIME: "The cursor",
    Unit.RESULT: "Results of measurements",
    Unit.FRAME: "The Pauli frame, and `sync`",
    Unit.ALU: "Registers",
    Unit.ALU_BY_REGISTER: "Registers",
    Unit.BRANCH: "Comparisons",
    Unit.CONTROL: "Control",
}
"""Unit -> heading of its instructions."""

INTRODUCTION = f"""# Instruction set

Generated from the declaration in `triplane.gateware.sequencer.isa` by
`python -m triplane.gateware.sequencer.specification docs/isa.md`. How programs are written is in [](sequencer.md).

An instruction is a word of {WORD_BITS} bits; bits {WORD_BITS - 1}..{OPCODE_OFFSET} are its opcode. Bits that no
operand takes are 0. Addresses count instructions, up to {1 << ADDRESS_BITS:,}, and wrap at the end of program
memory. There are {NUM_REGISTERS} registers of 32 bits; `r0` is always 0. They keep what the host or the last
program has left in them. `b` is a register or a number of 32 bits, from -2**31 to 2**32 - 1. Memory that was never
written is illegal.

**Time.** The cursor is the time of the next event. Events carry its low 32 bits, compared modulo 2**32 as signed
differences: an event is at most 2**31 - 1 cycles ahead. A program starts with the cursor {START_LEAD} cycles after
the start, and its first instruction is executed {START_TO_EXECUTE} cycles after it. An instruction takes one cycle;
one that goes elsewhere than to the next takes {BRANCH_CYCLES}. An event leaves the dispatcher in the cycle after
its instruction was executed, and the queue of its channel one cycle later at the earliest.

**Waits.** A wait looks at its slot every cycle from the one after its execution on, for the last time `bound`
cycles after the first. From a result valid to the event of either branch leaving the dispatcher are
{RESULT_TO_EVENT} cycles, to its release from the channel's queue {RESULT_TO_EVENT + EVENT_TO_RELEASE}. When a wait
ends, with a result or at its fall-back, the cursor moves to {LEAD} cycles after that, unless it is later: an event
that comes next is due at once, and in a fixed number of cycles after the result. Instructions between the wait and
the event take their cycles: give the cursor as many. A program that wants its next event at a fixed time moves the
cursor there before it waits.

**Results.** A CAPTURE to a group arms the slots of that group: they have no result until that of this very
measurement has come. To wait for a slot that has no result, and that no measurement is on its way for, is a fault.
"""

ENCODINGS = {
    Operands.REGISTER: "register",
    Operands.NUMBER: "number",
    Operands.SIGNED: "signed number",
    Operands.GROUP: "group",
    Operands.SLOT: "slot",
    Operands.ADDRESS: "address",
    Operands.ADVANCE: "number of cycles, 0 if left out",
}


def page() -> str:
    """The page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    for heading in dict.fromkeys(UNITS.values()):
        yield from (f"## {heading}", "")
        mnemonics: dict[str, list[Instruction]] = {}
        for instruction in INSTRUCTIONS:
            if UNITS[instruction.unit] == heading:
                mnemonics.setdefault(instruction.mnemonic, []).append(instruction)
        for mnemonic, forms in mnemonics.items():
            yield from _instruction(mnemonic, forms)
    yield from ("## Kinds of events", "", "| kind | name | at its time |", "|---|---|---|")
    yield from (f"| {kind:d} | {kind.name} | {meaning} |" for kind, meaning in KINDS.items())
    yield from ("", "## Faults", "")
    yield (
        f"The first fault puts the board into its safe state, {SAFE_CYCLES} cycles after it arose. No instruction "
        "follows one that has a fault itself; after a fault of a channel one more cycle is executed."
    )
    yield from ("", "| code | fault | meaning |", "|---|---|---|")
    yield from (
        f"| {f:d} | {f.name.lower()} | {meaning} |" for f, meaning in FAULTS.items() if f != Fault.NONE
    )
    yield from (
        "",
        "## Trace records",
        "",
        TRACE.table(),
        "",
        "| kind | outcome | meaning |",
        "|---|---|---|",
    )
    yield from (
        f"| {o:d} | {o.name.lower().replace('_', ' ')} | {meaning} |" for o, meaning in OUTCOMES.items()
    )


def _instruction(mnemonic: str, forms: list[Instruction]) -> Iterator[str]:
    first = forms[0]
    faults = [fault.name.lower() for fault in dict.fromkeys(f for form in forms for f in form.faults)]
    yield from (f"### `{mnemonic}`", "", f"{first.meaning[0].upper()}{first.meaning[1:]}.", "")
    yield f"Cycles: {first.cycles}." + (f" Faults: {', '.join(faults)}." if faults else "")
    yield from ("", "| written | opcode | operands |", "|---|---|---|")
    for form in forms:
        operands = "; ".join(
            f"`{o.name}` {o.low + o.bits - 1}..{o.low}, {ENCODINGS[o.kind]}" for o in form.operands
        )
        yield f"| `{form.syntax}` | `{form.opcode:#04x}` | {operands} |"
    yield ""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m triplane.gateware.sequencer.specification", description="Instruction set as Markdown."
    )
    parser.add_argument("path", type=Path, help="docs/isa.md")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the page is out of date"
    )
    options = parser.parse_args(arguments)
    path, text = options.path, page()
    if not options.check:
        path.write_text(text)
        return 0
    old = path.read_text() if path.exists() else ""
    difference = [
        *difflib.unified_diff(old.splitlines(), text.splitlines(), str(path), "generated", lineterm="")
    ]
    if difference:
        print(*difference, f"{path} is out of date; run without --check", sep="\n", file=sys.stderr)
    return int(bool(difference))


if __name__ == "__main__":
    sys.exit(main())
