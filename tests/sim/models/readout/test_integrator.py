# SPDX-License-Identifier: BSD-2-Clause
"""The model of the integrator against whole numbers without a limit, and against real ones."""

import numpy as np
import pytest

from triplane.gateware.readout.layouts import (
    ACCUMULATOR_BITS,
    INTEGRAL_SHIFT,
    MAX_WINDOW,
    PREPARED_BITS,
    PREPARED_SHIFT,
    TRACE_SHIFT,
)
from triplane.sim.models.dsp.multiply import multiply
from triplane.sim.models.dsp.nco import oscillate
from triplane.sim.models.readout.integrator import accumulate, decimate, integrate, phases

FREQUENCY, EPOCH = 0xF2345678, 99


def random_shots(count: int, length: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    samples = rng.integers(-(1 << 15), 1 << 15, (count, length, 2)).astype(np.int16)
    starts = rng.integers(0, 1 << 40, count)
    return samples, starts, rng.integers(-(1 << 15), 1 << 15, (length, 2))


def test_sums_are_those_of_python():
    samples, starts, weights = random_shots(3, 50)
    re, im = accumulate(samples, starts, FREQUENCY, weights, EPOCH)
    for shot in range(3):
        total = complex_total = [1 << INTEGRAL_SHIFT - 1] * 2
        for n in range(50):
            phase = -FREQUENCY * (int(starts[shot]) + n - EPOCH) % 2**32
            phasor = oscillate(phase)
            p_re, p_im, saturated = multiply(
                tuple(weights[n]), phasor, out_bits=PREPARED_BITS, shift=PREPARED_SHIFT
            )
            assert not saturated
            i, q = map(int, samples[shot, n])
            total = [total[0] + i * int(p_re) - q * int(p_im), total[1] + i * int(p_im) + q * int(p_re)]
        assert (re[shot], im[shot]) == tuple(total) != complex_total


def test_integrals_are_the_rounded_ones_of_real_numbers():
    samples, starts, weights = random_shots(20, 200)
    i, q = integrate(samples, starts, FREQUENCY, weights, EPOCH)
    elapsed = (starts[:, None] + np.arange(200) - EPOCH).astype(np.uint64)
    turns = (elapsed * np.uint64(FREQUENCY)).astype(np.uint32) / 2**32
    s, w = (x[..., 0] + 1j * x[..., 1] for x in (samples.astype(float), weights))
    exact = (s * w * np.exp(-2j * np.pi * turns)).sum(axis=1) * 32767 / 2**31
    # Phasors are right to 0.9 of a step, so an integral is to 3e-5 of the sum of magnitudes; it is far less as a rule.
    assert np.abs(i + 1j * q - exact).max() < 1e-6 * (np.abs(s) * np.abs(w)).sum(axis=1).max() / 2**16 + 20


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_window_there_can_be_fits(sign):
    """Samples and weights at the ends of their ranges, turned so that nothing cancels; the proof is in `layouts`."""
    samples = np.full((1, MAX_WINDOW, 2), -32768, dtype=np.int16)
    weights = np.tile([-32768, sign * 32767], (MAX_WINDOW, 1))
    for frequency in (0, 1 << 29, 1 << 30):
        for part in accumulate(samples, [0], frequency, weights):
            assert abs(int(part[0])) < 1 << ACCUMULATOR_BITS - 1
    largest = (2 * 2**15 * (2**15 - 1) + 2**9) >> PREPARED_SHIFT
    assert largest < 1 << PREPARED_BITS - 1
    assert 2 * 2**15 * largest * MAX_WINDOW + (1 << INTEGRAL_SHIFT - 1) < 1 << ACCUMULATOR_BITS - 1


def test_phase_does_not_care_for_wraps():
    times = np.array([5, 5 + (1 << 32), 5 + (7 << 32)])
    assert len(set(phases(FREQUENCY, times, EPOCH).tolist())) == 1
    assert phases(FREQUENCY, EPOCH, EPOCH) == 0


@pytest.mark.parametrize("decimation", [1, 7, 50, 64])
def test_decimated_traces_end_in_the_integral(decimation):
    samples, starts, weights = random_shots(1, 50)
    trace = decimate(samples[0], int(starts[0]), FREQUENCY, weights, decimation)
    assert len(trace) == -(-50 // decimation)
    re, im = accumulate(samples, starts, FREQUENCY, weights)
    assert trace[-1].tolist() == [int(re[0]) >> TRACE_SHIFT, int(im[0]) >> TRACE_SHIFT]


def test_too_few_weights_are_refused():
    samples, starts, weights = random_shots(1, 50)
    with pytest.raises(ValueError, match="window of 50 samples needs as many weights, not 49"):
        integrate(samples, starts, FREQUENCY, weights[:49])
