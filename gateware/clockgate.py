# SPDX-License-Identifier: BSD-2-Clause
"""When the decoder's clock may rest."""

from litex.gen import LiteXModule
from migen import If, Signal


class ClockGate(LiteXModule):
    r"""Says in which cycles a gated clock must have its edge.

    At 1 us per round and some 20 cycles of decoding a shot, a decoder rests nine cycles out of ten: power on a board,
    and nine tenths of the work in a simulation. The gated clock is the system clock with edges left out, so signals
    pass between the two without synchronisers, as long as nobody on the gated side counts cycles while at rest::

        request   __/-----\\____________
        enable    __/-----------\\______   for HOLD cycles more

    Attributes
    ----------
    request: input; something is going on, or about to.
    enable: the coming edge of the gated clock is needed. Combinational from `request`, so not a cycle is late.
    """

    HOLD = 4
    """Cycles that the clock goes on after the last request: time for registers of registers to settle."""

    def __init__(self) -> None:
        self.request = Signal()
        self.enable = Signal()

        # # #

        # Out of reset the clock runs, so that the gated side is reset as well.
        left = Signal(max=self.HOLD + 1, reset=self.HOLD)
        self.comb += self.enable.eq(self.request | (left != 0))
        self.sync += If(self.request, left.eq(self.HOLD)).Elif(left != 0, left.eq(left - 1))
