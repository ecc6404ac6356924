# SPDX-License-Identifier: BSD-2-Clause
"""Devices without their faults, for what is to be compared with ideal circuits."""

from __future__ import annotations

from triplane.hal.device import Device

FOREVER_US = 1e9
QUIET_LSB = 100.0
"""Noise of samples that is left, since discriminants need some; no bit of a readout is wrong by it."""


def noiseless(device: Device) -> Device:
    """The device with nothing that calibration has missed: no relaxation, no crosstalk, and readout that is certain."""
    described = device.model_dump()
    for qubit in described["qubits"]:
        qubit.update(detuning_hz=0.0, t1_us=FOREVER_US, t2_us=FOREVER_US)
    for coupling in described["couplings"]:
        coupling.update(ix_hz=0.0)
    for line in described["lines"]:
        line.update(noise_lsb=QUIET_LSB, crosstalk=())
        for tone in line["tones"]:
            tone.update(t1_us=None)
    return Device.model_validate(described)
