# SPDX-License-Identifier: BSD-2-Clause
"""The linear-time Verilog back end prints what LiteX prints."""

import random

import pytest
from litex.gen.fhdl import verilog as litex_verilog
from migen import If, Module, Signal
from migen.fhdl.tools import group_by_targets as migen_groups

from triplane.gateware.verilog import convert, group_by_targets, with_contents, without_comments


def random_statements(seed):
    rng = random.Random(seed)
    signals = [Signal(4, name=f"s{index}") for index in range(rng.randint(2, 30))]

    def assign():
        return rng.choice(signals).eq(rng.choice(signals))

    def statement():
        return (
            If(rng.choice(signals), *(assign() for _ in range(rng.randint(1, 3))))
            if rng.random() < 0.4
            else assign()
        )

    return [statement() for _ in range(rng.randint(0, 40))]


@pytest.mark.parametrize("seed", range(200))
def test_groups_are_migens(seed):
    statements = random_statements(seed)
    ours, theirs = group_by_targets(statements), migen_groups(statements)
    assert [targets for targets, _ in ours] == [targets for targets, _ in theirs]
    assert [list(map(id, group)) for _, group in ours] == [list(map(id, group)) for _, group in theirs]


@pytest.mark.parametrize("seed", range(20))
def test_text_is_litexs(seed):
    def text(function):
        module = Module()
        pin = Signal(name="pin")
        module.comb += [pin.eq(1), *random_statements(seed)]
        return without_comments(function(module, {pin}).main_source)

    before = litex_verilog.group_by_targets
    assert text(convert) == text(litex_verilog.convert)
    assert litex_verilog.group_by_targets is before


def test_comments_are_taken_out():
    text = "// date\nmodule a;\n/*\nSoC\n// tree\n*/\n\n(* keep *)\nwire b; // note\nendmodule\n"
    assert without_comments(text) == "module a;\n(* keep *)\nwire b; // note\nendmodule\n"


CONTENTS = """reg [7:0] rom[0:2];
initial begin
	$readmemh("rom.init", rom);
end
"""


def test_contents_stand_in_the_text():
    text = with_contents(CONTENTS, {"rom.init": "1\n2\nff\n"})
    assert "readmemh" not in text
    assert "localparam [23:0] rom_contents = 24'hff0201;" in text
    assert "rom[rom_row] = rom_contents[8 * rom_row +: 8];" in text


def test_contents_that_are_not_there_or_not_read_are_said():
    with pytest.raises(ValueError, match="reads rom.init, which is not among no files"):
        with_contents(CONTENTS, {})
    with pytest.raises(ValueError, match="nothing reads the contents other.init"):
        with_contents(CONTENTS, {"rom.init": "1\n2\nff\n", "other.init": "0"})
