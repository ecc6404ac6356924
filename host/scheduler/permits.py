# SPDX-License-Identifier: BSD-2-Clause
"""Who may write what on top of what: the table of docs/decisions/0022 for users and boards, without exceptions."""

from __future__ import annotations

from typing import NamedTuple

from triplane.host.scheduler.contracts import Record, State
from triplane.host.scheduler.credentials import Role

NOT_HERE = "the job is not on this board"

USERS_STEPS = {
    (State.QUEUED, State.HELD),
    (State.HELD, State.QUEUED),
    *((state, State.CANCELLED) for state in State if not state.final),
}


class Who(NamedTuple):
    """Who asks, as the server knows by the key."""

    role: Role
    name: str

    def owns(self, key: str) -> bool:
        """Whether a key is of a job of this user."""
        return self.role == "user" and key.partition(".")[0] == self.name and "." in key

    def has(self, record: Record | None) -> bool:
        """Whether a job is on this board, or was when it ended."""
        return self.role == "board" and record is not None and record.board == self.name


def refusal(who: Who, key: str, before: Record | None, after: Record, revision: int) -> str | None:
    """Why a record may not be written; None: it may.

    Args:
        who: writes.
        key: of the job, USER.JOB.
        before: what is there, at `revision`; None: nothing.
        after: what is to be written.
        revision: of `before`.
    """
    if who.role == "user":
        return _users(who.name, before, after) if who.owns(key) else "the job is another's"
    if who.role == "board":
        return _boards(who, key, before, after, revision)
    return "only users and boards write through the gate"


def _users(name: str, before: Record | None, after: Record) -> str | None:
    if after.request.user != name:
        return f"the request is in the name of {after.request.user}"
    if after.by != name:
        return f"the step is in the name of {after.by}"
    if before is None:
        if after.state not in (State.QUEUED, State.HELD):
            return f"a job does not begin as {after.state}"
        expected = Record(
            request=after.request, state=after.state, reason=after.reason, by=after.by, at=after.at
        )
        return None if after == expected else "a new job has no board, attempt or result"
    if (before.state, after.state) not in USERS_STEPS:
        return f"from {before.state} to {after.state} is no step of a user"
    return None if after == _stepped(before, after) else "the step changes what is not the user's"


def _boards(who: Who, key: str, before: Record | None, after: Record, revision: int) -> str | None:
    if before is None or not who.has(before):
        return NOT_HERE
    if after.by != f"agent {who.name}":
        return f"the step is in the name of {after.by}"
    expected = _stepped(before, after)
    if (before.state, after.state) == (State.LEASED, State.RUNNING):
        expected = expected.model_copy(update={"lease": revision, "attempts": before.attempts + 1})
    elif (before.state, after.state) == (State.RUNNING, State.DONE):
        if (why := _unlike(who, key, before, after)) is not None:
            return why
        expected = expected.model_copy(update={"outcome": after.outcome})
    elif (before.state, after.state) != (State.RUNNING, State.FAILED):
        return f"from {before.state} to {after.state} is no step of a board"
    return None if after == expected else "the step changes what is not the board's"


def _unlike(who: Who, key: str, before: Record, after: Record) -> str | None:
    """Where a manifest does not fit the job that it is of."""
    if after.outcome is None:
        return "no result leaves without its manifest"
    manifest = after.outcome.manifest
    for name, said, known in (
        ("job", manifest.job, key),
        ("user", manifest.user, before.request.user),
        ("payload", manifest.payload, before.request.payload.sha256),
        ("lease", manifest.lease, before.lease),
        ("board", manifest.board, who.name),
        ("instance", manifest.instance, before.instance),
    ):
        if said != known:
            return f"the manifest has another {name}"
    return None


def _stepped(before: Record, after: Record) -> Record:
    """What every step may change, and no more."""
    return before.model_copy(
        update={"state": after.state, "reason": after.reason, "by": after.by, "at": after.at}
    )
