# SPDX-License-Identifier: BSD-2-Clause
"""The way from the bus into memories whose words are wider than the bus."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRStorage
from migen import Cat, If, Signal, bits_for


class EntryLoader(LiteXModule):
    r"""Collects the words of an entry and hands it over whole, so that no half of an entry is ever used.

    ```
    data written  | word 0 | word 1 |        |
    write         ___________/‾‾‾‾‾‾\________    entry complete
    number             n         n      n+1
    ```

    Args:
        words: 32-bit words per entry, least significant first.
        depth: entries.
        what: for the registers' descriptions, such as "the pulse table".

    Attributes:
        write, number, entry: an entry to store, in the cycle in which its last word is written.
    """

    def __init__(self, words: int, depth: int, what: str) -> None:
        self.write = Signal()
        self.number = Signal(bits_for(depth - 1))
        self.entry = Signal(32 * words)
        self._index = CSRStorage(
            bits_for(depth - 1),
            description=f"Entry of {what} that the next words go to. Words of an unfinished entry are forgotten.",
        )
        self._data = CSRStorage(
            32,
            description=f"Next of the {words} words of an entry of {what}, least significant first. The last one "
            "stores the entry and moves on to the next.",
        )

        # # #

        # Each word moves on by one place when the next is written.
        position = Signal(max=max(words, 2))
        earlier = [Signal(32) for _ in range(words - 1)]
        following = [*earlier, self._data.storage][1:]
        self.comb += [
            self.write.eq(self._data.re & (position == words - 1)),
            self.entry.eq(Cat(*earlier, self._data.storage)),
        ]
        self.sync += [
            If(self._data.re,
                *(word.eq(next_word) for word, next_word in zip(earlier, following, strict=True)),
                position.eq(position + 1),
                If(self.write, position.eq(0), self.number.eq(self.number + 1)),
            ),
            If(self._index.re, position.eq(0), self.number.eq(self._index.storage)),
        ]  # fmt: skip
