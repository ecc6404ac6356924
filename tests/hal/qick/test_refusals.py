# SPDX-License-Identifier: BSD-2-Clause
"""What QICK cannot do is refused, one by one, before anything is sent, with the place and the reason."""

import dataclasses

import numpy as np
import pytest

from triplane.gateware.readout.layouts import Discriminant, Window
from triplane.hal.control import Pulses, Tones
from triplane.hal.drivers.qick import Drive, Line, Wiring, compile_program
from triplane.hal.errors import ProgramError, UnsupportedError

TUNE = "    slot l0, 0\n    freq l0, 134217728\n    slot l1, 0\n    freq l1, 134217728\n    wait 100\n"
HEADER_LINES = 11
"""Of conftest.HEADER, and the empty line before it."""


@pytest.fixture(scope="module")
def refused(config, wiring, make):
    """Compiles a body with a line that must be refused; returns the message."""

    def compiled(text, error=ProgramError, changed=None, **changes):
        with pytest.raises(error) as raised:
            compile_program(make(text + "\n    halt 0", **changes), changed or config, wiring)
        return str(raised.value)

    return compiled


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("on.leaked 0, end, 100", "two states, no leakage"),
        ("on.kept 0, end, 100", "two states, no leakage"),
        ("on.atleast 0, 3, end, 100", "no soft value"),
        ("on.below 0, 3, end, 100", "no soft value"),
        ("frame.one 0, end, 100", "there is no decoder and no frame (features.decoding is false)"),
        ("frame.zero 0, end, 100", "there is no decoder and no frame"),
        ("barrier 100", "there is no decoder and no frame"),
        ("expect r1, 3", "there is no decoder and no frame"),
        ("frame r1", "there is no decoder and no frame"),
        ("now r1", "cannot read the time"),
        ("cursor r1", "cannot read its cursor"),
        ("until 500", "not to a time"),
        ("until r5", "not to a time"),
        ("sync", "cannot read the time"),
        ("play q0, r1", "an entry must be a number"),
        ("capture l0, r1", "a window must be a number"),
        ("freq q0, r1", "a frequency must be a number"),
        ("reset q0, r1", "a phase that is set must be a number"),
        ("slot q0, r1", "a slot must be a number"),
        ("shl r1, r2, r3", "shift by a number"),
        ("wait -3", "forwards only"),
        ("play q0, 5", "no entry 5"),
        ("capture q0, 0", "which measures nothing"),
        ("capture l0, 3", "line 0 has no window 3"),
        ("read r1, 0, 500", "let 'and r1, r1, 1' follow"),
        ("on.one 0, end, 500", "no CAPTURE on the way here measures slot 0 (stale)"),
        ("return", "nothing has called"),
        ("loop r0, end", "r0 cannot count"),
    ],
)
def test_an_instruction_is_refused_with_its_line(refused, line, reason):
    message = refused(f"{TUNE}    {line}\nend:")
    place = f"test.tasm:{HEADER_LINES + TUNE.count(chr(10)) + 1}, address 5"
    assert message.startswith(f"{place}: QICK cannot do '{line.split()[0]}")
    assert reason in message


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("play q0, 0\n wait 10\n play q0, 0", "still plays for 6 cycles (a collision)"),
        ("play q0, 0\n wait 10\n phase q0, 5", "a pulse keeps phase and frequency until it ends"),
        ("play q0, 0\n play q0, 0", "is given play twice at one time"),
        ("amp q0, 3\n play q0, 0, +1\n slot q0, 1", "still taking 2 events of 1 cycles ago"),
        ("again:\n freq q0, 77, +9\n loop r1, again", "QICK's oscillators never stop"),
        ("again:\n reset q0, 77, +9\n loop r1, again", "QICK's oscillators never stop"),
        (
            "capture l0, 0\n wait 100\n capture l0, 0",
            "line 0 still measures for 100 cycles; it has one buffer",
        ),
        ("capture l0, 0\n wait 3\n capture l1, 0", "begin them at once, or 6 cycles apart"),
        ("capture l0, 0\n on.one 0, end, 100", "is there 276 cycles after the cursor, the bound is 100"),
        ("capture l0, 0\n wait r1\n on.one 0, end, 500", "its time is not known"),
        ("again: call again", "nested deeper than 16"),
    ],
)
def test_what_the_way_to_an_instruction_makes_impossible(refused, body, reason):
    assert reason in refused(f"{TUNE}    {body}\nend:")


def test_groups_that_arm_what_they_do_not_measure(config, wiring, make):
    text = ".group wrong, l0 arms 1\n" + TUNE + "    capture wrong, 0\n    halt 0"
    with pytest.raises(ProgramError, match=r"arms slots \[1\], its windows measure \[0\]"):
        compile_program(make(text), config, wiring)


