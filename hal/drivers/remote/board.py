# SPDX-License-Identifier: BSD-2-Clause
"""A board behind a link: registers by requests, runs by moving words as the board has room."""

from __future__ import annotations

import time

import numpy as np

from triplane.gateware.link.etherbone import MAX_COUNT, WORD_BYTES
from triplane.gateware.shape import FabricShape
from triplane.hal.board import Words
from triplane.hal.drivers.bus import RegisterBoard
from triplane.hal.drivers.parts import Parts
from triplane.hal.drivers.remote.client import Client
from triplane.hal.drivers.remote.links import Link
from triplane.hal.drivers.remote.packets import Request
from triplane.hal.drivers.transfer import BusTransfer
from triplane.hal.errors import BoardClosedError, IdentityError
from triplane.hal.gateware import Gateware
from triplane.hal.records import RecordSource
from triplane.hal.registers import WORD_MAX
from triplane.hal.target import Target

MEASURED = 4
"""Readings of the clock that tell how long one takes."""

LEAD_READINGS = 50
"""Requests that begin a program, in readings of the clock, with some to spare."""

HOST_PAUSE_S = 0.02
"""That the host may pause in between without a program being late."""


class RemoteBoard(RegisterBoard):
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
        super().__init__(gateware.descriptor, gateware.registers, target, correction, fabric)
        self._link: Link | None = link
        self._client = Client(link, self.registers[f"{bank}_key"].address, timeout_s)
        self._witness = self.registers["link_status"].address
        try:
            found = self.identify()
            if found.build_hash != gateware.build_hash:
                raise IdentityError(
                    f"the board carries build {found.build_hash[:12]} (register map {found.version}), and this host "
                    f"expects {gateware.build_hash[:12]}: flash the board with the bundle that you connect with, or "
                    "connect with the bundle that is in it"
                )
            each, per_second = self._pace()
            if self._control is not None:
                # What requests take that begin a program, and a pause of ours.
                self._control.lead_cycles = min(int(LEAD_READINGS * each + HOST_PAUSE_S * per_second), 2**30)
            self._supervise(min(int(timeout_s * per_second) + 1, WORD_MAX))
        except BaseException:
            self.close()
            raise

    def _pace(self) -> tuple[float, float]:
        """Cycles from one request to the next, and in a second of ours: a simulated board's are longer."""
        cycles, began = self.now(), time.monotonic()
        for _ in range(MEASURED):
            self.now()
        each = (self.now() - cycles) / (MEASURED + 1)
        return each, (MEASURED + 1) * each / (time.monotonic() - began)

    def close(self) -> None:
        """Leave the board as it is, and free the link."""
        link, self._link = self._link, None
        if link is not None:
            if self._run is not None:
                self._run.end()
                self._run = None
            link.close()

    def stop_pacer(self) -> None:
        """Release no rounds any more; a board that nobody holds any more is left as it is."""
        if self._link is not None:
            super().stop_pacer()

    def _leave_job(self) -> None:
        """No job any more; one that nobody holds any more is ended by the board, when the lease runs out."""
        if self._link is not None:
            super()._leave_job()

    def _execute(self, request: Request) -> tuple[int, ...]:
        if self._link is None:
            raise BoardClosedError("the board is closed; connect again")
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

    def _source(
        self, words: Words, parts: int | None, records: int, idle_limit: int, timeout_s: float | None
    ) -> RecordSource:
        if parts is None:
            return BusTransfer(self, words, records, idle_limit, timeout_s)
        count = records // parts
        return Parts(
            lambda part, left: BusTransfer(self, part, count, idle_limit, left),
            words.reshape(parts, -1),
            record_words=self.record_words,
            num_edges=self.num_edges,
            clock=self.now,
            stop=self.stop_pacer,
            timeout_s=timeout_s,
        )


class ObservedBoard(RemoteBoard):
    """A board that another host runs: this one reads its registers and records, and starts nothing."""

    def _supervise(self, lease_cycles: int) -> None:
        """Ask the soft core for nothing, since its jobs are the other host's."""
