# SPDX-License-Identifier: BSD-2-Clause
"""The processor's way to the board's register bus, on which every access ends."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import Cat, If, Signal

from triplane.gateware.processor.layouts import WORD_BITS

WINDOW_BITS = 26
"""Of a word address in the window."""


class BusWindow(LiteXModule):
    r"""Passes accesses on, and ends those that get no answer.

    The core knows of no bus errors. So an access that is refused, or not answered within `limit` cycles, is answered
    here, with 0 where it is a read, and remembered in `failed`: the firmware looks there after each access, and does
    not believe a value that came with a failure.

    ```
    cycle    1     2   ...  limit  limit+1
    stb    __/------------------\________    given up: cyc falls, and a late answer finds nobody
    done   _____________________/--\_____
    ```

    Args:
        limit: cycles that an access may take, at least 2.

    Attributes:
        bus: master on the board's bus, word addresses.
        access, write, address, write_data: inputs; `access` until `done`.
        done: one cycle; the access has ended.
        data: what was read, with `done`.
        failed: one did not get its answer; until `forget`.
        failed_address: the last of these, in bytes on the board's bus.
        forget: input; a failure in the same cycle is kept.
    """

    def __init__(self, limit: int) -> None:
        if limit < 2:
            raise ValueError(f"an access takes at least 2 cycles; its limit cannot be {limit}")
        self.bus = bus = wishbone.Interface(data_width=32, adr_width=30)
        self.access = Signal()
        self.write = Signal()
        self.address = Signal(WINDOW_BITS)
        self.write_data = Signal(WORD_BITS)
        self.done = Signal()
        self.data = Signal(WORD_BITS)
        self.failed = Signal()
        self.failed_address = Signal(WORD_BITS)
        self.forget = Signal()

        # # #

        waited, ends, late = Signal(max=limit + 1), Signal(), Signal()
        self.comb += [
            bus.cyc.eq(self.access & ~self.done),
            bus.stb.eq(bus.cyc),
            bus.we.eq(self.write),
            bus.sel.eq(0xF),
            bus.adr.eq(self.address),
            bus.dat_w.eq(self.write_data),
            late.eq(waited == limit - 1),
            ends.eq(bus.cyc & (bus.ack | bus.err | late)),
        ]
        self.sync += [
            self.done.eq(ends),
            If(bus.cyc, waited.eq(waited + 1)).Else(waited.eq(0)),
            If(self.forget, self.failed.eq(0)),
            If(ends,
                self.data.eq(0),
                If(bus.ack & ~bus.err,
                    self.data.eq(bus.dat_r),
                ).Else(
                    self.failed.eq(1),
                    self.failed_address.eq(Cat(0, 0, self.address)),
                ),
            ),
        ]  # fmt: skip