@pytest.mark.parametrize("channel", [4, 5])
def test_rounds_and_the_pauli_frame_have_no_channel(config, wiring, make, channel):
    text = f".group rounds, {channel}\n    play rounds, 256\n    halt 0"
    with pytest.raises(
        ProgramError, match=rf"channel {channel}, the wiring has 2 drives and 2 lines.*decoding is false"
    ):
        compile_program(make(text), config, wiring)


def test_a_program_without_an_end(config, wiring, make):
    with pytest.raises(ProgramError, match="runs on to address 1"):
        compile_program(make("    wait 5"), config, wiring)


def test_a_word_that_is_no_instruction(config, wiring, make):
    program = make("    halt 0")
    program = dataclasses.replace(
        program, sequence=dataclasses.replace(program.sequence, words=np.zeros(1, dtype=np.uint64))
    )
    with pytest.raises(ProgramError, match="is no instruction"):
        compile_program(program, config, wiring)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"syndrome": np.zeros(4, np.uint32)}, "forms no syndromes"),
        ({"rounds": 3}, "no decoder"),
        ({"watchdog_cycles": 500}, "a watchdog of 500 cycles"),
    ],
)
def test_what_is_for_a_decoder_is_refused_by_the_descriptor(refused, changes, reason):
    assert reason in refused(TUNE, UnsupportedError, **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"windows": (Window(0b11, 200),)}, "measures 2 tones (mask 0x03), a readout of QICK's has one"),
        ({"windows": (Window(1, 200, trace=True),)}, "asks for a trace"),
        ({"windows": (Window(2, 200),)}, "tone 1 of line 0 has no frequency"),
        ({"windows": (Window(1, 300),)}, "has 300 samples, its weights have 256"),
        ({"discriminants": (Discriminant(4, 3, 0),)}, "looks at i and q (a1 4, b1 3)"),
        ({"discriminants": (Discriminant(0, 0, 5),)}, "looks at i and q (a1 0, b1 0)"),
        ({"discriminants": (Discriminant(4, 0, 0, a2=1),)}, "tells leakage"),
        ({"discriminants": (Discriminant(4, 0, 0, c2=1),)}, "tells leakage"),
        ({"discriminants": (Discriminant(1, 0, -(2**40)),)}, "sums have 32 bits"),
        ({"discriminants": (Discriminant(1, 0, -(2**31) + 5),)}, "has no room in 32 bits"),
        ({"weights": np.zeros((1, 256, 2), np.int16)}, "weights of zero"),
        ({"weights": np.arange(512, dtype=np.int16).reshape(1, 256, 2)}, "weights that differ"),
    ],
)
def test_windows_that_no_readout_of_qick_can_take(refused, make, changes, reason):
    line = dataclasses.replace(make("    halt 0").demodulation[0], **changes)
    assert reason in refused(TUNE + "    capture l0, 0", demodulation=(line, line))


def test_a_line_that_would_be_set_in_two_ways(refused, make):
    line = make("    halt 0").demodulation[0]
    line = dataclasses.replace(line, windows=(Window(1, 200), Window(1, 100)))
    message = refused(TUNE + "    capture l0, 0, +900\n    capture l0, 1", demodulation=(line, line))
    assert "would be set in another way than for address 5" in message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"length": 16, "amplitude": 2**15 + 64}, "an amplitude of 1.00195; a gain of QICK's is 1 at most"),
        ({"length": 40_000}, "takes 70000 clocks of generator 0, which plays 65535 at most"),
    ],
)
def test_pulses_that_no_generator_of_qick_can_play(refused, changes, reason):
    entry = {"start": 0, "length": 0, "amplitude": 2**15, "slot": 0, "phase": 0, "after": 0} | changes
    envelope = np.full((80_000, 2), 999, dtype=np.int16)
    message = refused(TUNE + "    play q0, 0", drives=(Pulses((entry,), envelope),))
    assert message.startswith("test.tasm:17, address 5: a pulse of drive 0")
    assert reason in message


def test_envelopes_that_do_not_fit_the_memory(refused):
    dice = np.random.default_rng(3)
    envelope = dice.integers(-9999, 9999, (10_000, 2)).astype(np.int16)
    entry = {"start": 0, "length": 1500, "amplitude": 2**15, "slot": 0, "phase": 0, "after": 0}
    table = (entry, entry | {"start": 1500})
    message = refused(TUNE + "    play q0, 0, +2000\n    play q0, 1", drives=(Pulses(table, envelope),))
    assert (
        "needs 84000 samples of envelope memory of generator 0 with those before it, there are 65536"
        in message
    )


