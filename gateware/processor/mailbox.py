# SPDX-License-Identifier: BSD-2-Clause
"""One command at a time from the host to the firmware, and its answer."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal

from triplane.gateware.processor.layouts import Command, Result

CODE_BITS = 8
SEQUENCE_BITS = 16
COUNT_BITS = 16


class Mailbox(LiteXModule):
    """Holds a command until the firmware answers it.

    The host numbers its commands, each one more than the last one that was taken (`status.taken`). A command with the
    number of the last one is that command once more, sent again over a link that lost the acknowledgement: it is not
    executed twice. A new one while another waits is refused and counted, and leaves no trace otherwise.

    Attributes:
        pending: a command waits.
        code, sequence, argument0, argument1: of the command that waits, or was answered last; kept from the cycle in
            which it was taken, whatever the host writes meanwhile.
        taken: one cycle; a command was taken.
        value: input; word of the answer.
        answer, result: inputs; ends the command that waits. Without one nothing happens.
        lose: input; the firmware is gone, and so is its answer.
    """

    def __init__(self) -> None:
        self.pending = Signal()
        self.code = Signal(CODE_BITS)
        self.sequence = Signal(SEQUENCE_BITS)
        self.argument0 = Signal(32)
        self.argument1 = Signal(32)
        self.taken = Signal()
        self.value = Signal(32)
        self.answer = Signal()
        self.result = Signal(CODE_BITS)
        self.lose = Signal()

        self._argument0 = CSRStorage(32, description="First argument of the next command.")
        self._argument1 = CSRStorage(32, description="Second argument of the next command.")
        self._command = CSRStorage(
            fields=[
                CSRField(
                    "code",
                    size=CODE_BITS,
                    description="What is asked for.",
                    values=[(f"``{code:d}``", code.name) for code in Command],
                ),
                CSRField(
                    "sequence",
                    size=SEQUENCE_BITS,
                    description="Number of this command: one more than that of the last one taken.",
                ),
            ],
            description="Writing it sends a command to the firmware, with both arguments.",
        )
        self._status = CSRStatus(
            fields=[
                CSRField("pending", description="1 until the command that was taken last is answered."),
                CSRField(
                    "result",
                    size=CODE_BITS,
                    offset=8,
                    description="How the last command ended that was answered; 0 before the first.",
                    values=[(f"``{result:d}``", result.name) for result in Result],
                ),
                CSRField(
                    "taken",
                    size=SEQUENCE_BITS,
                    offset=16,
                    description="Number of the command that was taken last; 0 before the first.",
                ),
            ],
            description="The command that was taken last.",
        )
        self._value = CSRStatus(32, description="Word of the answer that came last.")
        self._refused = CSRStatus(
            COUNT_BITS, description="Commands that came while another waited. They were not taken."
        )

        # # #

        arrives, new, status = Signal(), Signal(), self._status.fields
        fields = self._command.fields
        self.comb += [
            arrives.eq(self._command.re),
            new.eq(fields.sequence != self.sequence),
            self.taken.eq(arrives & new & ~self.pending),
            status.pending.eq(self.pending),
            status.taken.eq(self.sequence),
        ]
        self.sync += [
            If(self.taken,
                self.pending.eq(1),
                self.code.eq(fields.code),
                self.sequence.eq(fields.sequence),
                self.argument0.eq(self._argument0.storage),
                self.argument1.eq(self._argument1.storage),
            ).Elif(arrives & new,
                self._refused.status.eq(self._refused.status + 1),
            ),
            If(self.pending & self.answer,
                self.pending.eq(0),
                status.result.eq(self.result),
                self._value.status.eq(self.value),
            ),
            If(self.pending & self.lose,
                self.pending.eq(0),
                status.result.eq(Result.LOST),
                self._value.status.eq(0),
            ),
        ]  # fmt: skip
