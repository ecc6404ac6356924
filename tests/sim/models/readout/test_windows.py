# SPDX-License-Identifier: BSD-2-Clause
"""The model of the window scheduler on cases that a person can follow."""

from triplane.gateware.readout.layouts import CAPTURE_KIND, Window
from triplane.sim.models.readout.windows import QUEUE, schedule

LEAD = 6
TABLE = {0: Window(1, 10), 1: Window(1, 10, delay=100), 2: Window(1, 1, delay=1000)}


def run(*events: tuple[int, int]):
    return schedule([(cycle, CAPTURE_KIND, value) for cycle, value in events], TABLE, LEAD)


def test_windows_may_touch():
    found = run((0, 0), (10, 0), (20, 0))
    assert [(w.start, w.stop) for w in found.accepted] == [(6, 16), (16, 26), (26, 36)]
    assert found.collisions == ()


def test_overlap_is_refused_and_changes_nothing():
    found = run((0, 0), (9, 0), (10, 0))
    assert [w.start for w in found.accepted] == [6, 16]
    assert found.collisions == (11,)


def test_an_earlier_window_cannot_overtake_one_that_waits():
    found = run((0, 1), (5, 0), (200, 0))
    assert [w.start for w in found.accepted] == [106, 206]
    assert found.collisions == (7,)


def test_a_full_queue_refuses():
    found = run(*((k, 2) for k in range(QUEUE + 2)))
    assert len(found.accepted) == QUEUE
    assert found.collisions == (QUEUE + 2, QUEUE + 3)


def test_other_events_are_not_for_the_line():
    found = schedule([(3, 0, 0), (4, CAPTURE_KIND, 64), (5, CAPTURE_KIND, 1024)], TABLE, LEAD)
    assert found.unknown == (3, 4)
    assert [w.start for w in found.accepted] == [11]