def test_an_amplitude_from_a_register_is_not_multiplied(refused):
    assert "the tProcessor is not asked to multiply" in refused(TUNE + "    amp q0, r1, +9\n    play q0, 1")


def test_several_tones_at_once(refused, make):
    tones = make("    halt 0").tones[0]
    both = Tones((tones.entries[0] | {"mask": 0b101},), tones.envelope, (99, 99, 99))
    assert "would sound 2 tones (mask 0x05), a generator has one" in refused(
        TUNE + "    play l0, 0", tones=(both,)
    )


def test_a_frequency_beyond_the_converter(config, make):
    program = make("    play q0, 0\n    halt 0", tones=(), demodulation=())
    program = dataclasses.replace(program, drives=program.drives[:1])
    with pytest.raises(ProgramError, match=r"has 6900 MHz; the converter of generator 0 takes 6881\.28"):
        compile_program(program, config, Wiring((Drive(0, lo_hz=6.9e9),)))


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"pmem_size": 40}, "more than 40"),
        ({"pmem_size": 200}, "words of pmem, but the size of that tProc memory is only 200"),
        ({"wmem_size": 3}, "more than 3 different waves"),
        ({"dreg_qty": 5}, "needs 6 registers (scratch, spare, r1, r2, r3, r4), the tProcessor has 5"),
        ({"dmem_size": 4}, "needs 6 words of data memory, the tProcessor has 4"),
    ],
)
def test_memories_that_are_too_small(refused, config, sizes, reason):
    plays = "".join(f"    amp q0, {k}\n    play q0, 0, +40\n" for k in range(20))
    loops = "".join(f"a{k}:\n    add r1, r2, r3\n    wait 9\n    loop r4, a{k}\n" for k in range(10))
    small = config | {"tprocs": [config["tprocs"][0] | sizes]}
    assert reason in refused(TUNE + plays + loops, changed=small)


def test_waits_by_a_register_need_shifts(refused, config):
    odd = config | {"tprocs": [config["tprocs"][0] | {"f_time": 409.6}]}  # 5/3 ticks to a cycle
    assert "a cycle is 5/3 ticks, and its tProcessor multiplies by shifts" in refused(
        "    wait r1", changed=odd
    )


@pytest.mark.parametrize(
    ("wiring", "error", "reason"),
    [
        (Wiring((Drive(7),)), ProgramError, "names generator 7, the firmware has 7"),
        (Wiring((Drive(0), Drive(0))), ProgramError, "names generator 0 twice"),
        (Wiring((), (Line(0, 2),)), ProgramError, "names readout 2, the firmware has 2"),
    ],
)
def test_wirings_that_the_firmware_does_not_have(config, make, wiring, error, reason):
    with pytest.raises(error, match=reason):
        compile_program(make("    halt 0"), config, wiring)


def test_blocks_of_another_kind(config, make, wiring):
    mux = [dict(block, type="axis_sg_mux4_v3") for block in config["gens"]]
    with pytest.raises(UnsupportedError, match="generator 0 is a axis_sg_mux4_v3"):
        compile_program(make("    halt 0"), config | {"gens": mux}, wiring)
    pfb = [dict(block, ro_type="axis_pfb_readout_v4") for block in config["readouts"]]
    with pytest.raises(UnsupportedError, match="readout 0 is a axis_pfb_readout_v4"):
        compile_program(make("    halt 0"), config | {"readouts": pfb}, wiring)
    deaf = [dict(block, tproc_ch=-1) for block in config["readouts"]]
    with pytest.raises(UnsupportedError, match="no way to the tProcessor"):
        compile_program(make("    halt 0"), config | {"readouts": deaf}, wiring)


def test_more_channels_than_are_wired(config, make):
    with pytest.raises(ProgramError, match="needs 2 drive channels, the wiring has 1"):
        compile_program(make("    halt 0"), config, Wiring((Drive(0),)))


def test_the_shipped_firmware_has_an_older_processor(shipped, make, wiring):
    """QICK's own class says so too: qick.asm_v2 is not for the firmware in the package."""
    from qick import QickConfig
    from qick.asm_v2 import QickProgramV2

    with pytest.raises(
        UnsupportedError, match=r"tProcessor v1; control programs are compiled for v2 \(qick.asm_v2\)"
    ):
        compile_program(make("    halt 0"), shipped, wiring)
    with pytest.raises(RuntimeError, match="tProc v2 programs can only be run on a tProc v2 firmware"):
        QickProgramV2(QickConfig(shipped))
