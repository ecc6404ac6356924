# SPDX-License-Identifier: BSD-2-Clause
"""Whose turn it is, and what a decision looks at."""

import pytest

from triplane.host.scheduler.contracts import Needs, Payload, Request
from triplane.host.scheduler.queue import Queue

PAYLOAD = Payload(sha256="0" * 64, size=0)


def request(user="ada", **fields):
    return Request(user=user, kind="control", payload=PAYLOAD, **fields)


def order(*requests, batches=frozenset()):
    queue = Queue()
    for number, each in enumerate(requests):
        queue.add(str(number), number + 1, each)
    found = []
    while item := queue.next(lambda _: True, batches):
        queue.remove(item.job)
        queue.charge(item.request)
        found.append(int(item.job))
    assert len(queue) == 0
    return found


def test_the_first_that_came_is_first():
    assert order(request(), request(), request()) == [0, 1, 2]


def test_a_higher_priority_is_first():
    assert order(request(), request(priority=-1), request(priority=5)) == [2, 0, 1]


def test_the_earlier_due_date_is_first_within_a_priority():
    assert order(request(), request(due=20.0), request(due=10.0), request(priority=1)) == [3, 2, 1, 0]


def test_who_has_had_less_is_first():
    assert order(*[request("ada")] * 3, *[request("bob")] * 3) == [0, 3, 1, 4, 2, 5]


def test_long_jobs_count_as_long():
    long = {"needs": Needs(duration_us=1e4), "shots": 1_000}
    assert order(request("ada", **long), request("ada", **long), *[request("bob")] * 4) == [0, 2, 3, 4, 5, 1]


def test_who_was_away_has_no_claim_to_that_time():
    queue = Queue()
    for _ in range(10):
        queue.charge(request("ada"))
    queue.add("a", 1, request("ada"))
    queue.add("b", 2, request("bob"))
    assert queue.used_s["bob"] == pytest.approx(queue.used_s["ada"])


def test_a_batch_that_has_begun_goes_on():
    jobs = [request(), request(batch="sweep"), request(batch="sweep")]
    assert order(*jobs, batches=frozenset({"sweep"})) == [1, 2, 0]


def test_an_older_revision_is_not_in_the_queue():
    queue = Queue()
    queue.add("a", 1, request())
    queue.add("a", 5, request(priority=3))
    found = queue.next(lambda _: True)
    assert found
    assert (found.job, found.revision) == ("a", 5)
    queue.remove("a")
    assert queue.next(lambda _: True) is None


def test_a_decision_does_not_look_at_the_queue():
    looked = []
    for count in (10, 10_000):
        queue, calls = Queue(), []
        for number in range(count):
            queue.add(str(number), number + 1, request(f"user{number % 3}"))

        def eligible(each, calls=calls):
            calls.append(each)
            return True

        for _ in range(5):
            found = queue.next(eligible)
            queue.remove(found.job)
        looked.append(len(calls))
    assert looked == [5, 5]


def test_what_no_board_can_do_does_not_hold_up_the_rest():
    queue = Queue()
    queue.add("large", 1, request(needs=Needs(qubits=50), priority=9))
    queue.add("small", 2, request())
    assert queue.next(lambda each: each.needs.qubits < 5).job == "small"
