# SPDX-License-Identifier: BSD-2-Clause
"""What calibration has found, as a person says it: a name, and a number with its uncertainty and unit."""

from __future__ import annotations

import math

NAMES = {
    "x_scale": ("pulse of half a turn, scale", 1.0, ""),
    "detuning_hz": ("detuning", 1e-3, " kHz"),
    "t1_us": ("T1", 1.0, " µs"),
    "t2_us": ("T2*", 1.0, " µs"),
    "readout_error0": ("0 read as 1", 100.0, " %"),
    "readout_error1": ("1 read as 0", 100.0, " %"),
}
"""Name in results and snapshots -> that for people, factor, unit."""


def said_of(name: str, value: float, error: float) -> tuple[str, str]:
    """What it is called, and its value: `("T1", "41.2 ± 0.8 µs")`.

    The value has as many decimals as two digits of its standard deviation have.
    """
    label, factor, unit = NAMES.get(name, (name, 1.0, ""))
    spread = abs(factor * error)
    decimals = max(0, 1 - math.floor(math.log10(spread))) if spread > 0 else 4
    return label, f"{factor * value:.{decimals}f} ± {spread:.{decimals}f}{unit}"


def hours(seconds: float) -> str:
    """A time as people say it: in hours, in minutes, or in seconds."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 3600:.3g} h" if seconds >= 3600 else f"{seconds / 60:.2g} min"
