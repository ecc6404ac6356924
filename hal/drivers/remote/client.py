# SPDX-License-Identifier: BSD-2-Clause
"""Requests over a link that loses, doubles, delays and swaps: each is executed exactly once, or an error is raised."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import tenacity

from triplane.gateware.link.etherbone import SEQUENCE_BITS, make_key
from triplane.hal.drivers.remote.links import Link
from triplane.hal.drivers.remote.packets import Reply, Request, unpack
from triplane.hal.errors import BusError, LinkTimeoutError, SessionLostError

MAX_STEP = 2**15 - 1
"""Furthest that the number of a session may be ahead of the last one."""

FIRST_WAIT_S = 0.05
"""For an answer, before a request is sent again; doubled each time up to `LONGEST_WAIT_S`."""

LONGEST_WAIT_S = 1.0

SILENT_S = 0.5
"""For an answer of a board that has been silent for the whole time-out: what cleans up behind an error does not wait as
long again for each of its requests."""


@dataclass
class Traffic:
    """What a client has seen.

    Attributes:
        requests: that were answered.
        sent: datagrams, repetitions among them.
        strays: datagrams that were no answer to the request under way.
    """

    requests: int = 0
    sent: int = 0
    strays: int = 0


class _UnansweredError(Exception):
    """No answer within one wait."""


class Client:
    """One session with a board.

    Args:
        link: to the board.
        key_address: of the register that holds the key of the last request.
        timeout_s: for an answer, repetitions included; then LinkTimeoutError. Whether the request was executed is not
            known then, and the session is over.

    Attributes:
        traffic: so far.
        first_wait_s: for an answer, before a request is sent again.
    """

    def __init__(self, link: Link, key_address: int, timeout_s: float = 5.0) -> None:
        self.link = link
        self.timeout_s = timeout_s
        self.traffic = Traffic()
        self.first_wait_s = FIRST_WAIT_S
        self._key_address = key_address
        self._session: int | None = None
        self._silent: str | None = None  # what was said of a board that has not answered since
        self._next = 0

    def execute(self, request: Request) -> tuple[int, ...]:
        """Words that were read.

        Raises:
            BusError: nothing answers at an address; words before it were written, those after it were not.
            LinkTimeoutError: no answer in time.
            SessionLostError: somebody else has taken the board over.
        """
        if not request.reads:
            raise ValueError("a request must read something, or nobody can tell whether it was executed")
        if self._session is None:
            self._open()
        assert self._session is not None
        key = make_key(self._session, self._next)
        try:
            reply = self._ask(request, key)
        except BaseException:
            self._session = None  # whether it was executed is not known
            raise
        self._next = (self._next + 1) % 2**SEQUENCE_BITS
        return self._complete(request, reply)

    def _open(self) -> None:
        """Open a session whose number is ahead of that in use."""
        current = self._current()
        session = ((current >> SEQUENCE_BITS) + random.randint(1, MAX_STEP)) % 2**16
        try:
            self._ask(Request(reads=[self._key_address]), make_key(session, 0))
        except LinkTimeoutError:
            # Refused, unless there is nobody: then this raises the error of before again.
            self._current()
            raise SessionLostError(
                f"{self._name} was taken by somebody else while this session was opened; connect again if it is yours"
            ) from None
        self._session, self._next = session, 1

    def _current(self) -> int:
        """Key of the last request that the board has executed exactly once."""
        request = Request(reads=[self._key_address])
        (key,) = self._complete(request, self._ask(request, 0))
        return key

    def _complete(self, request: Request, reply: Reply) -> tuple[int, ...]:
        if len(reply.words) < len(request.reads):
            written = f"{len(request.writes)} words from {request.base:#x}" if request.writes else ""
            asked = request.reads[len(reply.words)]
            places = " or ".join(part for part in (written, f"address {asked:#x}") if part)
            raise BusError(
                f"the bus of {self._name} gave an error at {places}; is this the board's register map?"
            )
        return reply.words

    def _ask(self, request: Request, key: int) -> Reply:
        """Send a request until it is answered."""
        datagram = request.packed(key)
        began = time.monotonic()
        patience = min(self.timeout_s, SILENT_S) if self._silent else self.timeout_s

        @tenacity.retry(
            retry=tenacity.retry_if_exception_type(_UnansweredError),
            stop=tenacity.stop_after_delay(patience),
            sleep=lambda _: None,  # the waiting is for the answer
        )
        def attempt() -> Reply:
            repeated = min(attempt.statistics["attempt_number"] - 1, 10)
            wait = min(self.first_wait_s * 2**repeated, max(LONGEST_WAIT_S, self.first_wait_s))
            self.link.send(datagram)
            self.traffic.sent += 1
            return self._answer(key, min(wait, max(began + patience - time.monotonic(), FIRST_WAIT_S)))

        try:
            reply = attempt()
        except tenacity.RetryError:
            if key and self._session is not None and self._lost(key):
                raise SessionLostError(
                    f"somebody else has taken {self._name} over; what this session had under way has ended"
                ) from None
            self._silent = self._silent or (
                f"{self._name} has not answered within {patience:g} s ({attempt.statistics['attempt_number']} "
                "datagrams); is it on, and is this its address?"
            )
            raise LinkTimeoutError(self._silent) from None
        self.traffic.requests += 1
        self._silent = None
        return reply

    def _lost(self, key: int) -> bool:
        """Whether the board is in another session by now."""
        probe = Client(self.link, self._key_address, min(self.timeout_s, SILENT_S))
        try:
            return probe._current() >> SEQUENCE_BITS != key >> SEQUENCE_BITS
        except LinkTimeoutError:
            return False

    def _answer(self, key: int, wait_s: float) -> Reply:
        deadline = time.monotonic() + wait_s
        while (left := deadline - time.monotonic()) > 0:
            datagram = self.link.receive(left)
            if datagram is None:
                break
            reply = unpack(datagram)
            if reply is not None and reply.key == key:
                return reply
            self.traffic.strays += 1
        raise _UnansweredError

    @property
    def _name(self) -> str:
        return str(getattr(self.link, "name", "the board"))
