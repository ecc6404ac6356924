# SPDX-License-Identifier: BSD-2-Clause
"""Static RAM of the processor: data and stack."""

from litex.gen import LiteXModule
from migen import Memory, Signal, bits_for

from triplane.gateware.processor.layouts import RAM_BYTES, WORD_BITS, WORD_BYTES

RAM_WORDS = RAM_BYTES // WORD_BYTES


class StaticRam(LiteXModule):
    """Block memory, written byte by byte where wanted.

    Attributes:
        address: input; a word.
        write: input; a bit for each byte of it.
        write_data: input.
        data: that word, one cycle later.
    """

    def __init__(self) -> None:
        self.address = Signal(bits_for(RAM_WORDS - 1))
        self.write = Signal(WORD_BYTES)
        self.write_data = Signal(WORD_BITS)
        self.data = Signal(WORD_BITS)

        # # #

        memory = Memory(WORD_BITS, RAM_WORDS)
        port = memory.get_port(write_capable=True, we_granularity=8)
        self.specials += memory, port
        self.comb += [
            port.adr.eq(self.address),
            port.we.eq(self.write),
            port.dat_w.eq(self.write_data),
            self.data.eq(port.dat_r),
        ]
