# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/readout/integrator.py` and `phase.py`: samples to integrals, bit for bit."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.layouts import INTEGRAL_SHIFT, PREPARED_SHIFT, TRACE_SHIFT
from triplane.sim.models.dsp.nco import oscillate

Integers = npt.NDArray[np.int64]
Samples = npt.NDArray[np.int16]

_CHUNK = 1 << 21
"""Phasors that are in memory at a time."""
_HALF = 1 << INTEGRAL_SHIFT - 1


def phases(frequency: int, times: npt.ArrayLike, epoch: int = 0) -> npt.NDArray[np.uint32]:
    """Phase words of the oscillator for samples in cycles `times`, any shape: -frequency * (time - epoch)."""
    elapsed = (np.asarray(times, dtype=np.int64) - epoch).astype(np.uint64)
    return (elapsed * np.uint64(-frequency & 0xFFFFFFFF)).astype(np.uint32)


def accumulate(
    samples: Samples, starts: npt.ArrayLike, frequency: int, weights: npt.ArrayLike, epoch: int = 0
) -> tuple[Integers, Integers]:
    """Accumulators at the end of each window: real and imaginary part, int64 (shots,).

    Args:
        samples: int16 (shots, samples, 2), i and q.
        starts: cycle of each shot's first sample, integers (shots,).
        frequency: word, cycles per sample * 2**32.
        weights: integers (>= samples, 2), real and imaginary part.
        epoch: cycle of phase 0.
    """
    starts = np.asarray(starts, dtype=np.int64)
    shots, length, _ = samples.shape
    window = np.ascontiguousarray(np.asarray(weights, dtype=np.int64)[:length])
    if len(window) < length:
        raise ValueError(f"a window of {length} samples needs as many weights, not {len(window)}")
    re, im = np.empty(shots, dtype=np.int64), np.empty(shots, dtype=np.int64)
    step = max(1, _CHUNK // length)
    for low in range(0, shots, step):
        part = slice(low, low + step)
        times = starts[part, None] + np.arange(length)
        cos, sin = oscillate(phases(frequency, times, epoch))
        _accumulate(samples[part], cos, sin, window, re[part], im[part])
    return re, im


@numba.njit(cache=True)
def _accumulate(samples, cos, sin, weights, re, im):  # type: ignore[no-untyped-def]
    half = np.int64(1) << (PREPARED_SHIFT - 1)
    for shot in range(samples.shape[0]):
        sum_re = sum_im = np.int64(_HALF)
        for n in range(samples.shape[1]):
            c, s = np.int64(cos[shot, n]), np.int64(sin[shot, n])
            w_re, w_im = weights[n, 0], weights[n, 1]
            p_re = (w_re * c - w_im * s + half) >> PREPARED_SHIFT
            p_im = (w_re * s + w_im * c + half) >> PREPARED_SHIFT
            i, q = np.int64(samples[shot, n, 0]), np.int64(samples[shot, n, 1])
            sum_re += i * p_re - q * p_im
            sum_im += i * p_im + q * p_re
        re[shot] = sum_re
        im[shot] = sum_im


def integrate(
    samples: Samples, starts: npt.ArrayLike, frequency: int, weights: npt.ArrayLike, epoch: int = 0
) -> tuple[Integers, Integers]:
    """Integrals of each window, i and q, int64 (shots,); arguments as for `accumulate`."""
    re, im = accumulate(samples, starts, frequency, weights, epoch)
    return re >> INTEGRAL_SHIFT, im >> INTEGRAL_SHIFT


def decimate(
    samples: Samples,
    start: int,
    frequency: int,
    weights: npt.ArrayLike,
    decimation: int,
    epoch: int = 0,
) -> npt.NDArray[np.int32]:
    """Decimated trace of one window: int32 (values, 2), the integral so far after every `decimation` samples.

    Args:
        samples: int16 (samples, 2).
        start, frequency, weights, epoch: see `accumulate`.
        decimation: samples from one value to the next; the last value is that of the whole window.
    """
    length = len(samples)
    ends = [*range(decimation, length, decimation), length]
    values = []
    for end in ends:
        re, im = accumulate(samples[None, :end], [start], frequency, weights, epoch)
        values.append((int(re[0]) >> TRACE_SHIFT, int(im[0]) >> TRACE_SHIFT))
    return np.array(values, dtype=np.int32)
