# SPDX-License-Identifier: BSD-2-Clause
"""What a program played and decided, and its waveform."""

import io
from pathlib import Path

import pytest
from vcd.reader import TokenKind, tokenize

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.layouts import Kind, Outcome
from triplane.host.timeline import Decision, Played, timeline, write_vcd
from triplane.sim.models.sequencer.core import SequencerModel
from triplane.sim.models.sequencer.results import Arrival

SOURCE = """
.channel drive, 2
.group drive, drive
.group line, 5 arms 0
    wait 20
    slot line, 3
    capture line, 7
    on.one 0, done, 500
    nop
done:
    play drive, 4
    halt 9
"""


@pytest.fixture
def shown():
    program = assemble(SOURCE)
    run = SequencerModel(program).run(start=1000, respond=lambda r: [Arrival(r.cycle + 100, 0, bit=1)])
    assert run.exit_code == 9
    return timeline(program, run.trace, [Arrival(1140, 0, bit=1)])


def test_events_and_decisions(shown):
    at = 1000 + 16 + 20
    ended = at + 1 + 100 + 1
    assert shown.played == (
        Played(at, 5, Kind.SLOT, 3, 1),
        Played(at, 5, Kind.CAPTURE, 7, 2),
        Played(ended + 3, 2, Kind.PLAY, 4, 5),
    )
    assert shown.decisions == (
        Decision(ended, 3, Outcome.TAKEN, 1),
        Decision(ended + 2, 6, Outcome.HALTED, 9),
    )
    assert shown.first == at
    assert shown.results == (Arrival(1140, 0, bit=1),)


def test_waveform(shown, tmp_path):
    path = tmp_path / "played.vcd"
    write_vcd(shown, path, clock_hz=250_000_000)
    names, changes, time = {}, [], 0
    for token in tokenize(io.BytesIO(path.read_bytes())):
        if token.kind is TokenKind.VAR:
            names[token.data.id_code] = token.data.reference
        elif token.kind is TokenKind.CHANGE_TIME:
            time = token.data
        elif token.kind is TokenKind.CHANGE_STRING:
            changes.append((time, names[token.data.id_code], token.data.value))
    assert set(names.values()) == {"drive", "channel_5", "decision"}
    told = [change for change in changes if change[2]]
    assert told == [
        (0, "channel_5", "slot(3)+capture(7)"),
        (102 * 4000, "decision", "taken@3"),
        (104 * 4000, "decision", "halted@6"),
        (105 * 4000, "drive", "play(4)"),
    ]
    assert (4000, "channel_5", "") in changes


def test_a_program_that_played_nothing(tmp_path):
    program = assemble("halt 0")
    shown = timeline(program, SequencerModel(program).run().trace)
    write_vcd(shown, tmp_path / "a.vcd")
    assert "halted" in Path(tmp_path / "a.vcd").read_text()
