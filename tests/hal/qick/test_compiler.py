# SPDX-License-Identifier: BSD-2-Clause
"""Each construct that QICK can do: what is in its memories and registers after its own assembler has been at work."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from triplane.gateware.readout.layouts import Discriminant
from triplane.gateware.sequencer.assembler import assemble
from triplane.hal.control import Pulses
from triplane.hal.drivers.qick import compile_program
from triplane.host.compiler.alignment import EPOCH_REGISTER, aligned, frequency_word

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
TUNE = "    slot l0, 0\n    freq l0, 134217728\n    slot l1, 0\n    freq l1, 134217728\n    wait 200\n"
STEP_HZ = 6881.28e6 / 2**32
CONSTANT, SHAPED = 0b01001, 0b01000


@pytest.fixture(scope="module")
def ran(config, wiring, make, interpret):
    """Compiles a body and runs it: (compiled, outcome)."""

    def run(text, answers=None, registers=None, changed=None, **changes):
        compiled = compile_program(make(text, **changes), changed or config, wiring)
        outcome = interpret(compiled, answers, registers)
        assert outcome.ended
        return compiled, outcome

    return run


def test_a_pulse_in_all_its_registers(ran):
    compiled, outcome = ran("    slot q0, 0\n    freq q0, 1000000, +100\n    play q0, 1\n    halt 7")
    assert outcome.memory[:2] == [7, 0]
    (played,) = outcome.plays
    # 256 cycles of lead and 100 of the program, at 1.75 ticks.
    assert played.tick == 448 + 175
    assert played.port == 1
    wanted = 4.5e9 + 1_000_000 * 491.52e6 / 2**32
    assert abs(played.frequency * STEP_HZ - wanted) <= STEP_HZ / 2
    # The slot's phase is continuous: it was 0 until the frequency was set, one cycle after the slot was selected.
    assert played.phase == 2**30 - 2 * 1_000_000
    assert played.gain == round(20000 * 32766 / 2**15)
    assert (played.first, played.clocks, played.configuration) == (0, 28, SHAPED)
    assert compiled.program.binprog["pmem"]
    assert "WPORT_WR p1 wmem [&0] @175" in compiled.program.asm()


def test_a_constant_envelope_needs_no_memory(ran):
    compiled, outcome = ran("    play q0, 0\n    halt 0")
    (played,) = outcome.plays
    assert (played.clocks, played.gain, played.configuration) == (28, 32766, CONSTANT)
    assert compiled.program.envelopes[0]["envs"] == {}


def test_an_envelope_is_held_from_sample_to_sample(ran, make):
    compiled, outcome = ran("    play q0, 1, +20\n    play q0, 2, +20\n    play q0, 1\n    halt 0")
    shaped = make("    halt 0").drives[0].envelope[32:]
    whole, short = (env["data"] for env in compiled.program.envelopes[0]["envs"].values())
    # 14 of QICK's samples for each of Triplane's; 15 clocks fill 26.25 of the generator's, and the rest is 0.
    assert whole.shape == (28 * 16, 2)
    assert short.shape == (27 * 16, 2)
    scaled = np.rint(shaped * (32766 / 32767))
    np.testing.assert_array_equal(whole, np.repeat(scaled, 14, axis=0))
    np.testing.assert_array_equal(short[:420], np.repeat(scaled[:30], 14, axis=0))
    assert not short[420:].any()
    # The third plays what the first has stored.
    assert [played.first for played in outcome.plays] == [0, 28, 0]
    assert [played.clocks for played in outcome.plays] == [28, 27, 28]


def test_tone_and_readout_have_one_frequency(ran, config):
    compiled, outcome = ran(TUNE + "    play l0, 0\n    capture l0, 0\n    halt 0")
    (played,) = outcome.plays
    registers = compiled.program.ro_chs[0]["ro_config"]
    compiled.program.config_readouts(type("Soc", (), {"configure_readout": lambda *_: None})())
    # QICK's readouts mix downwards: the word is negative.
    down = -registers["f_int"] * 2457.6e6 / 2**32
    up = played.frequency * STEP_HZ
    assert (up - down) % 2457.6e6 == pytest.approx(0, abs=1e-3)
    assert up == pytest.approx(1015.36e6, abs=100)
    # Gain: an envelope of 2**14, a tone of 2**13.
    assert played.gain == round(32766 * (2**14 / 32767) / 4)
    assert compiled.program.ro_chs[0]["length"] == 250  # 200 cycles at 307.2 MHz
    assert outcome.triggers == [(448 + round(213 * 1.75), 0)]


@pytest.mark.parametrize(
    ("a1", "b1", "c1", "sums", "bit"),
    [
        (4, 0, -4000, (1001, 0), 1),
        (4, 0, -4000, (1000, 0), 0),
        (3, 0, 1000, (-333, 0), 1),
        (3, 0, 1000, (-334, 0), 0),
        (-2, 0, 100, (49, 0), 1),
        (-2, 0, 100, (50, 0), 0),
        (0, 5, -(2**30) * 5, (0, 2**30), 0),
        (0, 5, -(2**30) * 5, (0, 2**30 + 1), 1),
        (0, -7, -70, (99, -11), 1),
        (0, -7, -70, (99, -10), 0),
    ],
)
def test_bits_are_those_of_the_discriminant(ran, make, a1, b1, c1, sums, bit):
    assert (a1 * sums[0] + b1 * sums[1] + c1 > 0) == bit
    line = dataclasses.replace(make("    halt 0").demodulation[0], discriminants=(Discriminant(a1, b1, c1),))
    for end, wanted in (("one", (11, 22)[bit]), ("zero", (22, 11)[bit])):
        text = f"{TUNE}    capture l0, 0\n    on.{end} 0, yes, 999\n    halt 11\nyes:\n    halt 22"
        _, outcome = ran(text, {0: [sums]}, demodulation=(line, line))
        assert outcome.memory[0] == wanted
    text = TUNE + "    capture l0, 0\n    read r9, 0, 999\n    and r9, r9, 1\n    halt r9"
    assert ran(text, {0: [sums]}, demodulation=(line, line))[1].memory[0] == bit


def test_weights_turn_the_readout(config, wiring, make):
    line = make("    halt 0").demodulation[0]
    line = dataclasses.replace(line, weights=np.full((1, 256, 2), (0, -9), dtype=np.int16))
    program = make(TUNE + "    capture l0, 0\n    halt 0", demodulation=(line, line))
    compiled = compile_program(program, config, wiring)
    assert compiled.settings[0].phase_deg == 270
    assert compiled.program.ro_chs[0]["ro_config"]["phase_int"] == 3 * 2**30


def test_both_lines_at_once_and_one_after_the_other(ran):
    _, outcome = ran(TUNE + "    capture lines, 0, +300\n    capture l1, 0\n    halt 0")
    first = 448 + round((200 + 12) * 1.75)
    assert outcome.triggers == [(first, 0), (first, 1), (first + 525, 1)]
    assert outcome.memory[2:4] == [1, 2]  # windows of each line


@pytest.mark.parametrize(("period", "rounds"), [(10, 200), (11, 97), (12, 40)])
def test_a_loop_of_any_length_does_not_drift(ran, cycles_of, period, rounds):
    loop = f"again:\n    phase q0, 64\n    wait {period}\n    loop r1, again\n"
    text = f"    wait 100\n    set r1, {rounds}\n{loop}    play q0, 0\n    halt 0"
    compiled, outcome = ran(text)
    (played,) = outcome.plays
    error = cycles_of(compiled, played.tick) - (100 + rounds * period)
    assert abs(error) <= Fraction(1, 2) / compiled.limits.ticks_per_cycle
    assert played.phase == 64 * rounds
    assert compiled.largest_error_s == pytest.approx(0.5 / 430.08e6)


def test_ticks_that_are_whole_cycles_have_no_error(ran, config):
    changed = config | {"tprocs": [config["tprocs"][0] | {"f_time": 491.52}]}
    compiled, outcome = ran("    wait 33\n    play q0, 0\n    halt 0", changed=changed)
    assert compiled.largest_error_s == 0
    assert outcome.plays[0].tick == 2 * (256 + 33)


@pytest.mark.parametrize("cycles", [0, 4, 100, 2**24 - 4])
def test_a_wait_by_a_register(config, wiring, make, interpret, cycles):
    compiled = compile_program(make("    wait 100\n    wait r1\n    play q0, 0\n    halt 0"), config, wiring)
    outcome = interpret(compiled, registers={1: cycles}, cost=3 + cycles // 1000)
    assert outcome.ended
    assert outcome.memory[:2] == [0, 0]
    assert outcome.plays[0].tick == 448 + 175 + cycles * 7 // 4


@pytest.mark.parametrize("cycles", [1, 2, 3, 102, 2**24, -4, 2**31])
def test_a_wait_that_is_no_whole_number_of_ticks_is_a_fault(ran, cycles):
    _, outcome = ran("    wait 100\n    wait r1\n    play q0, 0\n    halt 0", registers={1: cycles})
    assert outcome.memory[:2] == [0, 1 + 1]
    assert outcome.plays == []


@pytest.mark.parametrize("amplitude", [0, 1, 8191, 8192, 20000, 32767, 32768, 2**16 + 500])
def test_an_amplitude_from_a_register(ran, amplitude):
    _, outcome = ran("    wait 50\n    amp q0, r1, +9\n    play q0, 0\n    halt 0", registers={1: amplitude})
    assert outcome.memory[1] == 0
    assert abs(outcome.plays[0].gain - (amplitude & 0xFFFF) * 32766 / 2**15) <= 0.5
    assert outcome.plays[0].configuration == SHAPED  # the gain scales an envelope of full scale


@pytest.mark.parametrize("amplitude", [32769, 65535])
def test_an_amplitude_above_1_is_a_fault(ran, amplitude):
    _, outcome = ran("    wait 50\n    amp q0, r1, +9\n    play q0, 0\n    halt 0", registers={1: amplitude})
    assert outcome.memory[1] == 1 + 1
    assert outcome.plays == []


def test_a_sweep_of_amplitudes_and_delays(ran, cycles_of):
    """A loop as an experiment has it: amplitude and delay move on from turn to turn."""
    text = """
    wait 100
    set r3, 4
