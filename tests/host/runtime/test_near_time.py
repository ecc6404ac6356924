# SPDX-License-Identifier: BSD-2-Clause
"""Runs of many steps: decided between, kept, given back, cancelled, timed out."""

import threading

import numpy as np
import pytest
from scipy.optimize import minimize, rosen

from triplane.hal.errors import RunTimeoutError
from triplane.host.provenance import Store, verify_run
from triplane.host.runtime.near_time import (
    NearTime,
    NearTimeCancelledError,
    NearTimeError,
    StepTimeoutError,
)


class Job:
    """Ends at once, or never; `outcome` is raised where it is an error."""

    manifest = None

    def __init__(self, outcome, ends=True):
        self.outcome, self.cancelled = outcome, False
        self._ended = threading.Event()
        if ends:
            self._ended.set()

    def result(self, timeout=None):
        if not self._ended.wait(timeout):
            raise TimeoutError
        if self.cancelled:
            raise RuntimeError("the job was cancelled")
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def cancel(self):
        self.cancelled = True
        self._ended.set()
        return True


class Lab:
    """Values of Rosenbrock's function with noise that follows from the seed; counts what is played."""

    def __init__(self, store):
        self.store, self.played = store, []

    def play(self, parameters, seed):
        self.played.append((parameters.tolist(), seed))
        return Job(rosen(parameters) + np.random.default_rng(seed).normal(scale=0.01))

    def open(self, name="lab", **options):
        return NearTime(name, self.play, lambda value: {"value": value}, store=self.store, **options)


@pytest.fixture
def lab(tmp_path):
    return Lab(Store(tmp_path))


def optimised(run, steps):
    return minimize(
        lambda x: float(run.step(x).records["value"]),
        [-1.0, 1.5],
        method="Nelder-Mead",
        options={"maxfev": steps},
    )


def test_an_optimiser_decides(lab):
    with lab.open(seed=3) as run:
        found = optimised(run, 40)
    assert len(run.steps) == len(lab.played) == found.nfev
    assert min(float(step.records["value"]) for step in run.steps) == found.fun
    assert len({step.seed for step in run.steps}) == len(run.steps)


def test_what_is_kept_is_given_back_and_not_played(lab):
    with lab.open(seed=3) as run:
        optimised(run, 12)
        first = list(run.steps)
    with lab.open(seed=3, resume=True) as run:
        found = optimised(run, 30)
    assert len(lab.played) == found.nfev
    for before, after in zip(first, run.steps[: len(first)], strict=True):
        assert (before.number, before.seed) == (after.number, after.seed)
        assert np.array_equal(before.parameters, after.parameters)
        assert before.records == after.records
    with lab.open("whole", seed=3) as run:
        whole = optimised(run, 30)
    assert (whole.x.tolist(), whole.fun) == (found.x.tolist(), found.fun)


def test_a_function_of_the_steps_decides(lab):
    def decide(steps):
        return steps[-1].parameters + 1 if len(steps) < 4 else None

    with lab.open() as run:
        steps = run.run([0.0, 0.5], decide)
    assert [step.parameters.tolist() for step in steps] == [[k, 0.5 + k] for k in range(4)]


def test_parameters_that_do_not_follow_from_the_records_are_refused(lab):
    with lab.open() as run:
        run.step([1.0, 2.0])
    with (
        lab.open(resume=True) as run,
        pytest.raises(
            NearTimeError, match=r"step 0 of 'lab' was asked for with \[1.0, 2.0\].*\[1.0, 2.5\] now"
        ),
    ):
        run.step([1.0, 2.5])


