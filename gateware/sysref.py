# SPDX-License-Identifier: BSD-2-Clause
"""The board's SYSREF, brought to the converters' data clock."""

from litex.gen import LiteXModule
from migen import Signal


class SysrefCapture(LiteXModule):
    """Two registers: one of the clock that SYSREF comes with, one of the system clock that is made of that clock.

    The tiles of converters line up on an edge that all of them and the fabric must see in the same cycle. SYSREF is
    aligned with the clock that the clock chip sends beside it (domain `reference`), so that the first register has a
    whole cycle of it; `sys` is a multiple of `reference`, from a PLL that keeps their phase, so that the way to the
    second is an ordinary timed path and no crossing. A synchroniser would be wrong here: it may be a cycle late, now
    and then.

    Attributes:
        sysref: input.
        captured: in the domain `sys`.
    """

    def __init__(self) -> None:
        self.sysref = Signal()
        self.captured = Signal()

        # # #

        held = Signal()
        self.sync.reference += held.eq(self.sysref)
        self.sync += self.captured.eq(held)
