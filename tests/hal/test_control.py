# SPDX-License-Identifier: BSD-2-Clause
"""Control programs on a simulated board: loading, timing, results, frame, faults; samples are made, not emulated."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.dsp.layouts import PULSE, TONES
from triplane.gateware.fabric import ROUND_LAST
from triplane.gateware.readout.layouts import Window
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.layouts import EVENT_TO_RELEASE, RESULT_TO_EVENT, Fault
from triplane.gateware.sequencer.program import bank_crcs
from triplane.hal import errors
from triplane.hal.drivers.control import TABLES

DRIVE, LINE = 0, 1
LEAD = ReadoutLine.LEAD
"""Cycles from CAPTURE to the first sample of a window without delay: `ReadoutLine.LEAD`."""

FEEDBACK = ReadoutLine.LATENCY + RESULT_TO_EVENT + EVENT_TO_RELEASE + PulseGenerator.LATENCY

HEAD = """
.channel drive, 0
.channel line, 1
.channel round, 2
.slot a, 0
.group drive, drive
.group line, line arms a
.group ancillas, line arms 0, 1
.group data, line arms 2, 3, 4
.group round, round
.equ PULSE, 1
early:
    now r30
    sub r30, r31, r30
    bge r30, 40, early
    until r31
"""


def entry(fields, **values):
    return {field.name: 0 for field in fields} | {"amplitude": 1 << 15} | values


def program(control, text, **changes):
    """Pulses of 10 clocks at full scale; windows of slot 0, of the ancillas, of the data qubits."""
    envelope = np.full((20, 2), (20000, 0), dtype=np.int16)
    windows = (Window(0b1, 32), Window(0b11, 32), Window(0b11100, 32), Window(0b1, 32, delay=40))
    made = hal.ControlProgram(
        assemble(HEAD + text),
        drives=(hal.Pulses((entry(PULSE), entry(PULSE, length=10)), envelope),),
        tones=(hal.Tones((entry(TONES, length=10, mask=1),), envelope, (1 << 14,)),),
        demodulation=(control.tones.demodulation(*windows),),
        syndrome=control.syndrome.words(control.shape.syndrome),
    )
    return dataclasses.replace(made, **changes)


def execute(board, *, samples=(), live=False, registers=None, limit=20_000):
    """Runs the program; samples are (cycle from the start, samples). Returns how it ended, edges, and the start."""
    simulation = board.simulation
    start = simulation.now + 3000
    stream = np.zeros((4096, 2), dtype=np.int16)
    for at, part in samples:
        stream[at : at + len(part)] = part
    simulation.samples(0, start, stream)
    simulation.edges()
    ended = board.execute({31: start} | (registers or {}), limit_cycles=limit, live=live)
    edges = [(int(e["cycle"]) - start, int(e["channel"]), int(e["sounds"])) for e in simulation.edges()]
    return ended, edges, start


def window_of(control, board, at, bits):
    """Samples of a window whose CAPTURE is at a cycle from the start, for `execute`."""
    first = at + LEAD
    return first, control.tones.samples(board.simulation.now + 3000 + first, bits)


def test_pulses_leave_at_their_times(control, controlled):
    controlled.load_control(
        program(control, "play drive, PULSE, +15\nplay line, 0\nplay drive, PULSE\nhalt 7")
    )
    ended, edges, _ = execute(controlled)
    assert (ended.exit_code, ended.events) == (7, 3)
    latency = PulseGenerator.LATENCY
    assert sorted(edges) == sorted(
        (at + latency, channel, sounds)
        for at, channel, sounds in [
            (0, DRIVE, 1),
            (10, DRIVE, 0),
            (15, DRIVE, 1),
            (25, DRIVE, 0),
            (15, LINE, 1),
            (25, LINE, 0),
        ]
    )


def test_played_says_what_leaves(control, controlled):
    controlled.load_control(
        program(control, "amp drive, 0x4000, +10\nplay drive, PULSE\nplay line, 0\nhalt 0")
    )
    _, edges, start = execute(controlled)
    drive, line = controlled.simulation.played()
    assert {(int(p["words"][0]) - start, int(p["channel"])) for p in (drive, line)} == {
        (at, channel) for at, channel, sounds in edges if sounds
    }
    assert int(drive["words"][1]) == 1 | 1 << 24  # entry 1, half its amplitude
    assert int(line["words"][2]) == 1  # tone 0


FEEDBACK_PROGRAM = """
    capture line, 0
    on.one a, flip, 500
    halt 1
