# SPDX-License-Identifier: BSD-2-Clause
"""A slot: memory for one image, read by the processor through two ports, filled and checked while it is not."""

from __future__ import annotations

from collections.abc import Sequence

from liteeth.mac.crc import LiteEthMACCRC32, LiteEthMACCRCEngine
from litex.gen import LiteXModule
from migen import If, Memory, Signal, bits_for

from triplane.gateware.processor.layouts import SLOT_BYTES, WORD_BITS, WORD_BYTES

SLOT_WORDS = SLOT_BYTES // WORD_BYTES


class Slot(LiteXModule):
    """Image memory with a port for instructions and one for constants.

    A slot that can be written has its whole contents checked on demand, through the port of the instructions: what
    passed is what the processor will fetch. A write takes the trust away.

    ```
    cycle      1     2     3     ...   words+1  words+2
    checked    0   | 1   | 2   |     | words  | words+1 |
    port             0   | 1   |     | last   |         |
    checksum               | 1 word  |        | all     |    checked, and trusted or not, from the next cycle on
    ```

    Args:
        contents: words at power-on, at most `SLOT_WORDS`; none for a slot that is written.
        writable: it can be written.

    Attributes:
        fetch_address, data_address: inputs; words.
        fetched, data: those words, one cycle later.
        write, write_address, write_data: inputs; store a word. Not while the processor reads constants.
        check, expected: inputs; start a check against this CRC-32. Not while the processor fetches.
        checking: the check goes on.
        trusted: it was right, and nothing was written since.
        found: CRC-32 that it found.
    """

    CHECK_CYCLES = SLOT_WORDS + 2

    def __init__(self, contents: Sequence[int] = (), *, writable: bool = False) -> None:
        if len(contents) > SLOT_WORDS:
            raise ValueError(f"an image has at most {SLOT_BYTES} bytes, not {WORD_BYTES * len(contents)}")
        self.fetch_address = Signal(bits_for(SLOT_WORDS - 1))
        self.data_address = Signal.like(self.fetch_address)
        self.fetched = Signal(WORD_BITS)
        self.data = Signal(WORD_BITS)

        # # #

        memory = Memory(WORD_BITS, SLOT_WORDS, init=list(contents) or None)
        fetch, data = memory.get_port(), memory.get_port(write_capable=writable)
        self.specials += memory, fetch, data
        self.comb += [
            fetch.adr.eq(self.fetch_address),
            data.adr.eq(self.data_address),
            self.fetched.eq(fetch.dat_r),
            self.data.eq(data.dat_r),
        ]
        if writable:
            self._add_check(fetch, data)

    def _add_check(self, fetch, data) -> None:
        self.write = Signal()
        self.write_address = Signal.like(self.fetch_address)
        self.write_data = Signal(WORD_BITS)
        self.check = Signal()
        self.expected = Signal(32)
        self.checking = Signal()
        self.trusted = Signal()
        self.found = Signal(32)

        # # #

        checked = Signal(max=SLOT_WORDS + 2)
        checksum, crc = Signal(32), Signal(32)
        self.engine = engine = LiteEthMACCRCEngine(WORD_BITS, LiteEthMACCRC32.width, LiteEthMACCRC32.polynom)
        self.comb += [
            If(self.write, data.adr.eq(self.write_address)),
            data.we.eq(self.write),
            data.dat_w.eq(self.write_data),
            If(self.checking, fetch.adr.eq(checked)),
            engine.data.eq(fetch.dat_r),
            engine.crc_prev.eq(checksum),
            crc.eq(checksum[::-1] ^ LiteEthMACCRC32.init),
        ]
        self.sync += [
            If(self.checking,
                checked.eq(checked + 1),
                If(checked != 0, checksum.eq(engine.crc_next)),
                If(checked == SLOT_WORDS + 1,
                    self.checking.eq(0),
                    self.found.eq(crc),
                    self.trusted.eq(crc == self.expected),
                ),
            ),
            If(self.check,
                self.checking.eq(1),
                self.trusted.eq(0),
                checked.eq(0),
                checksum.eq(LiteEthMACCRC32.init),
            ),
            If(self.write, self.trusted.eq(0)),
        ]  # fmt: skip
