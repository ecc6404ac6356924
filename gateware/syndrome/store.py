# SPDX-License-Identifier: BSD-2-Clause
"""A table whose entries are read whole, trusted only after the hardware has read all of it back."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Cat, If, Memory, Signal, bits_for

from triplane.gateware.decoder.memory import CHECKING, CheckedMemory
from triplane.gateware.decoder.table import WORD_BITS


class WideStore(LiteXModule):
    """Entries of many words, written word by word, read in one cycle.

    The words are written to a `CheckedMemory`. Its check reads each of them once, in order, and every word that is
    read goes both into the CRC and to its place in the wide memory, which has no other way in: what is trusted is
    what is there.

    ```
    cycle      0     1     2     3    ...  words
    checked    0   | 1   | 2   |          |
    read port        w0  | w1  | w2       | last
    placed           w0  | w1  | w2       | last     entry 0 word 0, entry 0 word 1, ...
    ```

    Args:
        entries: number of entries, a power of two.
        entry_words: words of an entry; at least 2 words in all.

    Attributes:
        table: the checked memory: write it, have it checked, ask for its `state`.
        words: of the table.
    """

    def __init__(self, entries: int, entry_words: int) -> None:
        if entries < 1 or entries & (entries - 1):
            raise ValueError(f"entries must be a power of two, not {entries}")
        self.words = entries * entry_words
        self.table = table = CheckedMemory(self.words)

        # # #

        placing = Signal()
        entry, word = Signal(bits_for(entries)), Signal(bits_for(entry_words - 1))
        self.sync += [
            placing.eq(table.state == CHECKING),
            If(table.state != CHECKING,
                entry.eq(0),
                word.eq(0),
            ).Elif(placing,
                word.eq(word + 1),
                If(word == entry_words - 1, word.eq(0), entry.eq(entry + 1)),
            ),
        ]  # fmt: skip
        self._memories = []
        for number in range(entry_words):
            memory = Memory(WORD_BITS, entries)
            port = memory.get_port(write_capable=True)
            self.specials += memory, port
            self.comb += [
                port.adr.eq(entry),
                port.dat_w.eq(table.data),
                # The last of the check's reads has no word, and comes when all entries are full.
                port.we.eq(placing & (table.state == CHECKING) & (word == number) & (entry < entries)),
            ]
            self._memories.append(memory)

    def read(self, address: Signal, first: int, count: int) -> Cat:
        """Words `first` to `first + count - 1` of the entry at `address`, in the same cycle."""
        words = []
        for memory in self._memories[first : first + count]:
            port = memory.get_port(async_read=True)
            self.specials += port
            self.comb += port.adr.eq(address)
            words.append(port.dat_r)
        return Cat(*words)
