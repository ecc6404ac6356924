# SPDX-License-Identifier: BSD-2-Clause
"""Registers that give a simulated board the defects that a board can have, for whoever is to find them."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRStorage
from migen import If, Signal

from triplane.gateware.health import Health

BANK = "defects"

TICK_CYCLES = 32
"""Of the system clock, from one tick of the reference to the next: those of a SYSREF of 7.68 MHz."""

TICKS = 256
"""In a window, of 33 us."""


class Defects(LiteXModule):
    """Stands for oscillator, PLL and converters. A board with a processor has no such bank.

    Parameters
    ----------
    health: of the board, which is connected to these.
    """

    def __init__(self, health: Health) -> None:
        streams = len(health.flowing)
        self._locked = CSRStorage(1, reset=1, description="1: the PLL is locked.")
        self._period = CSRStorage(
            16,
            reset=TICK_CYCLES,
            description="Cycles from a tick of the reference to the next, at least 2; 0: it stands still.",
        )
        self._flowing = CSRStorage(
            streams, reset=2**streams - 1, description="Bit k: stream k flows. See `health_streams`."
        )

        # # #

        left = Signal(16)
        self.sync += If(left == 0, left.eq(self._period.storage - 1)).Else(left.eq(left - 1))
        self.comb += [
            health.locked.eq(self._locked.storage),
            health.flowing.eq(self._flowing.storage),
            health.tick.eq((self._period.storage != 0) & (left == 0)),
        ]
