# SPDX-License-Identifier: BSD-2-Clause
"""First calibrations of a qubit, as programs of the board's own sequencer: readout, Rabi, Ramsey, T1.

    station.py    a board with a device behind it, and programs on it that count ones
    readout.py    mean traces, weights, blobs, discriminant
    routines.py   Rabi, Ramsey, T1: points, fit, verdict
    snapshot.py   what was found, when, and for how long it is believed
    drawing.py    figures of all of them
    saying.py     numbers as people say them
    command.py    all of it from the command line
    report.py     what was found, at a terminal

Sweeps and shots are loops of the program: one upload, one start, and a word a point that comes back.
"""

from triplane.host.calibration.qubit.readout import ReadoutResult, calibrate_readout
from triplane.host.calibration.qubit.routines import Calibration, rabi, ramsey, relaxation
from triplane.host.calibration.qubit.snapshot import (
    Snapshot,
    SnapshotError,
    StaleSnapshotError,
    StaleSnapshotWarning,
)
from triplane.host.calibration.qubit.station import Station

__all__ = [
    "Calibration",
    "ReadoutResult",
    "Snapshot",
    "SnapshotError",
    "StaleSnapshotError",
    "StaleSnapshotWarning",
    "Station",
    "calibrate_readout",
    "rabi",
    "ramsey",
    "relaxation",
]
