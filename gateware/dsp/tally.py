# SPDX-License-Identifier: BSD-2-Clause
"""A counter of what should not happen."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal


class Tally(LiteXModule):
    """Counts cycles in which something happens; it stops at its largest value and never starts again at 0 by itself.

    Args:
        what: for the register's description, such as "Clocks with a saturated sample".

    Attributes:
        happens: input; count this cycle.
    """

    BITS = 32

    def __init__(self, what: str) -> None:
        self.happens = Signal()
        self._count = CSRStatus(
            self.BITS, description=f"{what} since the last clear; {2**self.BITS - 1} or more."
        )
        self._control = CSRStorage(
            fields=[CSRField("clear", size=1, pulse=True, description="Count from 0 again.")],
            description="Control of the counter.",
        )

        # # #

        count = self._count.status
        self.sync += [
            If(self.happens & (count != 2**self.BITS - 1), count.eq(count + 1)),
            If(self._control.fields.clear, count.eq(0)),
        ]
