# SPDX-License-Identifier: BSD-2-Clause
"""From devices to what a control board is loaded with.

`alignment` makes the beginning of every program: it sets the frequencies of all slots and puts their phases where they
would be had all oscillators run since one instant, so that channels agree on the frames of qubits. `device` fills
pulse tables, windows and discriminants for a device whose parameters are known. What calibration finds out takes the
same way: only the numbers differ.
"""

from triplane.host.compiler.alignment import aligned
from triplane.host.compiler.device import demodulation_of, drive_pulses, line_tones
from triplane.host.compiler.gates import GateSet

__all__ = ["GateSet", "aligned", "demodulation_of", "drive_pulses", "line_tones"]