flip:
    play drive, PULSE
    halt 2
"""


@pytest.mark.parametrize("bit", [0, 1])
def test_capture_decides_what_is_played(control, controlled, bit):
    controlled.load_control(program(control, FEEDBACK_PROGRAM))
    ended, edges, _ = execute(controlled, samples=[window_of(control, controlled, 0, [bit] + [1 - bit] * 7)])
    assert ended.exit_code == 1 + bit
    assert ended.strays == 0
    last = LEAD + 31
    assert edges[:1] == [(last + FEEDBACK, DRIVE, 1)][:bit]


def test_feedback_is_that_of_the_last_sample(control, controlled):
    """Only the last sample of the window is not 0: no earlier one can have decided."""
    assert FEEDBACK <= 24
    controlled.load_control(program(control, FEEDBACK_PROGRAM))
    first, samples = window_of(control, controlled, 0, [1])
    samples[:-1] = 0
    ended, edges, _ = execute(controlled, samples=[(first, samples)])
    assert ended.exit_code == 2
    assert edges[0] == (first + 31 + FEEDBACK, DRIVE, 1)


ROUNDS_PROGRAM = """
    play round, {0}
    capture ancillas, 1, +60
    play round, {1}
    capture ancillas, 1, +60
    expect r0, 3
    play round, {2}
    capture data, 2
    frame.one 0, flip, 2000
    halt 0
flip:
    play drive, PULSE
    halt 1
"""


@pytest.mark.parametrize(("data", "flips"), [([0, 0, 0], 0), ([1, 0, 0], 0), ([0, 0, 1], 1), ([1, 1, 1], 0)])
def test_rounds_reach_the_frame(control, controlled, data, flips):
    """Detection events of the data round alone; the table knows which of them flip the observable."""
    kinds = list(control.syndrome.rounds)
    kinds[-1] |= 1 << ROUND_LAST
    controlled.load(control.decoder)
    controlled.load_control(program(control, ROUNDS_PROGRAM.format(*kinds)))
    at = (0, 60, 120)
    bits = ([0, 0], [0, 0], [0, 0, *data])
    ended, edges, _ = execute(
        controlled,
        live=True,
        samples=[window_of(control, controlled, t, b) for t, b in zip(at, bits, strict=True)],
    )
    assert controlled.get("formation_rounds") == 3
    assert ended.exit_code == flips
    assert bool(edges) == bool(flips)


def test_start_waits_for_results_under_way(control, controlled):
    """A window of the program before has still to give its result: it is not mistaken for one of this program."""
    controlled.load_control(program(control, "capture line, 3\nhalt 0"))
    execute(controlled)
    assert controlled.get("sequencer_control_status") >> 3 & 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("read r1, a, 100", "stale in cycle"),
        ("capture line, 0\nread r1, a, 5", "timeout in cycle"),
        ("until r0\nplay drive, PULSE", "underflow in cycle .*, channel 0 drive"),
        ("play drive, PULSE, +5\nplay drive, PULSE", "collision in cycle .*, channel 0 drive"),
        ("return", r"stack in cycle \d+, program:"),
        (
            "set r2, 100\nagain:\nslot drive, 0, +1000\nloop r2, again",
            "overflow in cycle .*, channel 0 drive",
        ),
        ("wait 2000\nslot drive, 0\ncursor r2\nsub r2, r2, 500\nuntil r2\nslot drive, 0", "order in cycle"),
        ("jump 100", "illegal in cycle"),
        # The window gives no result of the other slot.
        ("again:\ncapture ancillas, 0, +70\nread r1, a, 500\njump again", "backlog in cycle"),
        ("capture line, 0, +5\ncapture line, 0\nwait 500\nsync\nhalt 0", "refused"),
        ("play round, 0\nplay round, 0, +1\nwait 5\nplay round, 0\nhalt 0", "collision"),
    ],
)
def test_faults_put_the_board_in_its_safe_state(control, controlled, text, cause):
    controlled.load_control(program(control, text + "\nhalt 0"))
    with pytest.raises(errors.SafeStateError, match=cause):
        execute(controlled)
    assert controlled.fault() is not None
    before = controlled.simulation.edges()
    controlled.elapse(1000)
    assert not len(controlled.simulation.edges())
    assert not len(before) or not before[-1]["sounds"]  # generators are silent
    controlled.load_control(program(control, "play drive, PULSE\nhalt 3"))
    assert execute(controlled)[0].exit_code == 3
    assert controlled.fault() is None


def test_a_table_that_was_written_since_its_check_is_not_trusted(control, controlled):
    controlled.load_control(program(control, "play drive, PULSE\nhalt 0"))
    controlled.set("sequencer_program_index", 0)
    controlled.set("sequencer_program_data", 0)
    with pytest.raises(errors.SafeStateError, match="untrusted in cycle"):
        execute(controlled)
    assert controlled.fault() is not None
    assert not len(controlled.simulation.edges())


def written(board, monkeypatch):
    """How many words go to the sequencer's tables from now on, by table."""
    names = {board.registers[f"sequencer_{name}_data"].address: name for name in TABLES}
    counts, burst_write = Counter(), board.burst_write

    def counting(address, words, **how):
        if address in names:
            counts[names[address]] += len(words)
        burst_write(address, words, **how)

    monkeypatch.setattr(board, "burst_write", counting)
    return counts


