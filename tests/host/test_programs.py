# SPDX-License-Identifier: BSD-2-Clause
"""Programs from the command line: assembled, run on the golden model with given results, errors with places."""

import json
from pathlib import Path

import pytest

from triplane.gateware.sequencer.source import AssemblyError
from triplane.host.programs import (
    MOST_ROWS,
    ProgramFileError,
    parse_registers,
    parse_results,
    read_program,
    show_program,
    show_run,
)

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
RESET = EXAMPLES / "active-reset.tasm"


def ran(tmp_path, file=RESET, results=(), registers=(), delay=150, frame=0, most=100_000):
    out = tmp_path / "out.json"
    show_run(
        file,
        registers=registers,
        results=results,
        delay=delay,
        frame=frame,
        most=most,
        vcd=tmp_path / "out.vcd",
        plot=tmp_path / "out.png",
        json_file=out,
    )
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "$enddefinitions" in (tmp_path / "out.vcd").read_text()
    return json.loads(out.read_text())


@pytest.mark.parametrize(("bits", "flips"), [("0", 0), ("10", 1), ("110", 2)])
def test_results_decide_what_is_played(tmp_path, capsys, bits, flips):
    found = ran(tmp_path, results=[f"qubit={bits}"])
    assert found["exit_code"] == flips
    assert sum(row["channel"] == "drive" for row in found["rows"]) == flips
    cycles = [row["cycle"] for row in found["rows"]]
    assert cycles == sorted(cycles)
    decided = [row for row in found["rows"] if "on.zero" in row["event"]]
    assert [row["event"].split(": ")[1] for row in decided] == ["passed"] * flips + ["taken"]
    assert all(
        RESET.read_text().splitlines()[row["line"] - 1].strip().startswith("on.zero") for row in decided
    )
    assert f"exit code {flips} ({flips:#x})" in capsys.readouterr().out


def test_a_slow_result_comes_later(tmp_path):
    early, late = (ran(tmp_path, results=["qubit=10"], delay=delay)["cycles"] for delay in (100, 130))
    assert late - early == 2 * 30


def test_a_fault_is_said_with_its_place(tmp_path, capsys):
    found = ran(tmp_path, results=["qubit=-"])
    assert found["exit_code"] is None
    assert found["end"].startswith("fault after ")
    assert "timeout, active-reset.tasm:" in found["end"]
    assert found["end"] in capsys.readouterr().out


def test_leaked_results_and_registers(tmp_path):
    program = tmp_path / "leak.tasm"
    program.write_text(
        ".slot q, 0\n.group line, 0 arms q\n    capture line, 0\n    read r2, q, 500\n    add r2, r2, r1\n    halt r2\n"
    )
    assert ran(tmp_path, program, results=["q=x"], registers=["r1=0x10"])["exit_code"] == 0x12
    assert ran(tmp_path, program, results=["0=1"], registers=["r1=-1"])["exit_code"] == 0


def test_a_program_without_end_is_left(tmp_path, capsys):
    program = tmp_path / "again.tasm"
    program.write_text(".channel d, 0\n.group d, d\nagain:\n    play d, 0, +4\n    jump again\n")
    found = ran(tmp_path, program, most=3_000)
    assert found["end"].startswith("still running after 3,000 instructions, where it was left")
    printed = capsys.readouterr().out
    assert len(found["rows"]) > MOST_ROWS
    assert f"and {len(found['rows']) - MOST_ROWS:,} more" in printed
    assert printed.count("play 0") == MOST_ROWS


def test_a_program_without_instructions(tmp_path):
    program = tmp_path / "empty.tasm"
    program.write_text("; nothing\n")
    with pytest.raises(ProgramFileError, match=r"empty\.tasm: there is no instruction in it"):
        read_program(program)


def test_the_listing_is_the_program(tmp_path, capsys):
    out = tmp_path / "out.json"
    show_program(RESET, listing=True, source=False, json_file=out)
    program, printed = read_program(RESET), capsys.readouterr().out
    content = json.loads(out.read_text())
    assert [int(word, 16) for word in content["words"]] == program.words.tolist()
    listed = [line.split() for line in printed.splitlines() if line[:5].strip().isdecimal()]
    assert [int(line[1], 16) for line in listed] == program.words.tolist()
    show_program(RESET, listing=False, source=True, json_file=None)
    copy = tmp_path / "copy.tasm"
    copy.write_text(capsys.readouterr().out.rsplit("\n", 2)[0] + "\n")
    assert read_program(copy).words.tolist() == program.words.tolist()


def test_what_is_no_text_is_said(tmp_path):
    (tmp_path / "bin.tasm").write_bytes(b"wait\xff")
    with pytest.raises(ProgramFileError, match=r"bin\.tasm: byte 4 is no UTF-8; give a program's source"):
        read_program(tmp_path / "bin.tasm")


def test_errors_have_places(tmp_path):
    wrong = tmp_path / "wrong.tasm"
    wrong.write_text("    wait 5\n    plai drive, 1\n")
    with pytest.raises(AssemblyError, match=r"wrong\.tasm:2:5"):
        read_program(wrong)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("r1", "write a register and its value, such as r1=20"),
        ("x1=4", "write a register"),
        ("r0=1", "there are registers r1 to r31"),
        ("r40=1", "there are registers r1 to r31"),
        ("r1=0x100000000", "a register has 32 bits"),
    ],
)
def test_registers_that_cannot_be_set(given, message):
    with pytest.raises(ProgramFileError, match=message):
        parse_registers([given])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ancilla=0", "no slot 'ancilla'; it has qubit"),
        ("7=0", "no slot '7'"),
        ("qubit=", "write 0, 1, x"),
        ("qubit=012", "write 0, 1, x"),
    ],
)
def test_results_that_no_slot_gives(given, message):
    with pytest.raises(ProgramFileError, match=message):
        parse_results([given], read_program(RESET))