again:
    amp q0, r1, +9
    play q0, 0, +16
    wait r2
    play q0, 0, +39
    add r1, r1, 1000
    add r2, r2, 8
    loop r3, again
    halt r2
    """
    compiled, outcome = ran(text, registers={1: 5000, 2: 40})
    assert outcome.memory[0] == 72
    assert [p.gain for p in outcome.plays] == [
        round(a * 32766 / 2**15) for a in (5000, 5000, 6000, 6000, 7000, 7000, 8000, 8000)
    ]
    times = [cycles_of(compiled, p.tick) for p in outcome.plays]
    wanted, time = [], 100
    for turn in range(4):
        wanted += [time + 9, time + 9 + 16 + 40 + 8 * turn]
        time += 9 + 16 + 40 + 8 * turn + 39
    assert all(abs(a - b) <= Fraction(2, 7) for a, b in zip(times, wanted, strict=True))


@pytest.mark.parametrize(
    ("text", "registers", "code"),
    [
        ("    halt -1", {}, 2**32 - 1),
        ("    halt 0xdeadbeef", {}, 0xDEADBEEF),
        ("    halt r31", {31: 5}, 5),
        ("    set r1, r2\n    halt r1", {2: 2**31}, 2**31),
        ("    set r1, r0\n    halt r1", {1: 7}, 0),
        ("    parity r1, r2, 0x80000001\n    halt r1", {2: 2**31}, 1),
        ("    shl r1, r2, 31\n    halt r1", {2: 3}, 2**31),
        ("    sar r1, r2, 31\n    halt r1", {2: 2**31}, 2**32 - 1),
        ("    shr r1, r2, 0\n    halt r1", {2: 2**31}, 2**31),
        ("    sub r1, r0, r2\n    halt r1", {2: 1}, 2**32 - 1),
        ("    nop\n    add r0, r2, 5\n    halt r0", {2: 1}, 0),
    ],
)
def test_registers(ran, text, registers, code):
    assert ran(text, registers=registers)[1].memory[0] == code


EDGES = (0, 1, 5, 2**23, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2**23, 2**32 - 1)


@pytest.mark.parametrize("comparison", ["beq", "bne", "blt", "bge", "bltu", "bgeu"])
def test_comparisons_at_the_edges(ran, comparison):
    """All pairs of edges; the tProcessor has nothing but the sign of a difference."""
    code = "    set r9, 0\n"
    for number, right in enumerate(EDGES):
        code += f"    {comparison} r1, {right}, yes{number}\n    jump no{number}\nyes{number}:\n"
        code += f"    or r9, r9, {1 << number}\nno{number}:\n    nop\n"
    code += f"    {comparison} r1, r2, both\n    halt r9\nboth:\n    or r9, r9, 0x80000000\n    halt r9"

    def number(value):
        return (value + 2**31) % 2**32 - 2**31 if comparison in ("blt", "bge") else value

    compiled, _ = ran(code)
    for left in EDGES:
        truth = {
            "beq": lambda a, b: a == b, "bne": lambda a, b: a != b, "blt": lambda a, b: a < b,
            "bge": lambda a, b: a >= b, "bltu": lambda a, b: a < b, "bgeu": lambda a, b: a >= b,
        }[comparison]  # fmt: skip
        wanted = sum(1 << k for k, right in enumerate(EDGES) if truth(number(left), number(right)))
        wanted |= truth(number(left), number(3)) << 31
        assert ran(code, registers={1: left, 2: 3})[1].memory[0] == wanted
    assert compiled.registers == (1, 2, 9)


def test_registers_come_and_are_left_in_data_memory(ran):
    compiled, outcome = ran("    add r5, r5, r7\n    halt 1", registers={5: 30, 7: 12})
    assert compiled.registers == (5, 7)
    assert outcome.memory == [1, 0, 42, 12]


def test_active_reset_of_the_examples(config, wiring, make, interpret):
    """The program as it is in docs/examples, with the wiring's channels and a frequency for its tone."""
    lines = (EXAMPLES / "active-reset.tasm").read_text().replace(".channel line, 1", ".channel line, 2")
    text = aligned(lines, {0: (30e6,), 2: (15.36e6,)})
    program = dataclasses.replace(make("    halt 0"), sequence=assemble(text), epoch_register=EPOCH_REGISTER)
    compiled = compile_program(program, config, wiring)
    assert len(compiled.program.binprog["pmem"]) < 300
    for bits, flips in (([0], 0), ([1, 0], 1), ([1, 1, 1, 0], 3), ([1, 1, 1, 1], 2**32 - 1)):
        outcome = interpret(compiled, {0: [(1500, 0) if bit else (500, 0) for bit in bits]})
        assert outcome.ended
        assert outcome.memory[0] == flips
        assert len(outcome.triggers) == len(bits)
        drives = [p for p in outcome.plays if p.port == 1]
        assert len(drives) == sum(bits[:3])
        # A flip is in a fixed time after the window that decided it, to half a tick.
        for (trigger, _), played in zip(outcome.triggers, drives, strict=False):
            assert abs(played.tick - trigger - (200 + wiring.decision_cycles) * 1.75) <= 1
        assert outcome.slack > 0


