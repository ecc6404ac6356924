# SPDX-License-Identifier: BSD-2-Clause
"""A job of a backend: runs in a thread of the backend's, can be cancelled, and says how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from qiskit.providers import JobError, JobStatus, JobV1
from qiskit.result import Result

Work = Callable[["TriplaneJob"], Result]


class CancelledError(Exception):
    """The job was cancelled while it ran."""


class TriplaneJob(JobV1):  # type: ignore[misc]  # Qiskit ships no types
    """What `TriplaneBackend.run` gives.

    Args:
        backend: that runs it.
        work: called in the thread, with this job; gives the result.
        circuits: that it has.

    Attributes:
        done_shots: of all its circuits so far.
    """

    def __init__(self, backend: Any, work: Work, circuits: int) -> None:
        super().__init__(backend, str(uuid4()))
        self.done_shots = 0
        self._work, self._circuits = work, circuits
        self._future: Future[Result] | None = None
        self._cancelled = threading.Event()

    def submit_to(self, pool: ThreadPoolExecutor) -> None:
        """Wait for its turn in a pool of one thread: a board runs one program at a time."""
        self._future = pool.submit(self._work, self)

    def submit(self) -> None:
        """Jobs are submitted by `TriplaneBackend.run`."""
        raise JobError("a job is submitted by the backend's run(); it is submitted already")

    def check_cancelled(self) -> None:
        """Raise CancelledError where somebody has cancelled the job."""
        if self._cancelled.is_set():
            raise CancelledError

    def result(self, timeout: float | None = None) -> Result:
        """The result; waits for it.

        Args:
            timeout: s, after which TimeoutError is raised; the job goes on.

        Raises:
            JobError: it was cancelled.
            CircuitError, BoardError: what went wrong with it.
        """
        assert self._future is not None
        if self._future.cancelled():
            raise JobError(f"job {self.job_id()} was cancelled before it began")
        try:
            return self._future.result(timeout)
        except CancelledError as error:
            raise JobError(
                f"job {self.job_id()} was cancelled after {self.done_shots} shots; nothing of it is kept"
            ) from error

    def cancel(self) -> bool:
        """Ask for its end; False where it has ended already. A program that runs is aborted at its next outcomes."""
        assert self._future is not None
        if self._future.done():
            return False
        self._cancelled.set()
        self._future.cancel()
        return True

    def status(self) -> JobStatus:
        """How far it is."""
        future = self._future
        if future is None:
            return JobStatus.INITIALIZING
        if future.cancelled() or (future.done() and isinstance(future.exception(), CancelledError)):
            return JobStatus.CANCELLED
        if future.done():
            return JobStatus.ERROR if future.exception() else JobStatus.DONE
        return JobStatus.RUNNING if future.running() else JobStatus.QUEUED