def test_a_table_is_sent_again_from_the_first_row_that_differs_to_the_last(control, controlled, monkeypatch):
    texts = [f"play drive, PULSE\nhalt {number}" for number in (3, 3, 4)]
    controlled.load_control(program(control, texts[0]))
    rows = {name: len(row[0]) for name, row in program(control, texts[0]).tables(control.shape).items()}
    counts = written(controlled, monkeypatch)
    for text in texts[1:]:
        controlled.load_control(program(control, text))
        assert counts == rows  # words of one row
        counts.clear()
        assert execute(controlled)[0].exit_code == int(text[-1])


@pytest.mark.parametrize("table", ["program", "dispatcher_groups", "dispatcher_arms"])
def test_what_another_host_wrote_into_a_table_is_found_and_all_is_sent(
    control, controlled, monkeypatch, table
):
    """The other has had its own content checked as well, so that the table is trusted."""
    wanted = program(control, "play drive, PULSE\nhalt 3")
    controlled.load_control(wanted)
    rows = wanted.tables(control.shape)[table].copy()
    rows[-1] ^= 1
    controlled.set(f"sequencer_{table}_index", len(rows) - 1)
    data, crc = (controlled.registers[f"sequencer_{table}_{name}"].address for name in ("data", "crc"))
    controlled.burst_write(data, rows[-1].tolist(), increment=False)
    controlled.burst_write(crc, bank_crcs(rows), increment=False)
    controlled.elapse(len(rows) + 10)
    trusted = controlled.registers[f"sequencer_{table}_status"].fields["trusted"].of
    assert trusted(controlled.get(f"sequencer_{table}_status"))
    counts = written(controlled, monkeypatch)
    controlled.load_control(wanted)
    assert counts[table] == rows.size + len(rows[0])
    assert execute(controlled)[0].exit_code == 3


