# SPDX-License-Identifier: BSD-2-Clause
"""Whether the host is still there, and what it allows a job."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRStorage
from migen import If, Signal

WORD_MAX = 2**32 - 1


class Lease(LiteXModule):
    """Counts the cycles since the host's last sign of life. What follows from silence is the firmware's to decide.

    Args:
        lease_cycles: out of reset.

    Attributes:
        alive: input; a sign of life besides the heartbeat.
        silence: cycles since the last one, at most 2**32 - 1.
        lease, backlog_limit, miss_limit: as the host has set them.
    """

    def __init__(self, lease_cycles: int) -> None:
        if not 0 < lease_cycles <= WORD_MAX:
            raise ValueError(f"a lease is of 1 to {WORD_MAX} cycles, not {lease_cycles}")
        self.alive = Signal()
        self.silence = Signal(32)
        self._heartbeat = CSRStorage(1, description="A write, of whatever, renews the lease.")
        self._cycles = CSRStorage(
            32,
            reset=lease_cycles,
            description="Cycles without heartbeat or command after which an armed or running job is aborted and the "
            "board made safe.",
        )
        self._backlog_limit = CSRStorage(
            32, reset=WORD_MAX, description="Rounds of backlog above which a running job is stopped."
        )
        self._miss_limit = CSRStorage(
            32, reset=WORD_MAX, description="Missed deadlines of a job above which it is stopped."
        )
        self.lease = self._cycles.storage
        self.backlog_limit = self._backlog_limit.storage
        self.miss_limit = self._miss_limit.storage

        # # #

        self.sync += [
            If(self.silence != WORD_MAX, self.silence.eq(self.silence + 1)),
            If(self._heartbeat.re | self.alive, self.silence.eq(0)),
        ]
