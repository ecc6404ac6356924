# SPDX-License-Identifier: BSD-2-Clause
"""The oscillator's numbers against exp(i phase) in float64, and its spectrum by numpy.fft."""

import numpy as np
import pytest

from triplane.gateware.dsp.tables import AMPLITUDE, quarter_wave
from triplane.sim.models.dsp.nco import oscillate

USED_BITS = 24
"""Of the phase word: the others make no difference."""


def tone(frequency: int, count: int, phase: int = 0) -> np.ndarray:
    cos, sin = oscillate(phase + frequency * np.arange(count))
    return cos + 1j * sin


def sfdr_db(samples: np.ndarray) -> float:
    """Carrier over the largest other line of a spectrum that holds whole periods."""
    power = np.abs(np.fft.fft(samples)) ** 2
    carrier = power.argmax()
    rest = np.delete(power, carrier)
    return float(10 * np.log10(power[carrier] / max(rest.max(), 1e-30)))


def test_phases_all_around():
    """Every third phase that differs: each part within 0.63 LSB, both within 0.89, and none beyond AMPLITUDE."""
    chunk = 2**21
    for first in range(0, 2**USED_BITS, chunk):
        phase = np.arange(first, first + chunk, 3) << (32 - USED_BITS)
        cos, sin = oscillate(phase)
        exact = AMPLITUDE * np.exp(2j * np.pi / 2**32 * (phase + 2 ** (31 - USED_BITS)))
        assert max(np.abs(cos - exact.real).max(), np.abs(sin - exact.imag).max()) < 0.63
        assert np.hypot(cos - exact.real, sin - exact.imag).max() < 0.89
        assert max(np.abs(cos).max(), np.abs(sin).max()) <= AMPLITUDE


def test_low_phase_bits_make_no_difference():
    phase = np.random.default_rng(1).integers(0, 2**32, 1000)
    np.testing.assert_array_equal(oscillate(phase), oscillate(phase & -256))
    np.testing.assert_array_equal(oscillate(phase), oscillate(phase - 2**32))


@pytest.mark.parametrize("frequency", [1, 3, 509, 4095, 2**15 - 1, 2**16 + 1, 123_457, 2**19 - 3])
def test_spurious_free_dynamic_range(frequency):
    """Whole periods of odd words of 2**20, which go through every phase that the word can reach."""
    assert sfdr_db(tone(frequency << 12, 2**20)) >= 91


@pytest.mark.parametrize("period", [3, 5, 8, 12, 100, 2**10 + 1])
def test_short_periods(period):
    """Errors that repeat after few samples add up in few lines."""
    steps = np.rint(np.arange(period) * 2**32 / period).astype(np.int64)
    cos, sin = oscillate(steps)
    assert sfdr_db(cos + 1j * sin) >= 91


def test_table_is_a_quarter_wave():
    cos, sin = np.array(quarter_wave()).T
    assert (cos == sin[::-1]).all()
    assert (np.diff(cos) < 0).all()
