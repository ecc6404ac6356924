# SPDX-License-Identifier: BSD-2-Clause
"""The cycle counter that stamps every event."""

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal


class CycleCounter(LiteXModule):
    """64-bit count of system clock cycles since reset; it never stops and would wrap after 2,300 years.

    Attributes
    ----------
    now: the count, for time stamps.
    """

    def __init__(self) -> None:
        self.now = Signal(64)
        self.control = CSRStorage(
            fields=[CSRField("latch", pulse=True, description="Write 1 to copy the counter to `cycles`.")],
            description="The bus is 32 bits wide: latch first, then read both words of one instant.",
        )
        self.cycles = CSRStatus(64, description="Cycles since reset at the last latch.")

        # # #

        self.sync += [
            self.now.eq(self.now + 1),
            If(self.control.fields.latch, self.cycles.status.eq(self.now)),
        ]
