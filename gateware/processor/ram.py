# SPDX-License-Identifier: BSD-2-Clause
"""Static RAM of the processor: data and stack."""

from litex.gen import LiteXModule
from migen import If, Memory, Signal, bits_for

from triplane.gateware.processor.layouts import RAM_BYTES, WORD_BITS, WORD_BYTES

RAM_WORDS = RAM_BYTES // WORD_BYTES


class StaticRam(LiteXModule):
    """Block memory, written byte by byte where wanted.

    Attributes:
        address: input; a word.
        write: input; a bit for each byte of it.
        write_data: input.
        data: that word, one cycle later, where it was not written.
    """

    def __init__(self) -> None:
        self.address = Signal(bits_for(RAM_WORDS - 1))
        self.write = Signal(WORD_BYTES)
        self.write_data = Signal(WORD_BITS)
        self.data = Signal(WORD_BITS)

        # # #

        # Two ports with addresses of their own: of one port Yosys makes LUTs, and fails at 2,048 words of them.
        memory = Memory(WORD_BITS, RAM_WORDS)
        writer = memory.get_port(write_capable=True, we_granularity=8)
        reader = memory.get_port()
        self.specials += memory, writer, reader
        self.comb += [
            writer.adr.eq(self.address),
            writer.we.eq(self.write),
            writer.dat_w.eq(self.write_data),
            If(self.write == 0, reader.adr.eq(self.address)),
            self.data.eq(reader.dat_r),
        ]
