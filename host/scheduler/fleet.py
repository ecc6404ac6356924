# SPDX-License-Identifier: BSD-2-Clause
"""Boards as the scheduler sees them: who is alive, what each has, and whose session it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from triplane.host.scheduler.contracts import BoardState, Request, Window
from triplane.host.scheduler.policy import Policy, Score

SILENT_S = 5.0
"""Without a word from an agent, after which its jobs go to others."""


@dataclass
class Member:
    """A board.

    Attributes:
        state: that its agent last told.
        window: of the session that has it.
        batch: of the job that it was given last.
    """

    state: BoardState
    window: Window | None = None
    batch: str | None = None


@dataclass
class Fleet:
    """All boards, and all agents that have jobs.

    Attributes:
        policy: that chooses.
        clock: s, monotonic: nothing is decided by a wall clock, and not by another machine's.
        boards: by name.
        held: jobs by the instance of the agent that has them.
        heard: by instance, when the last word of it came.
        windows: sessions by board, also of boards that are away.
    """

    policy: Policy
    clock: Callable[[], float]
    boards: dict[str, Member] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)

    def tell(self, state: BoardState) -> str | None:
        """An agent has spoken; the instance that is gone where this one has taken its place."""
        known = self.boards.get(state.name)
        gone = known.state.instance if known and known.state.instance != state.instance else None
        if known is None:
            self.boards[state.name] = Member(state, self.windows.get(state.name))
        else:
            known.state = state
        self.heard[state.instance] = self.clock()
        return gone

    def take(self, job: str, instance: str) -> None:
        """An agent has a job; one that was never heard has as long as the others to speak."""
        self.held.setdefault(instance, set()).add(job)
        self.heard.setdefault(instance, self.clock())

    def give_back(self, job: str, instance: str) -> None:
        """It has it no longer."""
        self.held.get(instance, set()).discard(job)

    def silent(self) -> list[str]:
        """Instances from which nothing was heard for too long; their boards are away from now on."""
        now = self.clock()
        gone = [instance for instance, when in self.heard.items() if now - when > SILENT_S]
        for instance in gone:
            del self.heard[instance]
            for name in [name for name, each in self.boards.items() if each.state.instance == instance]:
                del self.boards[name]
        return gone

    def patience(self) -> None:
        """The server was away: nobody could speak, so all have their time again."""
        self.heard = dict.fromkeys(self.heard, self.clock())

    def window(self, window: Window) -> None:
        """A session has a board, or has it no longer."""
        kept = window if window.open else None
        if kept:
            self.windows[window.board] = kept
        else:
            self.windows.pop(window.board, None)
        if window.board in self.boards:
            self.boards[window.board].window = kept

    def has_room(self, member: Member) -> bool:
        """Whether it may be given another job."""
        return len(self.held.get(member.state.instance, ())) < member.state.depth

    def fitting(self, request: Request) -> Iterator[tuple[Member, Score]]:
        """Boards with room that may have a job."""
        for member in self.boards.values():
            if self.has_room(member) and self._open_to(request, member):
                score = self.policy(request, member.state)
                if score.fits:
                    yield member, score

    def best(self, request: Request) -> tuple[Member, Score] | None:
        """The board for a job: the best score, then the one that has least to do."""
        return max(
            self.fitting(request),
            key=lambda found: (found[1].value, -len(self.held.get(found[0].state.instance, ()))),
            default=None,
        )

    def obstacles(self, request: Request) -> dict[str, str]:
        """Why each board does not take a job now; boards that would are not among them."""
        found = {}
        for name, member in self.boards.items():
            score = self.policy(request, member.state)
            if not score.fits:
                found[name] = score.reason
            elif not self._open_to(request, member):
                window = member.window
                found[name] = (
                    f"it is in session {window.session.name} of {window.user}"
                    if window
                    else "the job's session has another"
                )
            elif not self.has_room(member):
                found[name] = f"it has {len(self.held[member.state.instance])} jobs already"
        return found

    def _open_to(self, request: Request, member: Member) -> bool:
        """A session's jobs go to its board; the first of them to any that no other session has."""
        if member.window is not None:
            return _of(request, member.window)
        return request.session is None or not any(_of(request, each) for each in self.windows.values())


def _of(request: Request, window: Window) -> bool:
    session = request.session
    return session is not None and session.name == window.session.name and request.user == window.user
