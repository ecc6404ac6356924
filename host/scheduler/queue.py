# SPDX-License-Identifier: BSD-2-Clause
"""Jobs that wait, in memory: which is next for boards that have room. A decision costs the same however many wait.

Jobs that may go to the same boards are one class, and each user's jobs of a class one heap. A decision looks at the
head of each heap, so it costs classes times users; the number of jobs is only in the heaps' logarithm.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import NamedTuple

from triplane.host.scheduler.contracts import Needs, Request

LEAST_COST_S = 0.001
"""Of any job, for the fair share: what it takes besides its shots."""


class Waiting(NamedTuple):
    """A job in its heap; the order of the fields is that of the heap.

    Attributes:
        rank: negative priority.
        due: Unix time, s; infinite for none.
        number: order of arrival, the revision of its first record.
        job: its name.
        revision: of the record that waits; another one is not in the queue any more.
    """

    rank: int
    due: float
    number: int
    job: str
    revision: int


class Next(NamedTuple):
    """A job whose turn it is."""

    job: str
    revision: int
    request: Request
    reason: str


class _Class:
    """Jobs for the same boards; `request` is the one that stands for all."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.users: dict[str, list[Waiting]] = {}


class Queue:
    """What waits, with what each user has had.

    Attributes:
        used_s: of each user, time on boards as estimated.
    """

    def __init__(self) -> None:
        self.used_s: defaultdict[str, float] = defaultdict(float)
        self._waiting: dict[str, tuple[int, Request]] = {}
        self._classes: dict[Hashable, _Class] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, job: str) -> bool:
        return job in self._waiting

    def add(self, job: str, revision: int, request: Request) -> None:
        """Let a job wait; it comes after those that have the same rank, due date and user."""
        if not any(request.user in each.users for each in self._classes.values()):
            # Who was away has no claim to the time in which he was.
            active = [self.used_s[user] for each in self._classes.values() for user in each.users]
            self.used_s[request.user] = max(self.used_s[request.user], min(active, default=0.0))
        self._waiting[job] = (revision, request)
        found = self._classes.setdefault(class_of(request), _Class(request))
        due = math.inf if request.due is None else request.due
        entry = Waiting(-request.priority, due, revision, job, revision)
        heapq.heappush(found.users.setdefault(request.user, []), entry)

    def remove(self, job: str) -> None:
        """It waits no longer. Its entry in the heap goes when it comes to the top."""
        self._waiting.pop(job, None)

    def charge(self, request: Request) -> None:
        """A job was leased: its user has had so much more."""
        self.used_s[request.user] += cost_s(request)

    def ahead(self, job: str) -> int:
        """How many that wait have a higher rank, or the same and an earlier due date; looks at all of them."""
        revision, request = self._waiting[job]
        mine = (-request.priority, math.inf if request.due is None else request.due, revision)
        return sum(
            (-other.priority, math.inf if other.due is None else other.due, number) < mine
            for number, other in self._waiting.values()
        )

    def next(self, eligible: Callable[[Request], bool], batches: frozenset[str] = frozenset()) -> Next | None:
        """The job whose turn it is, still in the queue; None where no board has room for any.

        Higher priority first, then the earlier due date, then batches that a board has begun, then the user who has
        had least, then the first that came.

        Args:
            eligible: whether a board has room for jobs of the class of this one.
            batches: that a board works on.
        """
        best: tuple[tuple[int, float, bool, float, int], Waiting] | None = None
        for name, each in list(self._classes.items()):
            for user, heap in list(each.users.items()):
                while heap and self._waiting.get(heap[0].job, (None,))[0] != heap[0].revision:
                    heapq.heappop(heap)
                if not heap:
                    del each.users[user]
            if not each.users:
                del self._classes[name]
            elif eligible(each.request):
                begun = each.request.batch in batches
                for user, heap in each.users.items():
                    top = heap[0]
                    order = (top.rank, top.due, not begun, self.used_s[user], top.number)
                    if best is None or order < best[0]:
                        best = (order, top)
        if best is None:
            return None
        (rank, due, fresh, used_s, _), top = best
        reason = f"priority {-rank}"
        reason += f", due {due:.0f}" if due < math.inf else ""
        reason += "" if fresh else ", its batch has begun"
        reason += f", its user has had {used_s:.3f} s"
        return Next(top.job, top.revision, self._waiting[top.job][1], reason)


def class_of(request: Request) -> Hashable:
    """Equal for jobs that no choice of boards tells apart; gates count only where a fidelity is asked for."""
    needs = request.needs
    if needs.minimum_fidelity is None:
        needs = Needs(qubits=needs.qubits, duration_us=needs.duration_us)
    session = request.session and request.session.name
    return (request.kind, request.board, request.batch, session, request.user if session else None, needs)


def cost_s(request: Request) -> float:
    """Time on a board, as estimated."""
    return LEAST_COST_S + request.shots * request.needs.duration_us * 1e-6
