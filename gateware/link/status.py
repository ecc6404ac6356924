# SPDX-License-Identifier: BSD-2-Clause
"""One word that a streaming host polls."""

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus
from migen import Signal

LEVEL_BITS = 15
"""Width of each level; FIFOs are at most 2**15 - 1 words deep."""


class LinkStatus(LiteXModule):
    """Levels of both FIFOs and the state of the board, read at one instant.

    Attributes
    ----------
    event_space, result_level, running, safe: inputs, as the fields describe.
    """

    def __init__(self) -> None:
        self.event_space = Signal(LEVEL_BITS)
        self.result_level = Signal(LEVEL_BITS)
        self.running = Signal()
        self.safe = Signal()
        self.status = CSRStatus(
            fields=[
                CSRField(
                    "event_space",
                    size=LEVEL_BITS,
                    description="Words that may be written to the event FIFO now.",
                ),
                CSRField(
                    "result_level",
                    size=LEVEL_BITS,
                    description="Words that may be read from the result FIFO now.",
                ),
                CSRField("running", description="1 while the pacer has rounds to release."),
                CSRField(
                    "safe",
                    description="1 while a fault holds the board in its safe state: no round is released.",
                ),
            ],
            description="All that a streaming host polls, in one word.",
        )

        # # #

        fields = self.status.fields
        self.comb += [
            fields.event_space.eq(self.event_space),
            fields.result_level.eq(self.result_level),
            fields.running.eq(self.running),
            fields.safe.eq(self.safe),
        ]
