# SPDX-License-Identifier: BSD-2-Clause
"""Runs of many steps with a decision between: parameters, a program, its outcomes, and what to try next.

What decides is ordinary code, such as an optimiser of SciPy that calls `step`. A step that has ended is kept in the
store, whole or not at all: parameters, seed and records. After its process died the same code is run again; steps that
are kept are given back without being played, so that it comes to where it was. No state of qubits is ever kept, and
none of the code: what decides must be a function of the records (and of seeds), which is checked by the parameters that
it asks for.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from triplane.hal.errors import BoardError
from triplane.host.arrays import Array
from triplane.host.provenance import RunRecorder, Store
from triplane.host.runtime.journal import Journal, NearTimeError, Parameters, Step

__all__ = ["Job", "NearTime", "NearTimeCancelledError", "NearTimeError", "Step", "StepTimeoutError"]


class NearTimeCancelledError(NearTimeError):
    """Somebody has cancelled the run; the steps that had ended are kept."""


class StepTimeoutError(NearTimeError, TimeoutError):
    """A step took too long and was cancelled; the steps before it are kept."""


class Job(Protocol):
    """What a step is played by: any job of Qiskit's. One of `host.qiskit` has a `manifest` too, its run's id."""

    @property
    def result(self) -> Callable[..., Any]:
        """Gives what came of it; raises TimeoutError after `timeout` seconds, where a step has a time-out."""

    def cancel(self) -> Any:
        """Ask for its end."""


class NearTime:
    """A run of many steps. Use as a context manager, or `close` it.

    Args:
        name: of the run, in its store: letters, digits, `_`, `-`.
        play: starts a job, of parameters, float64, and a seed.
        read: records of a job's result, by names that are no paths.
        seed: of the run; each step has its own of it.
        about: what else the steps follow from, such as hashes of circuits, as JSON takes it; resuming with another is
            refused.
        resume: go on with a run of that name, if there is one; else its name must be new.
        timeout_s: of a step, from its start to its result.
        store: where steps are kept; None: the person's own.
        progress: called with a line of text before and after each step.

    Attributes:
        steps: that have been asked for and have ended.

    Raises:
        NearTimeError: the name is none or taken, another process has the run, or it was begun with other settings.
    """

    def __init__(
        self,
        name: str,
        play: Callable[[Parameters, int], Job],
        read: Callable[[Any], Mapping[str, Array]],
        *,
        seed: int = 0,
        about: Mapping[str, Any] | None = None,
        resume: bool = False,
        timeout_s: float | None = None,
        store: Store | None = None,
        progress: Callable[[str], object] | None = None,
    ) -> None:
        if not re.fullmatch(r"[\w-]+", name):
            raise NearTimeError(f"{name!r} is no name of a run; use letters, digits, _ and -")
        self.name, self.seed = name, seed
        self.steps: list[Step] = []
        self._play, self._read, self._timeout_s = play, read, timeout_s
        self._tell = progress or (lambda _: None)
        self._store = store or Store()
        self._journal = Journal(self._store.root / "near-time" / name)
        self._cancelled = threading.Event()
        self._job: Job | None = None
        self._journal.open({"seed": seed, "about": dict(about or {})}, resume=resume)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others go on with the run."""
        self._journal.close()

    def step(self, parameters: npt.ArrayLike) -> Step:
        """The next step: played and kept, or given back as it was kept.

        Args:
            parameters: numbers.

        Raises:
            StepTimeoutError: it took too long.
            NearTimeCancelledError: the run was cancelled.
            NearTimeError: a step that is kept was asked for with other parameters.
        """
        if self._cancelled.is_set():
            raise NearTimeCancelledError(self._said("was cancelled"))
        asked = np.array(parameters, dtype=np.float64)
        number = len(self.steps)
        step = self._journal.kept(number)
        if step is None:
            self._tell(f"{self.name}: step {number}")
            step = self._played(number, asked)
            self._journal.keep(step)
        elif not np.array_equal(step.parameters, asked):
            raise NearTimeError(
                f"step {number} of {self.name!r} was asked for with {step.parameters.tolist()} and is asked for with "
                f"{asked.tolist()} now: what decides must follow from records and seeds alone; take another name"
            )
        self.steps.append(step)
        self._tell(f"{self.name}: {number + 1} steps")
        return step

    def run(
        self, first: npt.ArrayLike, decide: Callable[[Sequence[Step]], npt.ArrayLike | None]
    ) -> list[Step]:
        """Step by step, until what decides has no next parameters.

        Args:
            first: parameters.
            decide: of all steps so far; None is the end.

        Raises:
            NearTimeError: as of `step`.
        """
        parameters: npt.ArrayLike | None = first
        while parameters is not None:
            self.step(parameters)
            parameters = decide(tuple(self.steps))
        return self.steps

    def cancel(self) -> None:
        """End the run at once, from any thread; it can be resumed."""
        self._cancelled.set()
        job = self._job
        if job is not None:
            job.cancel()

    def file(self, result: Mapping[str, Any]) -> str:
        """File the steps so far as a run with a result, as JSON takes it.

        Returns:
            the run's id, for `triplane report`; the same where they were filed before.

        Raises:
            ProvenanceError: it cannot be filed.
        """
        count = len(self.steps)
        filed = self._journal.filed(count)
        if filed is not None:
            return filed
        recorder = RunRecorder(sys.argv or ["python"], self._store)
        for number in range(count):
            recorder.add_output(f"step.{number}.npz", self._journal.path(number), source=f"step {number}")
        about = self._journal.settings()["about"]
        recorder.set(seeds={"near_time": self.seed}, parameters={"near_time": self.name, "about": about})
        run = recorder.commit({"steps": count, "runs": [step.run for step in self.steps], **result})
        self._journal.file(count, run)
        return run

    def _played(self, number: int, parameters: Parameters) -> Step:
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        job = self._job = self._play(parameters.copy(), seed)
        try:
            if self._cancelled.is_set():  # after the look above and before there was a job to cancel
                raise NearTimeCancelledError(self._said("was cancelled"))
            # Not all jobs have a time-out
            result = job.result() if self._timeout_s is None else job.result(timeout=self._timeout_s)
        except BaseException as error:
            job.cancel()
            if self._cancelled.is_set():
                raise NearTimeCancelledError(self._said("was cancelled")) from error
            # A board has time-outs of its own, which say what was wrong with it
            if isinstance(error, TimeoutError) and not isinstance(error, BoardError):
                took = f"took longer than {self._timeout_s} s and was cancelled"
                raise StepTimeoutError(self._said(took)) from error
            raise
        finally:
            self._job = None
        records = {name: np.asarray(array) for name, array in self._read(result).items()}
        return Step(number, parameters, seed, records, getattr(job, "manifest", None))

    def _said(self, what: str) -> str:
        number = len(self.steps)
        return f"step {number} of {self.name!r} {what}; {number} steps are kept: go on by resume=True"
