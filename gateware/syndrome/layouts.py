# SPDX-License-Identifier: BSD-2-Clause
"""Layouts of detection events and of the record of a round, in 32-bit words.

A round travels as `words_per_round` words, least significant first; bit k % 32 of word k // 32 is the k-th detector
of the round, in the order of the decoding graph's `layers`. Bits beyond the round's last detector are 0.
"""

from __future__ import annotations

from triplane.gateware.decoder.layouts import Field, Record
from triplane.gateware.syndrome.shape import WORD_BITS, SyndromeShape

EVENT_LAYOUT = [
    ("data", 32),  # 32 detection events of one round; bit 0 is the first detector
]

LAST_ROUND = 1 << 0
"""Flag of a round's record: the last of its shot."""

LEAKED = 1 << 1
"""Flag of a round's record: at least one slot leaked."""


def round_record(shape: SyndromeShape) -> Record:
    """The record of a round: what was measured, what leaked, and what was made of it."""
    words = {
        "measured": (
            shape.slots,
            "results as readout gave them, bit k = slot {} + k; 0 where none was expected",
        ),
        "leaked": (shape.slots, "slots that were outside the qubit's states, bit k = slot {} + k"),
        "known": (shape.known, "bits that the sequencer gave with the round, bit k = bit {} + k"),
        "events": (shape.events, "detection events, as the decoder got them, bit k = event {} + k"),
    }
    return Record(
        "round",
        (
            Field("sequence", 32, "number of the round, from 0 since the last restart; a gap: no room for a record"),
            Field("shot", 32, "number of the shot, from 0 since the last restart"),
            Field("round", 32, "number of the round in its shot, from 0"),
            Field("timestamp_lo", 32, "cycle counter, low half, in the cycle in which the round was complete"),
            Field("timestamp_hi", 32, "cycle counter, high half"),
            Field("kind", 16, "kind of the round, by the sequencer"),
            Field("flags", 16, "bit 0: last round of its shot; bit 1: at least one slot leaked"),
            Field("observables", 32, "measured parities of the shot so far, bit k = observable k"),
            *(
                Field(f"{name}_{k}", 32, meaning.format(WORD_BITS * k))
                for name, (bits, meaning) in words.items()
                for k in range(-(-bits // WORD_BITS))
            ),
        ),
    )  # fmt: skip