def test_another_part_of_the_board_stops_the_program(control, controlled):
    """A read from an empty FIFO, where that is to stop the board, while a pulse plays."""
    controlled.load_control(program(control, "again:\nplay drive, PULSE, +20\nwait 500\nsync\njump again"))
    field = controlled.registers["faults_stop_on"].fields["empty_read"]
    before = controlled.get("faults_stop_on")
    controlled.set("faults_stop_on", before | 1 << field.offset)
    elapse, looked = controlled.elapse, []

    def disturbed(cycles):
        elapse(cycles)
        looked.append(cycles)
        if len(looked) == 3:
            controlled.get("results_data")

    controlled.elapse = disturbed
    try:
        with pytest.raises(errors.SafeStateError, match="went safe while the program ran, empty_read"):
            execute(controlled)
    finally:
        del controlled.elapse
    assert controlled.fault().stopping == ("empty_read", "sequencer")
    controlled.set("faults_stop_on", before)
    word = controlled.get("sequencer_faults_status")
    assert controlled.registers["sequencer_faults_status"].fields["fault"].of(word) == Fault.EXTERNAL
    controlled.simulation.edges()
    elapse(1000)
    assert not len(controlled.simulation.edges())


def test_program_that_does_not_end_is_aborted(control, controlled):
    controlled.load_control(program(control, "again:\njump again"))
    with pytest.raises(errors.RunTimeoutError, match="aborted after"):
        execute(controlled, limit=5000)
    controlled.load_control(program(control, "again:\njump again", watchdog_cycles=4000))
    with pytest.raises(errors.SafeStateError, match="watchdog"):
        execute(controlled)


def test_without_a_program_nothing_is_executed(controlled):
    with pytest.raises(errors.ProgramError, match="no control program is loaded"):
        controlled.execute(limit_cycles=1000)


COUNTING = """
    set r1, 0
again:
    emit r1
    add r1, r1, 3
    blt r1, {limit}, again
    halt 5
"""
"""Gives out 0, 3, 6 and so on."""


def test_outcomes_come_while_the_program_runs(control, controlled):
    count = 3 * controlled.descriptor.control.result_fifo_words + 7
    controlled.load_control(program(control, COUNTING.format(limit=3 * count)))
    start = controlled.simulation.now + 3000
    ended = controlled.execute({31: start}, limit_cycles=200_000, records=True)
    assert ended.exit_code == 5
    assert ended.outcomes.dtype == np.uint32
    assert ended.outcomes.tolist() == list(range(0, 3 * count, 3))
    # As they come, and with nothing else fetched
    parts = []
    start = controlled.simulation.now + 3000
    ended = controlled.execute({31: start}, limit_cycles=200_000, outcomes=parts.append)
    assert len(parts) > 3
    assert np.concatenate(parts).tolist() == list(range(0, 3 * count, 3))
    assert ended.outcomes.size == ended.results.size == 0


def test_a_program_waits_for_room(control, controlled):
    """With nobody to take outcomes it stops before the first that does not fit, and no outcome is lost."""
    depth = controlled.descriptor.control.result_fifo_words
    controlled.load_control(program(control, COUNTING.format(limit=30_000)))
    with pytest.raises(errors.RunTimeoutError):
        controlled.execute({31: controlled.simulation.now + 3000}, limit_cycles=20_000)
    assert depth - 4 <= controlled.get("outcomes_records") <= depth
    watched = program(control, COUNTING.format(limit=30_000), watchdog_cycles=15_000)
    controlled.load_control(watched)
    with pytest.raises(errors.SafeStateError, match="watchdog"):
        controlled.execute({31: controlled.simulation.now + 3000}, limit_cycles=40_000)


def test_who_takes_outcomes_may_end_the_program(control, controlled):
    def enough(words):
        raise StopIteration("enough")

    controlled.load_control(program(control, COUNTING.format(limit=30_000)))
    with pytest.raises(StopIteration, match="enough"):
        controlled.execute({31: controlled.simulation.now + 3000}, limit_cycles=200_000, outcomes=enough)
    # The next one begins anew.
    ended = controlled.execute({31: controlled.simulation.now + 3000}, limit_cycles=200_000, records=True)
    assert ended.outcomes[:3].tolist() == [0, 3, 6]
    assert len(ended.outcomes) == 10_000