def test_runs_are_not_mixed_up(lab):
    with lab.open(seed=1, about={"shots": 10}) as run:
        run.step([1.0, 2.0])
        with pytest.raises(NearTimeError, match="'lab' is open already, here or in another process"):
            lab.open(seed=1, about={"shots": 10}, resume=True)
    for options, message in (
        ({"seed": 1, "about": {"shots": 10}}, "there is a run 'lab' already; go on with it by resume=True"),
        ({"seed": 2, "about": {"shots": 10}, "resume": True}, "begun with seed 1, not 2"),
        (
            {"seed": 1, "about": {"shots": 11}, "resume": True},
            r"begun with about {'shots': 10}, not {'shots': 11}",
        ),
    ):
        with pytest.raises(NearTimeError, match=message):
            lab.open(**options)
    for name in ("", "../lab", "a b"):
        with pytest.raises(NearTimeError, match="is no name of a run"):
            lab.open(name)


def test_a_step_has_a_time_out(lab):
    jobs = [Job(1.0), Job(None, ends=False)]
    options = {"store": lab.store, "timeout_s": 0.1}
    with NearTime("slow", lambda parameters, seed: jobs.pop(0), lambda v: {"v": v}, **options) as run:
        stuck = jobs[1]
        run.step([0.0])
        with pytest.raises(
            StepTimeoutError, match=r"step 1 of 'slow' took longer than 0.1 s .* 1 steps are kept"
        ):
            run.step([1.0])
    assert stuck.cancelled
    assert len(run.steps) == 1


def test_a_time_out_of_the_board_is_told_as_it_is(lab):
    job = Job(RunTimeoutError("no end within 5 cycles"))
    with (
        NearTime(
            "board", lambda parameters, seed: job, lambda v: {"v": v}, store=lab.store, timeout_s=1
        ) as run,
        pytest.raises(RunTimeoutError, match="no end within 5 cycles"),
    ):
        run.step([0.0])


def test_a_run_is_cancelled_and_goes_on_later(lab):
    began = threading.Event()

    def play(parameters, seed):
        ended = len(run.steps) < 1 or resumed
        began.set() if not ended else None
        return Job(7.0, ends=ended)

    def cancel():
        assert began.wait(10)
        run.cancel()

    resumed = False
    with NearTime("long", play, lambda v: {"v": v}, store=lab.store) as run:
        thread = threading.Thread(target=cancel)
        thread.start()
        run.step([0.0])
        with pytest.raises(NearTimeCancelledError, match="step 1 of 'long' was cancelled; 1 steps are kept"):
            run.step([1.0])
        with pytest.raises(NearTimeCancelledError):
            run.step([1.0])
        thread.join()
    resumed = True
    with NearTime("long", play, lambda v: {"v": v}, store=lab.store, resume=True) as run:
        assert [float(run.step([k]).records["v"]) for k in (0.0, 1.0)] == [7.0, 7.0]


def test_half_a_step_is_none(lab, tmp_path, monkeypatch):
    """A crash while a step is written leaves nothing that is taken for one."""

    def crash(self, target):
        raise KeyboardInterrupt

    with lab.open() as run:
        run.step([0.0, 0.0])
        with monkeypatch.context() as patched:
            patched.setattr("pathlib.Path.replace", crash)
            with pytest.raises(KeyboardInterrupt):
                run.step([1.0, 1.0])
    with lab.open(resume=True) as run:
        run.step([0.0, 0.0])
        run.step([1.0, 1.0])
    assert [parameters for parameters, _ in lab.played] == [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
    assert lab.played[1] == lab.played[2]


def test_steps_are_filed_as_a_run(lab):
    said = []
    with lab.open(seed=5, about={"shots": 10}, progress=said.append) as run:
        for k in range(3):
            run.step([float(k), 0.0])
        filed = run.file({"value": 1.5})
        assert run.file({"value": 1.5}) == filed
        run.step([9.0, 0.0])
        assert run.file({"value": 1.5}) != filed
    found = verify_run(filed, lab.store)
    assert not found.problems
    assert found.manifest.result == {"steps": 3, "runs": [None] * 3, "value": 1.5}
    assert found.manifest.parameters == {"near_time": "lab", "about": {"shots": 10}}
    assert sorted(found.manifest.outputs) == [f"step.{k}.npz" for k in range(3)]
    assert said[:3] == ["lab: step 0", "lab: 1 steps", "lab: step 1"]
