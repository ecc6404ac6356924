# SPDX-License-Identifier: BSD-2-Clause
"""Layout of detection events in 32-bit words.

A round travels as `words_per_round` words, least significant first; bit k % 32 of word k // 32 is the k-th detector
of the round, in the order of the decoding graph's `layers`. Bits beyond the round's last detector are 0.
"""

EVENT_LAYOUT = [
    ("data", 32),  # 32 detection events of one round; bit 0 is the first detector
]
