# SPDX-License-Identifier: BSD-2-Clause
"""A table in block memory that is trusted only after the hardware has read all of it back."""

from __future__ import annotations

from liteeth.mac.crc import LiteEthMACCRC32, LiteEthMACCRCEngine
from litex.gen import LiteXModule
from migen import If, Memory, Mux, Signal, bits_for

from triplane.gateware.decoder.table import CHECKING, MISMATCH, TRUSTED, UNCHECKED, WORD_BITS


class CheckedMemory(LiteXModule):
    """Words that are written one by one, checked as a whole, and read one by one.

    A write takes the trust away; a check gives it, if the CRC-32 of every word in order (`table.table_crc`) is the
    expected one. It reads through the port that the user reads through, so that a word that was lost on the way,
    never written, or put elsewhere is noticed, and the port is not the user's meanwhile:

    ```
    cycle      1     2     3     ...   words+1  words+2
    checked    0   | 1   | 2   |     | words  | words+1 |
    read port        0   | 1   |     | last   |         |
    checksum               | 1 word  |        | all     |    state: TRUSTED or MISMATCH from the next cycle on
    ```

    Args:
        words: depth in 32-bit words.

    Attributes:
        write, write_index, write_data: inputs; store a word.
        check, expected: inputs; start a check against this CRC in the cycle after `check`.
        address: input; word to read.
        data: the word read, one cycle after its address.
        state: `UNCHECKED`, `CHECKING`, `MISMATCH` or `TRUSTED`.
        found: CRC that the last check found, 0 before the first.
        check_cycles: cycles that the state is `CHECKING`.
    """

    def __init__(self, words: int) -> None:
        if words < 2:
            raise ValueError(f"a memory has at least 2 words, not {words}")
        self.check_cycles = words + 2
        self.write = Signal()
        self.write_index = Signal(bits_for(words - 1))
        self.write_data = Signal(WORD_BITS)
        self.check = Signal()
        self.expected = Signal(32)
        self.address = Signal.like(self.write_index)
        self.data = Signal(WORD_BITS)
        self.state = Signal(2)
        self.found = Signal(32)

        # # #

        memory = Memory(WORD_BITS, words)
        writer = memory.get_port(write_capable=True)
        reader = memory.get_port()
        self.specials += memory, writer, reader
        checked = Signal(max=words + 2)
        self.comb += [
            writer.adr.eq(self.write_index),
            writer.dat_w.eq(self.write_data),
            writer.we.eq(self.write),
            reader.adr.eq(Mux(self.state == CHECKING, checked, self.address)),
            self.data.eq(reader.dat_r),
        ]

        checksum, crc = Signal(32), Signal(32)
        self.engine = engine = LiteEthMACCRCEngine(WORD_BITS, LiteEthMACCRC32.width, LiteEthMACCRC32.polynom)
        self.comb += [
            engine.data.eq(reader.dat_r),
            engine.crc_prev.eq(checksum),
            crc.eq(checksum[::-1] ^ LiteEthMACCRC32.init),
        ]
        self.sync += [
            If(self.write,
                self.state.eq(UNCHECKED),
            ).Elif(self.check,
                self.state.eq(CHECKING),
                checked.eq(0),
                checksum.eq(LiteEthMACCRC32.init),
            ).Elif(self.state == CHECKING,
                checked.eq(checked + 1),
                If(checked != 0, checksum.eq(engine.crc_next)),
                If(checked == words + 1,
                    self.found.eq(crc),
                    self.state.eq(Mux(crc == self.expected, TRUSTED, MISMATCH)),
                ),
            ),
        ]  # fmt: skip
