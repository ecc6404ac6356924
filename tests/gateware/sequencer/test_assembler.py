# SPDX-License-Identifier: BSD-2-Clause
"""The assembler: what it makes of good text, and what it says about bad."""

import pytest

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.disassembler import instruction_text
from triplane.gateware.sequencer.program import Group, Place, bank_crcs, banks
from triplane.gateware.sequencer.source import AssemblyError


def text(source: str) -> list[str]:
    return [instruction_text(word) for word in assemble(source).words.tolist()]


def errors(source: str) -> str:
    with pytest.raises(AssemblyError) as error:
        assemble(source, file="bad.tasm")
    return str(error.value)


def test_labels_may_be_used_before_they_are_defined():
    assert text("start: jump end\n nop\nend:\n jump start") == ["jump 2", "nop", "jump 0"]


def test_names_groups_and_places():
    program = assemble(
        ".channel drive, 4\n.slot q, 2\n.group both, drive, 1\n.group line, 7 arms q, 5\n\n"
        "play both, 3\ncapture line, 1",
        file="x.tasm",
    )
    assert program.groups == (Group("both", (1, 4)), Group("line", (7,), (2, 5)))
    assert (program.num_channels, program.num_slots) == (8, 6)
    assert program.source == (Place("x.tasm", 6), Place("x.tasm", 7))
    assert program.place(1) == "x.tasm:7, address 1"
    assert program.channel_names == {4: "drive"}


def test_arithmetic():
    assert text(".equ A, 6 * (2 + 3) - 0x_f % 4 << 1\nset r1, A | 1 & ~0\nset r2, -A / 7 ^ 2") == [
        f"set r1, {((6 * 5 - 0xF % 4) << 1) | 1}",
        f"set r2, {(-((6 * 5 - 0xF % 4) << 1) // 7 ^ 2) & 0xFFFFFFFF}",
    ]


def test_units():
    assert text("wait 100ns\nwait 1.5us\nphase 0, 90deg\nphase 0, -0.25turn\nfreq 0, 61.44MHz\nfreq 0, -1Hz") == [
        "wait 25", "wait 369", f"phase 0, {1 << 30}", f"phase 0, {3 << 30}", f"freq 0, {1 << 29}",
        f"freq 0, {2**32 - 9}",
    ]  # fmt: skip


def test_forms_follow_the_operands():
    assert text("add r1, r2, r3\nadd r1, r2, 3\nread r4, 5, 6\nread r4, 5, 6, 7\nplay 0, r1, +2") == [
        "add r1, r2, r3", "add r1, r2, 3", "read r4, 5, 6", "read r4, 5, 6, 7", "play 0, r1, +2",
    ]  # fmt: skip


def test_labels_of_a_macro_are_its_own():
    source = ".macro spin n\nagain:\n loop n, again\n.endmacro\nspin r1\nhere: spin r2\n jump here"
    assert text(source) == ["loop r1, 0", "loop r2, 1", "jump 1"]


def test_macros_call_macros_and_see_the_labels_around_them():
    source = (
        ".macro twice a\n once a\n once (a + 1)\n.endmacro\n"
        ".macro once a\n wait a\n jump out\n.endmacro\n"
        "twice 4\nout: nop"
    )
    assert text(source) == ["wait 4", "jump 4", "wait 5", "jump 4", "nop"]


