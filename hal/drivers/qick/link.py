# SPDX-License-Identifier: BSD-2-Clause
"""The way to a `QickSoc`: in this process, on the board itself, or by QICK's Pyro proxy over the network."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from triplane.hal.drivers.qick.firmware import Configuration
from triplane.hal.errors import BoardError, BuildError, LinkError, LinkTimeoutError

NAMESERVER_PORT = 8888
"""Where QICK's examples start the Pyro name server."""

PROXY_NAME = "myqick"
"""Name that QICK gives a board unless it is told another."""

ANSWER_S = 20.0
"""For one call over the network."""


def parse(url: str) -> tuple[str, int] | None:
    """Host and port of the name server, or None for the board itself.

    Args:
        url: "qick:local", or "qick:HOST" or "qick:HOST:PORT".

    Raises:
        ValueError: it is none of these.
    """
    if url == "qick:local":
        return None
    where = url.removeprefix("qick:")
    try:
        parts = urlsplit(f"//{where}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"board {url!r}: {error}") from error
    if where == url or not host or parts.path or parts.query:
        raise ValueError(f"board {url!r}: give qick:HOST, qick:HOST:PORT or qick:local")
    return host, port or NAMESERVER_PORT


class SocLink:
    """A `QickSoc` or its proxy, with errors as a board has them.

    Args:
        soc: has the methods of `QickSoc`.
        name: for messages.
    """

    def __init__(self, soc: Any, name: str) -> None:
        self.soc = soc
        self.name = name

    @classmethod
    def to(cls, url: str) -> SocLink:
        """Connect to a board; see `parse`.

        Raises:
            BuildError: a package is missing.
            LinkError: nobody is there, or no board is known by that name.
        """
        where = parse(url)
        if where is None:
            return cls(_on_board(), url)
        if find_spec("Pyro4") is None or find_spec("psutil") is None:
            raise BuildError(
                "Pyro4 or psutil is not installed, by which QICK's boards are reached; install triplane[qick]"
            )
        import Pyro4
        from qick.pyro import make_proxy

        usual = Pyro4.config.COMMTIMEOUT
        Pyro4.config.COMMTIMEOUT = ANSWER_S  # without it, nobody at the other end is waited for without end
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints what the name server knows
                soc, _ = make_proxy(where[0], where[1], PROXY_NAME, remote_traceback=False)
        except Pyro4.errors.NamingError as error:
            raise LinkError(
                f"{url}: {error}; start the board's server (qick.pyro.start_server) under the name {PROXY_NAME!r}, and "
                "check host and port of its name server"
            ) from error
        except (Pyro4.errors.CommunicationError, OSError) as error:
            raise LinkError(f"{url} cannot be reached: {error}; check host, port and network") from error
        finally:
            Pyro4.config.COMMTIMEOUT = usual
        return cls(soc, url)

    @property
    def configuration(self) -> Configuration:
        """The board's `soccfg`."""
        with self.talking():
            found: Configuration = self.soc.get_cfg()
        return found

    @contextlib.contextmanager
    def talking(self) -> Iterator[Any]:
        """The board, whose errors become errors of a board.

        Raises:
            LinkTimeoutError: it does not answer.
            LinkError: the connection is gone.
            BoardError: QICK's software on the board says that something is wrong.
        """
        try:
            yield self.soc
        except BoardError:
            raise
        except Exception as error:  # whatever QICK raises over there arrives here as it is
            raise _as_board_error(self.name, error) from error

    def close(self) -> None:
        """Leave the board; closing twice does no harm."""
        release = getattr(self.soc, "_pyroRelease", None)
        if release is not None:
            release()


def _as_board_error(name: str, error: Exception) -> BoardError:
    if find_spec("Pyro4") is not None:
        import Pyro4

        if isinstance(error, Pyro4.errors.TimeoutError):
            return LinkTimeoutError(f"{name} does not answer within {ANSWER_S:g} s; is it still there?")
        if isinstance(error, Pyro4.errors.CommunicationError):
            return LinkError(f"{name}: {error}; connect again")
    return BoardError(f"{name}: QICK says {type(error).__name__}: {error}")


def _on_board() -> Any:
    try:
        from qick import QickSoc
    except ImportError as error:
        raise BuildError(
            f"qick:local is for a program on the board itself, where QICK's QickSoc is: {error}"
        ) from error
    return QickSoc()
