# SPDX-License-Identifier: BSD-2-Clause
"""Register writes that set up a readout line, in the order in which they must be made.

Names are those of the line's own registers; a system puts the name of its line before them. Values are as wide as the
register, two's complement where negative. All but `window_writes` are for times at which no window of the tone runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from triplane.gateware.readout.layouts import WEIGHT_BITS, Discriminant, Window
from triplane.gateware.readout.settings import LOAD_DISCRIMINANT, LOAD_FREQUENCY, TONE_OFFSET

Writes = list[tuple[str, int]]
"""(register, value), first to last."""

_COEFFICIENTS = ("a1", "b1", "c1", "a2", "b2", "c2", "soft_shift")


def frequency_writes(tone: int, frequency: int) -> Writes:
    """Sets a tone's frequency word; `settings_settled` tells when its phase is right."""
    return [("settings_frequency", frequency & 0xFFFFFFFF), ("settings_load", tone | LOAD_FREQUENCY)]


def weight_writes(tone: int, weights: Iterable[Sequence[int]], first: int = 0) -> Writes:
    """Stores weights, (re, im) each, of a tone from number `first` on.

    Raises:
        ValueError: a weight has more than 16 bits.
    """
    writes = [("settings_weight_index", tone << TONE_OFFSET | first)]
    limit, mask = 1 << WEIGHT_BITS - 1, (1 << WEIGHT_BITS) - 1
    for re, im in weights:
        if not (-limit <= re < limit and -limit <= im < limit):
            raise ValueError(f"a weight has {WEIGHT_BITS} bits, signed; ({re}, {im}) does not fit")
        writes.append(("settings_weight_data", (re & mask) | (im & mask) << WEIGHT_BITS))
    return writes


def discriminant_writes(tone: int, discriminant: Discriminant) -> Writes:
    """Sets the discriminator of a tone, all registers at once with the last write."""
    writes = [(f"settings_{name}", getattr(discriminant, name)) for name in _COEFFICIENTS]
    return [*writes, ("settings_load", tone | LOAD_DISCRIMINANT)]


def window_writes(entry: int, window: Window) -> Writes:
    """Stores an entry of the window table."""
    return [
        ("settings_window_index", entry),
        ("settings_window_selection", window.selection),
        ("settings_window_timing", window.timing),
    ]


def epoch_writes(epoch: int) -> Writes:
    """Sets the cycle of phase 0 of all tones."""
    return [("settings_epoch", epoch & 0xFFFFFFFF)]
