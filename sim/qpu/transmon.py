# SPDX-License-Identifier: BSD-2-Clause
"""What a pulse does to a transmon: propagators of three levels, in the frame of the drive.

With D the drive's frequency less the qubit's, alpha the anharmonicity, s the envelope and R the Rabi frequency
at full scale, in turns per second (Krantz et al., Appl. Phys. Rev. 6, 021318 (2019), section IV; Motzoi et al.,
PRL 103, 110501):

    H = -D n + alpha/2 n (n - 1) + R/2 (conj(s) a^ + s a)

The conjugate is that of a signal `Re[s exp(i w t)]` in the rotating-wave approximation. A pulse of phase p turns about
`cos(p) X - sin(p) Y`, and adding p to the phase of all later pulses is a rotation of p about Z that takes no time.

In cross-resonance the target sees the pulse on its control's channel with a rate that depends on the control's
level (Magesan and Gambetta, PRA 101, 052308 (2020)): `ix + zx` for 0, `ix - zx` for all others. The control's
own shift is one phase, quadratic in the amplitude.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from triplane.hal.device import DAC_HZ, Coupling, Qubit
from triplane.sim.qpu.events import Envelope

Matrix = npt.NDArray[np.complex128]

LEVELS = 3
SAMPLE_S = 1 / DAC_HZ

INTERPOLATION = 4
"""Steps in a sample: the converter's filter lets no image of the envelope through, and with images DRAG would work for
anharmonicities up to half the sample rate only."""

TAIL = 8
"""Samples before and after a pulse into which the filter spreads it."""

_NUMBER = np.arange(LEVELS)
_RAISE = np.diag(np.sqrt(np.arange(1.0, LEVELS)), -1).astype(np.complex128)


def propagator(envelope: Envelope, *, rate_hz: float, offset_hz: float, anharmonicity_hz: float) -> Matrix:
    """Three levels under a pulse, in the frame of the drive: complex128 (3, 3).

    The envelope is interpolated, each step held for its time, and its Hamiltonian exponentiated exactly. What the
    converter's filter spreads beyond the first and last sample counts as inside.

    Args:
        envelope: of the pulse, full scale 1.
        rate_hz: Rabi frequency at full scale.
        offset_hz: the drive's frequency less the qubit's.
        anharmonicity_hz: of the transmon.
    """
    drive = (rate_hz / 2) * interpolate(envelope).conj()[:, None, None] * _RAISE
    levels = -offset_hz * _NUMBER + anharmonicity_hz / 2 * _NUMBER * (_NUMBER - 1)
    hamiltonian = drive + drive.conj().transpose(0, 2, 1) + np.diag(levels)
    energy, vectors = np.linalg.eigh(hamiltonian)
    phases = np.exp(-2j * math.pi * SAMPLE_S / INTERPOLATION * energy)
    steps = (vectors * phases[:, None, :]) @ vectors.conj().transpose(0, 2, 1)
    back = np.exp(2j * math.pi * SAMPLE_S * TAIL * levels)
    return back[:, None] * _product(steps) * back


def interpolate(envelope: Envelope) -> npt.NDArray[np.complex128]:
    """What the converter makes of an envelope, `INTERPOLATION` steps a sample, `TAIL` samples before and after it."""
    samples = np.pad(envelope.astype(np.complex128), TAIL)
    return np.asarray(resample_poly(samples, INTERPOLATION, 1, window=("kaiser", 8.0)))


def drive_propagator(qubit: Qubit, envelope: Envelope, offset_hz: float) -> Matrix:
    """A pulse on the qubit's own channel, see `propagator`; complex128 (3, 3)."""
    return propagator(
        envelope, rate_hz=qubit.rabi_hz, offset_hz=offset_hz, anharmonicity_hz=qubit.anharmonicity_hz
    )


def cross_propagators(coupling: Coupling, target: Qubit, envelope: Envelope, offset_hz: float) -> Matrix:
    """The target's propagator for each level of the control: complex128 (3, 3, 3), and the control's phases in it.

    `offset_hz` is the drive's frequency less the target's. The first axis is the control's level.
    """
    shift = 2 * math.pi * SAMPLE_S * coupling.stark_hz * float((np.abs(envelope) ** 2).sum())
    turned = [
        propagator(envelope, rate_hz=rate, offset_hz=offset_hz, anharmonicity_hz=target.anharmonicity_hz)
        for rate in (coupling.ix_hz + coupling.zx_hz, coupling.ix_hz - coupling.zx_hz)
    ]
    blocks = np.stack([turned[0], turned[1], turned[1]])
    return blocks * frame(-shift)[:, None, None]


def frame(angle_rad: float) -> Matrix:
    """Phases of the levels, (3,): `frame(a)` of a rotation by a about Z."""
    phases: Matrix = np.exp(1j * angle_rad * _NUMBER)
    return phases


def rotate_frame(unitary: Matrix, start_rad: float, stop_rad: float) -> Matrix:
    """From the frame of the drive to that of the qubit, on the last two axes.

    The angles are the drive's phase in the qubit's frame when the pulse starts and stops.
    """
    rotated: Matrix = np.exp(1j * (start_rad * _NUMBER - stop_rad * _NUMBER[:, None])) * unitary
    return rotated


def _product(steps: Matrix) -> Matrix:
    """Product of (n, 3, 3), the last one leftmost, by halves."""
    while len(steps) > 1:
        odd = steps[-1:] if len(steps) % 2 else None
        even = steps[: len(steps) // 2 * 2]
        steps = even[1::2] @ even[::2]
        if odd is not None:
            steps = np.concatenate([steps, odd])
    result: Matrix = steps[0]
    return result
