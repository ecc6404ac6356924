# SPDX-License-Identifier: BSD-2-Clause
"""Devices that only a test needs."""

import pytest

from triplane.hal.device import Coupling, Device, Line, Qubit, Resonator

FOREVER_US = 1e9


def qubit(number, **changes):
    """A transmon that nothing disturbs."""
    return Qubit(
        **{
            "channel": number,
            "frequency_hz": 4.9e9 + 60e6 * number,
            "anharmonicity_hz": -330e6,
            "rabi_hz": 40e6,
            "t1_us": FOREVER_US,
            "t2_us": FOREVER_US,
            "lo_hz": 4.9e9,
            **changes,
        }
    )


def line(*qubits, **changes):
    """A line that reads qubits with hardly any noise."""
    tones = tuple(
        Resonator(qubit=n, frequency_hz=7.1e9 + 25e6 * k, chi_hz=-1.2e6, kappa_hz=2.4e6, amplitude_lsb=2000)
        for k, n in enumerate(qubits)
    )
    return Line(**{"lo_hz": 7.1e9, "noise_lsb": 50, "tones": tones, **changes})


def device(*qubits, couplings=(), lines=None):
    """A processor of some transmons."""
    return Device(
        schema_version=1,
        name="test",
        description="For a test",
        qubits=qubits,
        couplings=couplings,
        lines=(line(*range(len(qubits))),) if lines is None else lines,
    )


@pytest.fixture
def single():
    return device(qubit(0))


@pytest.fixture
def pair():
    """Two transmons, cross-resonance both ways, with a control's own shift and cables of different length."""
    couplings = (
        Coupling(control=0, target=1, zx_hz=1.5e6, stark_hz=250e3),
        Coupling(control=1, target=0, zx_hz=1.2e6, stark_hz=-90e3),
    )
    return device(
        qubit(0, delay_ns=3.3), qubit(1, delay_ns=7.1), couplings=couplings, lines=(line(0, 1, delay_ns=40),)
    )