def test_alignment_gives_phases_from_one_instant(config, wiring, make, interpret):
    """All slots count from the epoch: pulses have the phase of their entry, whatever was set when."""
    slots = {0: (30e6, -80e6), 1: (51e6,), 2: (15.36e6,)}
    body = "    wait 100\n    play q0, 0, +30\n    play q0, 4, +30\n    play q1, 1\n    halt 0"
    base = make(body)
    header = "\n".join(
        f".group {group.name}, {', '.join(map(str, group.channels))}" for group in base.sequence.groups
    )
    program = dataclasses.replace(
        base, sequence=assemble(aligned(header + "\n" + body, slots)), epoch_register=EPOCH_REGISTER
    )
    outcome = interpret(compile_program(program, config, wiring))
    assert [p.phase for p in outcome.plays] == [0, 0, 2**30]
    wanted = [4.53e9, 4.42e9, 4.551e9]
    assert [p.frequency * STEP_HZ for p in outcome.plays] == pytest.approx(wanted, abs=STEP_HZ)
    assert frequency_word(-80e6) > 2**31


def test_readouts_that_the_processor_sets(config, wiring, make, interpret):
    """As in the newer firmware: the program itself sends frequency and phase to the readout."""
    readouts = [
        dict(readout, ro_type="axis_dyn_readout_v1", tproc_ctrl=12 + number)
        for number, readout in enumerate(config["readouts"])
    ]
    program = make(TUNE + "    play l0, 0\n    capture l0, 0\n    halt 0")
    compiled = compile_program(program, config | {"readouts": readouts}, wiring)
    outcome = interpret(compiled)
    setting = next(p for p in outcome.plays if p.port == 12)
    tone = next(p for p in outcome.plays if p.port == 6)
    down = (2**32 - setting.frequency) * 2457.6e6 / 2**32
    assert (tone.frequency * STEP_HZ - down) % 2457.6e6 == pytest.approx(0, abs=1e-3)
    assert setting.tick < tone.tick


def test_a_second_nyquist_zone(config, make, wiring):
    compiled = compile_program(make("    play q0, 0\n    halt 0"), config, wiring)
    assert compiled.program.gen_chs[0]["nqz"] == 2  # 4.5 GHz of 6.88 GS/s
    low = dataclasses.replace(wiring, drives=tuple(dataclasses.replace(d, lo_hz=2e9) for d in wiring.drives))
    assert compile_program(make("    play q0, 0\n    halt 0"), config, low).program.gen_chs[0]["nqz"] == 1


def test_entries_without_sound_only_turn(ran):
    _, outcome = ran("    play q0, 3, +5\n    play q0, 0\n    halt 0")
    assert [p.phase for p in outcome.plays] == [2**31]


def test_a_program_of_one_drive_needs_no_lines(config, make, wiring):
    program = make(
        "    play q0, 0\n    halt 3", tones=(), demodulation=(), drives=make("    halt 0").drives[:1]
    )
    assert isinstance(program.drives[0], Pulses)
    assert compile_program(program, config, wiring).lines == ()
