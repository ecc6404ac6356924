# SPDX-License-Identifier: BSD-2-Clause
"""Where the decoder's rounds come from: the host's, at the pacer's times, or those that were measured."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRField, CSRStorage
from migen import If

from triplane.gateware.syndrome.layouts import EVENT_LAYOUT


class RoundSwitch(LiteXModule):
    """Connects one of two sources to the decoder, by a register; words pass without delay.

    The source that is not chosen waits. The choice is for between runs: in the middle of a round it would join the
    halves of two.

    Attributes:
        replayed, measured: sinks, words of rounds.
        source: words of rounds.
    """

    def __init__(self) -> None:
        self.replayed = stream.Endpoint(EVENT_LAYOUT)
        self.measured = stream.Endpoint(EVENT_LAYOUT)
        self.source = stream.Endpoint(EVENT_LAYOUT)
        self._control = CSRStorage(
            fields=[
                CSRField(
                    "live",
                    description="1: the decoder takes rounds that were measured; 0: those that the host has written.",
                )
            ],
            description="Where rounds come from.",
        )

        # # #

        self.comb += If(
            self._control.fields.live,
            self.measured.connect(self.source),
        ).Else(
            self.replayed.connect(self.source),
        )
