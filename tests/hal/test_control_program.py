# SPDX-License-Identifier: BSD-2-Clause
"""What does not fit a board is refused before anything is written, with resource, need and limit."""

import dataclasses

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.dsp.layouts import PULSE, TONES
from triplane.gateware.readout.layouts import Window
from triplane.gateware.sequencer.assembler import assemble
from triplane.hal import errors


def entry(fields, **values):
    return {field.name: 0 for field in fields} | values


def pulses(count=1, clocks=4, **values):
    return hal.Pulses((entry(PULSE, **values),) * count, np.zeros((2 * clocks, 2), dtype=np.int16))


def line(tones=1, samples=8, windows=()):
    return hal.Demodulation(weights=np.zeros((tones, samples, 2), dtype=np.int16), windows=windows)


@pytest.fixture(scope="module")
def fitting(control):
    return hal.ControlProgram(assemble("halt 0"), drives=(pulses(length=4),), demodulation=(line(),))


def test_what_fits_is_accepted(control, fitting):
    fitting.check(control.shape)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequence": assemble("nop\n" * 65)}, "needs 65 program words, the board has 64"),
        ({"sequence": assemble(".group g, 3\nhalt 0")}, "needs 4 channels, the board has 3"),
        ({"sequence": assemble(".group g, 0 arms 8\nhalt 0")}, "needs 9 measurement slots, the board has 8"),
        (
            {"sequence": assemble("".join(f".group g{k}, 0\n" for k in range(9)) + "halt 0")},
            "needs 9 groups, the board has 8",
        ),
        ({"drives": (pulses(), pulses())}, "needs 2 drive channels, the board has 1"),
        ({"drives": (pulses(count=17),)}, "17 pulse table entries of drive 0, the board has 16"),
        ({"drives": (pulses(clocks=65),)}, "65 envelope clocks of drive 0, the board has 64"),
        ({"drives": (pulses(start=2, length=3),)}, "plays clocks 2 to 4; its envelope has 4"),
        ({"drives": (pulses(amplitude=1 << 16),)}, "entry 0 of drive 0: amplitude is 0 to 65535, not 65536"),
        ({"tones": (hal.Tones(amplitudes=(1,) * 9),)}, "9 amplitudes of readout line 0, the board has 8"),
        ({"tones": (hal.Tones(amplitudes=(-1,)),)}, "0 to 65535, not -1"),
        ({"tones": (hal.Tones((entry(TONES, length=1),)),)}, "plays clocks 0 to 0; its envelope has 0"),
        ({"demodulation": (line(tones=9),)}, "9 tones with weights on readout line 0, the board has 8"),
        ({"demodulation": (line(samples=33),)}, "33 samples of weights on readout line 0, the board has 32"),
        ({"demodulation": (line(windows=(Window(1, 33),)),)}, "33 samples for window 0 .*, the board has 32"),
        ({"demodulation": (line(windows=(Window(256, 1),)),)}, "9 tones for window 0 .*, the board has 8"),
        (
            {"demodulation": (line(windows=(Window(1, 1),) * 5),)},
            "5 windows of readout line 0, the board has 4",
        ),
        ({"syndrome": np.zeros(3, dtype=np.uint32)}, "the syndrome table has shape"),
        ({"watchdog_cycles": -1}, "watchdog_cycles is 0 to"),
        ({"epoch_register": 32}, "epoch_register is 1 to 31, not 32"),
    ],
)
def test_what_does_not_fit_is_refused(control, fitting, changes, message):
    with pytest.raises(errors.ProgramError, match=message):
        dataclasses.replace(fitting, **changes).check(control.shape)


def test_envelopes_have_whole_clocks(control, fitting):
    odd = hal.Pulses((), np.zeros((3, 2), dtype=np.int16))
    with pytest.raises(errors.ProgramError, match="even number of samples"):
        dataclasses.replace(fitting, drives=(odd,)).check(control.shape)
