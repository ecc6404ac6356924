# SPDX-License-Identifier: BSD-2-Clause
"""Which jobs a session has, and when it has been idle for too long."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from triplane.host.scheduler.contracts import Request, Window
from triplane.host.scheduler.fleet import Fleet

Key = tuple[str, str]
"""User and name of a session: nobody's job comes into another's."""


class Sessions:
    """Sessions with the jobs that have not ended.

    Args:
        clock: s, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._jobs: dict[Key, set[str]] = {}
        self._active: dict[Key, float] = {}

    def add(self, job: str, request: Request) -> None:
        """A job has come, or has changed."""
        if request.session:
            key = (request.user, request.session.name)
            self._jobs.setdefault(key, set()).add(job)
            self._active[key] = self._clock()

    def remove(self, job: str, request: Request) -> None:
        """It has ended, or changes."""
        if request.session:
            key = (request.user, request.session.name)
            self._jobs[key].discard(job)
            self._active[key] = self._clock()

    def ended(self, fleet: Fleet) -> Iterator[Window]:
        """Windows to be closed, with the reason: idle for as long as they allow, whether their board is there or not.

        A session with jobs is idle only where its board is away: it then ends there, and opens on another.
        """
        now = self._clock()
        for window in list(fleet.windows.values()):
            key = (window.user, window.session.name)
            there = window.board in fleet.boards
            if there and self._jobs.get(key):
                self._active[key] = now
            idle_s = now - self._active.setdefault(key, now)
            if idle_s > window.session.idle_timeout_s:
                reason = f"idle for {idle_s:.1f} s" + ("" if there else ", its board away")
                yield window.model_copy(update={"open": False, "reason": reason})


def opened(board: str, request: Request) -> Window:
    """The window of the session of a job, on a board."""
    assert request.session is not None
    return Window(
        board=board,
        session=request.session,
        user=request.user,
        open=True,
        reason="its first job was leased",
    )