@pytest.mark.parametrize(
    ("source", "line", "column", "length", "message"),
    [
        ("  plya 0, 1", 1, 3, 4, "there is no instruction 'plya'; did you mean 'play'?"),
        ("nop\nset r1, 2 $", 2, 11, 1, "'$' is no part of any word or number here"),
        ("jump end", 1, 6, 3, "there is no label 'end'"),
        ("ende: nop\njump end", 2, 6, 3, "there is no label 'end'; did you mean 'ende'?"),
        ("add r1, r32, 0", 1, 9, 3, "ra is a register, r0 to r31"),
        ("set r1, 1 << 40", 1, 9, 7, "b must be -2147483648 to 4294967295, not 1099511627776"),
        ("on.one 0, 0, 1ms", 1, 14, 3, "bound must be 0 to 131071, not 245760"),
        ("play 0, 1, 5", 1, 12, 1, "the advance of the cursor is written with a plus"),
        ("play drive, 1", 1, 6, 5, "there is no group 'drive'"),
        ("halt", 1, 1, 4, "'halt' is not written with 0 operands, but: halt value or halt rb"),
        ("a: nop\na: nop", 2, 1, 1, "the label 'a' is at address 0 already"),
        (".equ A, 1\n.equ A, 2", 2, 6, 1, "'A' is given already"),
        ("wait 1 / 0", 1, 8, 1, "1 / 0 has no value"),
        ("wait 3 4", 1, 8, 1, "nothing is expected after the number, not '4'"),
        ("wait (3", 1, 8, 1, "a closing bracket is missing"),
        ("wait 1.5", 1, 6, 3, "1.5 has a fraction; only a number with a unit may have one"),
        ("wait 1s", 1, 6, 2, "there is no unit 's'; there are: ns, us, ms, deg, turn, Hz, kHz, MHz"),
        ("wait X", 1, 6, 1, "there is no constant 'X'; name one with .equ before this line"),
        (".gruop x, 1", 1, 1, 6, "there is no directive '.gruop'; did you mean '.group'?"),
        (".group x, 1 arms", 1, 8, 1, "a group names its channels, and after `arms` its slots"),
        (".channel x, -1", 1, 13, 2, "the number of a channel is 0 to 1023, not -1"),
        (".macro m a\n.endmacro\nm", 3, 1, 1, "m takes a: 1 arguments, not 0"),
        (".macro m\nnop", 1, 1, 6, "this macro has no .endmacro"),
        (".endmacro", 1, 1, 9, "there is no macro that ends here"),
        ("3: nop", 1, 1, 1, "'3' cannot be a label"),
        (", nop", 1, 1, 1, "an instruction is expected, not ','"),
    ],
)  # fmt: skip
def test_errors_say_what_and_where(source, line, column, length, message):
    caret = " " * (column - 1) + "^" + "~" * (length - 1)
    wrong = source.splitlines()[line - 1]
    assert errors(source) == f"bad.tasm:{line}:{column}: {message}\n    {wrong}\n    {caret}"


def test_an_error_in_a_macro_names_its_calls():
    source = ".macro inner x\n set x, 1\n.endmacro\n.macro outer\n inner 5\n.endmacro\nnop\nouter"
    assert errors(source) == (
        "bad.tasm:2:6: rd is a register, r0 to r31\n"
        "     set x, 1\n"
        "         ^\n"
        "  in the macro called at bad.tasm:5: inner 5\n"
        "  in the macro called at bad.tasm:8: outer"
    )


def test_a_macro_that_calls_itself_is_an_error():
    assert "more than 16 deep; does one call itself?" in errors(".macro m\n m\n.endmacro\nm")


def test_several_errors_are_told_at_once_in_the_order_of_lines():
    lines = errors("jump nowhere\nplya\nset r1, $\nset r99, 0").splitlines()
    assert [line.split(": ")[0] for line in lines[::3]] == [
        "bad.tasm:1:6", "bad.tasm:2:1", "bad.tasm:3:9", "bad.tasm:4:5", "4 errors",
    ]  # fmt: skip


def test_tables_become_banks():
    table = banks([1, 1 << 40 | 7], 4, 48)
    assert table.tolist() == [[1, 0], [7, 256], [0, 0], [0, 0]]
    assert len(bank_crcs(table)) == 2
    with pytest.raises(ValueError, match="2 rows do not fit a table of 1"):
        banks([1, 2], 1, 8)
    with pytest.raises(ValueError, match="row 0, 0x100, does not fit a table of 8 bits"):
        banks([256], 4, 8)
