# SPDX-License-Identifier: BSD-2-Clause
"""A connection to the server of a service, and why there is none."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from nats.aio.client import Client

from triplane.host.scheduler.credentials import Credentials
from triplane.host.scheduler.errors import ServiceError
from triplane.host.scheduler.following import RETRY_S, TRANSIENT

logger = logging.getLogger(__name__)

ADDED_S = 1.5
"""How long credentials are tried that the server does not take: it may be about to hear of them."""


ANSWER_S = 5.0
"""For the first answer, unless somebody says otherwise."""

REFUSED_S = 1.0
"""For which it is tried again where nothing listens, in the same case."""

PING_S = 4
"""Of a connection; without an answer to two of them it goes to the next server."""


class _WithoutEof(logging.Filter):
    """Leaves out what asyncio says whenever a connection by TLS ends that nats-py has upgraded."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "eof_received" not in record.getMessage()


logging.getLogger("asyncio").addFilter(_WithoutEof())


def _address(url: str) -> str:
    """The address of a server as nats-py takes it: with its scheme in small letters.

    Raises:
        ServiceError: it is none.
    """
    try:
        parts = urlsplit(url.strip())
        sound = parts.scheme in ("nats", "tls") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ServiceError(f"{url!r} is no address of a service of jobs; it is nats://HOST:PORT")
    return parts.geturl()


async def connected(
    url: str, credentials: Credentials | None, wait_s: float | None
) -> tuple[Client, Callable[[], bool]]:
    """A client that reconnects by itself for ever, and whether the server has turned its credentials away.

    Args:
        url: of a server, or several with commas.
        credentials: for a secured one.
        wait_s: for the first answer, also while nothing listens; None: `ANSWER_S`, and `REFUSED_S` of refusals.

    Raises:
        ServiceError: nothing answers there, or it does not take the credentials.
    """
    addresses = [_address(each) for each in url.split(",")]
    most_s = ANSWER_S if wait_s is None else wait_s
    why = ""
    refusals = 0
    scope: asyncio.Timeout | None = None

    def end_within(seconds: float) -> None:
        if scope and not scope.expired():
            scope.reschedule(asyncio.get_running_loop().time() + min(seconds, most_s))

    async def note(error: Exception) -> None:
        nonlocal why, refusals
        logger.debug("connection: %s", error)
        if scope and scope.expired():
            # It was cancelled in the moment that an attempt ended, and Python 3.11 forgets that (`asyncio.wait_for`).
            raise TimeoutError
        if (told := _refusal(error)) is not None:
            if not why:
                end_within(ADDED_S)
            why = told
        refusals += f"Errno {errno.ECONNREFUSED}" in str(
            error
        )  # of a name with several addresses, one of several
        if wait_s is None and refusals == len(addresses):
            end_within(REFUSED_S)

    async def forget() -> None:
        nonlocal why
        why = ""

    options: dict[str, Any] = {
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": RETRY_S,
        "connect_timeout": 2,
        # A connection to a machine that is cut off hears nothing of it.
        "ping_interval": PING_S,
        "max_outstanding_pings": 2,
        "error_cb": note,
        "reconnected_cb": forget,
        **(credentials.options() if credentials else {}),
    }
    client = Client()
    try:
        async with asyncio.timeout(most_s) as scope:
            await client.connect(addresses, **options)
    except TRANSIENT as error:
        with contextlib.suppress(*TRANSIENT):
            await client.close()
        if why:
            raise ServiceError(f"{url} {why}") from None
        hint = "" if credentials else "; for one that is secured give --credentials"
        raise ServiceError(
            f"no service of jobs at {url}: {_silence(error, refusals)}; start one: triplane serve{hint}"
        ) from error
    scope, why = None, ""
    return client, lambda: bool(why)


def _silence(error: BaseException, refusals: int) -> str:
    """Why a server does not answer."""
    return "nothing listens there" if refusals else str(error) or "no answer"


def _refusal(error: Exception) -> str | None:
    """What an error says of who refuses whom, for people; None: it may pass."""
    if "authorization" in str(error).lower():
        return "does not take these credentials; they may have been revoked"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"is not known by these credentials: {error.verify_message}; `triplane serve --host` names hosts"
        )
    return None
