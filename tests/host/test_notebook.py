# SPDX-License-Identifier: BSD-2-Clause
"""Progress under a cell: one place, in which every line takes that of the one before."""

from types import SimpleNamespace

import pytest
from IPython import display as ipython

from triplane.host.notebook import Progress, watch


@pytest.fixture
def pages(monkeypatch):
    """What was shown, in one list for every place."""
    places = []

    def display(content, *, raw, display_id):
        assert raw
        assert display_id
        places.append([content["text/html"]])
        return SimpleNamespace(update=lambda content, raw: places[-1].append(content["text/html"]))

    monkeypatch.setattr(ipython, "display", display)
    return places


def test_lines_take_the_place_of_each_other(pages):
    progress = Progress()
    progress("elaborating <the> gateware")
    progress("compiling 3 of 15")
    progress.clear()
    bar = '<progress value="3" max="15"></progress> compiling 3 of 15'
    assert pages == [["elaborating &lt;the&gt; gateware", bar, ""]]


def test_nothing_is_cleared_that_was_not_shown(pages):
    Progress().clear()
    assert pages == []


def test_a_job_is_watched_to_its_end(pages, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: setattr(job, "done_shots", job.done_shots + 40))
    job = SimpleNamespace(done_shots=0, in_final_state=lambda: job.done_shots >= 100)
    assert watch(job, shots=100) is job
    (shown,) = pages
    assert [line.rpartition("> ")[2] for line in shown] == [
        "shots 0 of 100",
        "shots 40 of 100",
        "shots 80 of 100",
        "",
    ]
