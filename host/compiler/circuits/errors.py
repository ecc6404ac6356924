# SPDX-License-Identifier: BSD-2-Clause
"""What a circuit is refused with."""

from __future__ import annotations


class CircuitError(ValueError):
    """A circuit that the board or the device cannot play: the message names instruction, limit and remedy."""


class CoherenceWarning(UserWarning):
    """A circuit takes more than a budget of its compiler's options; the text says which, and by how much."""
