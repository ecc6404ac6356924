# SPDX-License-Identifier: BSD-2-Clause
"""A board behind a link: registers by requests, runs by moving words as the board has room."""

from __future__ import annotations

import numpy as np

from triplane.gateware.link.etherbone import MAX_COUNT, WORD_BYTES
from triplane.gateware.shape import FabricShape
from triplane.hal.board import Words
from triplane.hal.drivers.freerunning import FreeRunningBoard
from triplane.hal.drivers.remote.client import Client
from triplane.hal.drivers.remote.links import Link
from triplane.hal.drivers.remote.packets import Request
from triplane.hal.gateware import Gateware
from triplane.hal.target import Target


class RemoteBoard(FreeRunningBoard):
    """A board behind a UDP socket or a serial line.

    Args:
        link: to the board; closed with it.
        bank: of the registers of the exchange that this link reaches, "udp" or "uart".
        gateware: that is expected in the board.
        target: what it was built to decode.
        fabric, correction: as of `RegisterBoard`.
        timeout_s: for the answer to a request, repetitions included.

    Raises:
        LinkError: the board cannot be reached, or does not answer.
        IdentityError: another gateware answers.
    """

    def __init__(
        self,
        link: Link,
        bank: str,
        gateware: Gateware,
        target: Target,
        *,
        fabric: FabricShape | None = None,
        correction: bool = False,
        timeout_s: float = 5.0,
    ) -> None:
        super().__init__(gateware, target, fabric=fabric, correction=correction)
        self._link = link
        self._bank = bank
        self._client = Client(link, self.registers[f"{bank}_key"].address, timeout_s)
        self._witness = self.registers["link_status"].address
        self._begin(timeout_s)

    @property
    def client(self) -> Client:
        """The session with the board, for whoever measures the way to it."""
        return self._client

    def _free(self) -> None:
        self._link.close()

    def _supervise(self, lease_cycles: int) -> None:
        """Run jobs that the requests of this host keep alive."""
        self._observe(False)
        super()._supervise(lease_cycles)

    def _observe(self, observes: bool) -> None:
        """Tell the board whether requests by this way keep a job alive."""
        name = f"{self._bank}_control"
        offset = self.registers[name].fields["observes"].offset
        self.set(name, self.get(name) & ~(1 << offset) | observes << offset)

    def _execute(self, request: Request) -> tuple[int, ...]:
        self._check_open()
        return self._client.execute(request)

    def _read(self, address: int, count: int, increment: bool) -> Words:
        words: list[int] = []
        for start in range(0, count, MAX_COUNT):
            part = range(start, min(start + MAX_COUNT, count))
            reads = [address + WORD_BYTES * k if increment else address for k in part]
            words += self._execute(Request(reads=reads))
        return np.array(words, np.uint32)

    def _write(self, address: int, words: Words, increment: bool) -> None:
        for start in range(0, len(words), MAX_COUNT):
            part = [int(word) for word in words[start : start + MAX_COUNT]]
            base = address + WORD_BYTES * start if increment else address
            # What is read does not matter: the answer says that the words were written.
            self._execute(Request(part, base, not increment, [self._witness]))


class ObservedBoard(RemoteBoard):
    """A board that another host runs: this one reads its registers and records, and starts nothing."""

    def _supervise(self, lease_cycles: int) -> None:
        """Ask the soft core for nothing, since its jobs are the other host's, and end with that host."""
        self._observe(True)
