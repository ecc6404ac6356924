# SPDX-License-Identifier: BSD-2-Clause
"""Every step of every role, and every field that a step may not change."""

import itertools

import pytest

from triplane.host.scheduler.contracts import Manifest, Outcome, Payload, Record, Request, State
from triplane.host.scheduler.permits import Who, refusal

ADA, FRIDGE = Who("user", "ada"), Who("board", "fridge")
PAYLOAD = Payload(sha256="1" * 64, size=3, inline=b"MTIz")
RESULT = Payload(sha256="2" * 64, size=3, inline=b"MTIz")
LEASE = 7
PAIRS = list(itertools.product(State, State))
OWNERS = {"state", "reason", "by", "at"}


def record(state, by, **fields):
    request = Request(user="ada", kind="control", payload=PAYLOAD)
    return Record(request=request, state=state, reason="because", by=by, at=1.0, **fields)


def placed(state, by):
    """As it is in the middle of its way."""
    if state in (State.QUEUED, State.HELD):
        return record(state, by)
    running = state not in (State.LEASED, State.CANCELLED)
    manifest = Manifest(
        job="ada.a",
        lease=LEASE,
        user="ada",
        payload="1" * 64,
        result="2" * 64,
        board="fridge",
        instance="i",
        url="model",
        gateware="golden model",
        software="0",
        began=1.0,
        ended=2.0,
    )
    return record(
        state,
        by,
        board="fridge",
        instance="i",
        lease=LEASE if running else None,
        attempts=1 if running else 0,
        outcome=Outcome(result=RESULT, manifest=manifest, run="0" * 64) if state is State.DONE else None,
    )


def stepped(before, state, by):
    return before.model_copy(update={"state": state, "by": by, "at": 2.0, "reason": "now"})


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_user_has_the_steps_of_the_table_and_no_others(first, second):
    before = placed(first, "scheduler")
    allowed = {
        ("queued", "held"),
        ("held", "queued"),
        *((state, "cancelled") for state in ("queued", "held", "leased", "running")),
    }
    why = refusal(ADA, "ada.a", before, stepped(before, second, "ada"), LEASE)
    assert (why is None) == ((first.value, second.value) in allowed), why


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_board_has_its_two_steps_and_no_others(first, second):
    before, by = placed(first, "scheduler"), "agent fridge"
    after = stepped(before, second, by)
    if second is State.RUNNING:
        after = after.model_copy(update={"lease": LEASE, "attempts": before.attempts + 1})
    if second is State.DONE:
        after = after.model_copy(update={"outcome": placed(State.DONE, by).outcome})
    allowed = {("leased", "running"), ("running", "done"), ("running", "failed")}
    why = refusal(FRIDGE, "ada.a", before, after, LEASE)
    assert (why is None) == ((first.value, second.value) in allowed), why


def test_a_job_begins_as_a_users_own_and_empty():
    assert refusal(ADA, "ada.a", None, record(State.QUEUED, "ada"), 0) is None
    assert refusal(ADA, "ada.a", None, record(State.HELD, "ada"), 0) is None
    for key, after, text in (
        ("bob.a", record(State.QUEUED, "ada"), "another's"),
        ("ada", record(State.QUEUED, "ada"), "another's"),
        ("adam.a", record(State.QUEUED, "ada"), "another's"),
        ("ada.a", record(State.QUEUED, "scheduler"), "in the name of scheduler"),
        ("ada.a", record(State.CANCELLED, "ada"), "does not begin as cancelled"),
        ("ada.a", placed(State.DONE, "ada"), "does not begin as done"),
        ("ada.a", record(State.QUEUED, "ada", attempts=1), "no board, attempt or result"),
        ("ada.a", record(State.QUEUED, "ada", board="fridge"), "no board, attempt or result"),
    ):
        assert text in refusal(ADA, key, None, after, 0)
    other = record(State.QUEUED, "ada")
    other = other.model_copy(update={"request": other.request.model_copy(update={"user": "bob"})})
    assert "in the name of bob" in refusal(ADA, "ada.a", None, other, 0)
    assert refusal(FRIDGE, "ada.a", None, record(State.QUEUED, "agent fridge"), 0)
    assert refusal(Who("service", "service"), "ada.a", None, record(State.QUEUED, "ada"), 0)


FORGED = {
    "request": Request(user="ada", kind="control", payload=PAYLOAD, priority=100),
    "board": "other",
    "instance": "other",
    "lease": LEASE + 1,
    "attempts": 4,
    "outcome": placed(State.DONE, "agent fridge").outcome,
}


def test_every_field_is_the_steps_or_guarded():
    assert set(FORGED) | OWNERS | {"version"} == set(Record.model_fields)


@pytest.mark.parametrize("field", FORGED)
def test_no_step_changes_another_field(field):
    before = placed(State.RUNNING, "agent fridge")
    cancelled = stepped(before, State.CANCELLED, "ada")
    failed = stepped(before, State.FAILED, "agent fridge")
    for who, after in ((ADA, cancelled), (FRIDGE, failed)):
        assert refusal(who, "ada.a", before, after, LEASE) is None
        forged = after.model_copy(update={field: FORGED[field]})
        assert "changes what is not" in refusal(who, "ada.a", before, forged, LEASE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("job", "ada.b"),
        ("user", "bob"),
        ("payload", "3" * 64),
        ("lease", 8),
        ("board", "other"),
        ("instance", "other"),
    ],
)
def test_a_manifest_is_of_this_job_on_this_board(field, value):
    before = placed(State.RUNNING, "agent fridge")
    done = placed(State.DONE, "agent fridge")
    assert refusal(FRIDGE, "ada.a", before, done, LEASE) is None
    manifest = done.outcome.manifest.model_copy(update={field: value})
    forged = done.model_copy(update={"outcome": done.outcome.model_copy(update={"manifest": manifest})})
    assert f"another {field}" in refusal(FRIDGE, "ada.a", before, forged, LEASE)


def test_another_board_and_another_agents_name():
    before = placed(State.RUNNING, "agent fridge")
    failed = stepped(before, State.FAILED, "agent fridge")
    assert "not on this board" in refusal(Who("board", "other"), "ada.a", before, failed, LEASE)
    assert "in the name of" in refusal(
        FRIDGE, "ada.a", before, failed.model_copy(update={"by": "scheduler"}), LEASE
    )
    begun = stepped(placed(State.LEASED, "scheduler"), State.RUNNING, "agent fridge")
    begun = begun.model_copy(update={"lease": LEASE + 1, "attempts": 1})
    assert "changes what is not" in refusal(FRIDGE, "ada.a", placed(State.LEASED, "scheduler"), begun, LEASE)
