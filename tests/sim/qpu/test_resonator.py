# SPDX-License-Identifier: BSD-2-Clause
"""Readout: fields against SciPy's integration of the differential equation, bits against the closed formula."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import erfc

from triplane.hal.device import ADC_HZ, DAC_HZ, Resonator
from triplane.sim.qpu import Processor, Readout, Tone
from triplane.sim.qpu.filters import MatchedFilter
from triplane.sim.qpu.resonator import best_tone_hz, decay_per_sample, jump, respond, separation

from .conftest import device, line, qubit

RESONATOR = Resonator(qubit=0, frequency_hz=7.1e9, chi_hz=-1.2e6, kappa_hz=2.4e6, amplitude_lsb=1800)
TONE_HZ = best_tone_hz(RESONATOR)
ENVELOPE = np.full(240, 0.9, dtype=np.complex64)


def integrated(levels, until):
    """a at the middle of each ADC sample; `levels` are (time, level) from time 0 on."""

    def slope(t, a):
        level = [number for time, number in levels if time <= t][-1]
        shift = 7.1e9 - 2.4e6 * level - TONE_HZ
        drive = 0.9 if t < len(ENVELOPE) / DAC_HZ else 0.0
        return [-math.pi * (2.4e6 - 2j * shift) * a[0] + math.pi * 2.4e6 * drive]

    times = (np.arange(until) + 0.75) / ADC_HZ
    found = solve_ivp(slope, (0, until / ADC_HZ), [0j], t_eval=times, max_step=1e-9, rtol=1e-7)
    return found.y[0]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_ring_up_and_down(level):
    found = respond(RESONATOR, ENVELOPE, TONE_HZ, level)
    expected = integrated([(0, level)], 200)
    assert np.abs(found[:200] - expected).max() < 0.02
    assert abs(found[-1]) < 2e-3


def test_a_jump_in_the_window():
    factor = decay_per_sample(RESONATOR, TONE_HZ, 0, ADC_HZ)
    zero, one = (respond(RESONATOR, ENVELOPE, TONE_HZ, level) for level in (0, 1))
    found = jump(one, zero, 50, factor ** np.arange(len(zero)))
    # A field is the mean over its clock, and the jump is at the beginning of one.
    expected = integrated([(0, 1), (50.5 / ADC_HZ, 0)], 200)
    assert np.abs(found[:200] - expected).max() < 0.03
    assert (found[:50] == one[:50]).all()


def test_levels_settle_on_a_circle():
    """Tone between the resonances, chi = kappa / 2: 0 and 1 settle at 1 / (1 -+ i)."""
    long = np.ones(4000, dtype=np.complex64)
    settled = [respond(RESONATOR, long, TONE_HZ, level)[1900] for level in (0, 1)]
    assert settled[0] == pytest.approx(1 / (1 - 1j), abs=1e-3)
    assert settled[1] == pytest.approx(1 / (1 + 1j), abs=1e-3)


@pytest.mark.parametrize("noise_lsb", [3500, 5000])
def test_assignment_error_is_the_closed_formula(noise_lsb):
    described = device(qubit(0), lines=(line(0, noise_lsb=noise_lsb),))
    readout_line = described.lines[0]
    tone = Tone(best_tone_hz(readout_line.tones[0]) - readout_line.lo_hz, np.ones(240, dtype=np.complex64))
    expected = separation(readout_line, readout_line.tones[0], tone)
    shots = 2000
    processor = Processor(described, seed=1)
    filtered = MatchedFilter(described, Readout(0, 0, (tone,)))
    soft = np.empty(shots)
    for shot in range(shots):
        event = Readout(0, 1000 * shot, (tone,))
        processor.readout(event.line, event.start, event.tones)
        soft[shot] = filtered.soft(event, processor.adc(0, filtered.first(event.start), filtered.window))[0]
    snr = -2 * soft.mean() / soft.std()
    assert snr == pytest.approx(expected.snr, rel=0.05)
    assert expected.overlap == pytest.approx(erfc(expected.snr / math.sqrt(8)) / 2)
    sigma = math.sqrt(expected.overlap / shots)
    assert np.mean(soft > 0) == pytest.approx(expected.overlap, abs=4 * sigma)


def test_late_jumps_leave_the_bit():
    found = separation(line(0), line(0).tones[0], Tone(-1.2e6, np.ones(240, dtype=np.complex64)))
    assert 0.3 < found.late_flip < 0.6
    noiseless = line(0, noise_lsb=0)
    assert separation(noiseless, noiseless.tones[0], Tone(0.0, ENVELOPE)).overlap == 0
