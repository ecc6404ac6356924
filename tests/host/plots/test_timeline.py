# SPDX-License-Identifier: BSD-2-Clause
"""The picture of a timeline: every pulse where it was played, every result, and what it led to."""

import pytest

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.layouts import Kind
from triplane.host.plots import Names, Picture, timeline_figure
from triplane.host.timeline import timeline
from triplane.sim.models.sequencer.core import SequencerModel
from triplane.sim.models.sequencer.results import Arrival

SOURCE = """
.channel drive, 2
.channel line, 5
.slot qubit, 0
.group drive, drive
.group line, line arms qubit
    wait 20
    play line, 0
    capture line, 7
    on.zero qubit, done, 500
    play drive, 4, +40
    phase drive, 1
done:
    play line, 0
    halt 9
"""
NAMES = Names(pulses={(2, 4): "x"}, cycles={(2, 4, Kind.PLAY): 20, (5, 0, Kind.PLAY): 50})


def shown(bit):
    program, arrivals = assemble(SOURCE), []

    def respond(release):
        arrivals.append(Arrival(release.cycle + 100, 0, bit=bit))
        return arrivals[-1:]

    return timeline(program, SequencerModel(program).run(respond=respond).trace, arrivals)


def texts(axes):
    return [text.get_text().strip() for text in axes.texts if text.get_text().strip()]


def bars(axes):
    """(start in us, width in us) of all bars."""
    return sorted(
        (round(box.x0, 3), round(box.width, 3))
        for collection in axes.collections
        for path in collection.get_paths()
        if (box := path.get_extents()).height
    )


@pytest.mark.parametrize("bit", [0, 1])
def test_pulses_results_and_reasons(bit):
    axes = timeline_figure(shown(bit), NAMES, clock_hz=250_000_000).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["drive", "line"]
    assert {str(bit), "qubit"} <= set(texts(axes))
    # Of a channel, the first event has its reason.
    assert texts(axes).count("qubit = 1") == bit
    assert texts(axes).count("x") == bit
    played = bars(axes)
    assert (0.0, 0.2) in played
    assert len(played) == 3 + bit
    if bit:
        # A result after 100 cycles of 4 ns, and the pulse four cycles behind its end.
        assert any(width == 0.08 and 0.4 < start < 0.45 for start, width in played)


def test_a_part_is_drawn(tmp_path):
    picture = timeline_figure(shown(1), NAMES, span_us=(0.0, 0.3), clock_hz=250_000_000, title="part")
    axes = picture.axes[0]
    assert axes.get_xlim() == (0.0, 0.3)
    assert "qubit = 1" not in texts(axes)
    assert len(bars(axes)) == 2
    picture.save(str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_notebook_shows_it():
    assert isinstance(picture := timeline_figure(shown(0)), Picture)
    assert picture._repr_png_().startswith(b"\x89PNG")


def test_a_program_that_played_nothing():
    program = assemble("halt 0")
    figure = timeline_figure(timeline(program, SequencerModel(program).run().trace))
    assert bars(figure.axes[0]) == []
