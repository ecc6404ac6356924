# SPDX-License-Identifier: BSD-2-Clause
"""Event log: what the firmware did, with the cycle in which it did."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRStatus, CSRStorage
from migen import Cat, If, Memory, Signal, bits_for

from triplane.gateware.processor.layouts import LOG_DEPTH

CODE_BITS = 8
TIME_BITS = 64
ARGUMENT_BITS = 32


class EventLog(LiteXModule):
    """Ring of the last entries. It outlives the firmware: only the board's reset empties it.

    Entry k is in place k modulo the depth. The host says how many it has taken; an entry that is overwritten before it
    was taken counts as lost. What it read is right if `count` was less than a depth ahead afterwards.

    Args:
        depth: entries, a power of two.

    Attributes:
        now: input; cycle counter.
        push, code, argument: inputs; append an entry with the time of this cycle.
    """

    def __init__(self, depth: int = LOG_DEPTH) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"the depth of the event log must be a power of two, not {depth}")
        self.now = Signal(TIME_BITS)
        self.push = Signal()
        self.code = Signal(CODE_BITS)
        self.argument = Signal(ARGUMENT_BITS)

        self._count = CSRStatus(32, description="Entries that were ever appended; the last is count - 1.")
        self._taken = CSRStorage(32, description="Entries that the host has read, or has no use for.")
        self._lost = CSRStatus(
            32, description="Entries that were overwritten before the host had taken them."
        )
        self._index = CSRStorage(bits_for(depth - 1), description="Entry to read, modulo the ring's depth.")
        self._time = CSRStatus(TIME_BITS, description="Cycle in which that entry was appended.")
        self._code = CSRStatus(CODE_BITS, description="What happened, see LogCode.")
        self._argument = CSRStatus(ARGUMENT_BITS, description="What it happened with.")

        # # #

        memory = Memory(TIME_BITS + CODE_BITS + ARGUMENT_BITS, depth)
        writer, reader = memory.get_port(write_capable=True), memory.get_port()
        self.specials += memory, writer, reader
        self.comb += [
            writer.adr.eq(self._count.status),
            writer.we.eq(self.push),
            writer.dat_w.eq(Cat(self.now, self.argument, self.code)),
            reader.adr.eq(self._index.storage),
            Cat(self._time.status, self._argument.status, self._code.status).eq(reader.dat_r),
        ]
        self.sync += If(self.push,
            self._count.status.eq(self._count.status + 1),
            If((self._count.status - self._taken.storage)[: 32] >= depth,
                self._lost.status.eq(self._lost.status + 1),
            ),
        )  # fmt: skip
