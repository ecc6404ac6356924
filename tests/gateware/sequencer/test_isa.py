# SPDX-License-Identifier: BSD-2-Clause
"""The instruction set: encodings do not collide, and every instruction survives the way to text and back."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.disassembler import disassemble, instruction_text
from triplane.gateware.sequencer.isa import BY_OPCODE, INSTRUCTIONS, MNEMONICS, find, forms
from triplane.gateware.sequencer.opcodes import OPCODE_OFFSET
from triplane.gateware.sequencer.program import Group, Program
from triplane.gateware.sequencer.specification import main, page

DOCS = Path(__file__).resolve().parents[3] / "docs"


@st.composite
def words(draw, form):
    return form.encode([draw(st.integers(*operand.range)) for operand in form.operands])


@pytest.mark.parametrize("form", INSTRUCTIONS, ids=lambda f: f"{f.mnemonic}-{f.opcode:#x}")
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_every_instruction_survives_the_way_to_text_and_back(form, data):
    word = data.draw(words(form))
    assert find(word) == form
    assert assemble(instruction_text(word)).words.tolist() == [word]


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_programs_survive_it(data):
    chosen = data.draw(st.lists(st.sampled_from(INSTRUCTIONS), min_size=1, max_size=20))
    program = Program(
        np.array([data.draw(words(form)) for form in chosen], dtype=np.uint64),
        groups=(Group("first", (0, 3)), Group("second", (1,), (2, 7))),
        labels={"start": 0, "middle": len(chosen) // 2},
        channels={"drive": 3},
        slots={"qubit": 7},
    )
    again = assemble(disassemble(program))
    assert again.words.tolist() == program.words.tolist()
    assert (again.groups, again.labels) == (program.groups, program.labels)
    assert (again.channels, again.slots) == (program.channels, program.slots)


def test_encodings_do_not_collide():
    assert len(BY_OPCODE) == len(INSTRUCTIONS)
    for form in INSTRUCTIONS:
        taken = 0x7F << OPCODE_OFFSET
        for operand in form.operands:
            bits = operand.insert(-1)
            assert not taken & bits, f"{form.syntax}: {operand.name}"
            assert bits >> 64 == 0
            taken |= bits


def test_what_is_no_instruction_is_refused():
    assert find(0) is None
    assert find(0x7F << OPCODE_OFFSET) is None
    stray = forms("nop")[0].encode([]) | 1
    assert find(stray) is None
    with pytest.raises(ValueError, match="at address 1 is no instruction"):
        disassemble(Program(np.array([forms("nop")[0].encode([]), stray], dtype=np.uint64)))


def test_operands_out_of_range_are_refused():
    with pytest.raises(ValueError, match="group of play must be 0 to 255, not 256"):
        forms("play")[0].encode([256, 0, 0])


def test_the_specification_is_up_to_date(capsys, tmp_path):
    assert main([str(DOCS / "isa.md"), "--check"]) == 0
    old = tmp_path / "isa.md"
    old.write_text(page().replace("The cursor advances by b", "The cursor stays"))
    assert main([str(old), "--check"]) == 1
    assert "is out of date; run without --check" in capsys.readouterr().err
    assert main([str(old)]) == 0
    assert old.read_text() == page()


def test_the_specification_has_every_instruction():
    text = page()
    assert set(re.findall(r"^### `(.+)`$", text, re.MULTILINE)) == set(MNEMONICS)
    assert all(f"| `{form.syntax}` | `{form.opcode:#04x}` |" in text for form in INSTRUCTIONS)
