# SPDX-License-Identifier: BSD-2-Clause
"""A job of a backend: runs in a thread of the backend's, can be cancelled, says how far it is, outlives its process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from qiskit.primitives import BasePrimitiveJob
from qiskit.providers import JobError, JobStatus, JobV1

from triplane.host.qiskit.archive import Archive, Piece

if TYPE_CHECKING:
    from triplane.host.qiskit.task import Task

File = Callable[[Sequence[Piece]], str]


class CancelledError(Exception):
    """The job was cancelled while it ran."""


class TriplaneJob(JobV1):  # type: ignore[misc]  # Qiskit ships no types
    """What `TriplaneBackend.run` and the primitives give.

    Args:
        backend: that runs it.
        job_id: of the archive.
        task: what it does.
        archive: where finished parts are kept; None: nowhere.
        file: files the ended job as a run, and gives the run's id; None: it is not filed.

    Attributes:
        done_shots: of all its parts so far, in this process.
        done_parts: circuits or PUBs that have ended, also in an earlier process.
        first_outcome: Unix time, s, when outcomes came for the first time in this process; None before.
        pieces: what came of its parts; empty before the end.
        manifest: id of the run, for `triplane report`; None before the end, and where jobs are not filed.
        warnings: of the board and its calibration, as they were when the job began.
    """

    def __init__(
        self, backend: Any, job_id: str, task: Task, archive: Archive | None, file: File | None = None
    ) -> None:
        super().__init__(backend, job_id)
        self.done_shots = self.done_parts = 0
        self.first_outcome: float | None = None
        self.pieces: list[Piece] = []
        self.manifest: str | None = None
        self.warnings: list[str] = []
        self._check_lease: Callable[[], None] | None = None
        self._task, self._archive, self._file = task, archive, file
        self._future: Future[Any] | None = None
        self._cancelled = threading.Event()

    def submit_to(self, pool: ThreadPoolExecutor) -> None:
        """Wait for its turn in a pool of one thread: a board runs one program at a time."""
        self._future = pool.submit(self._run)

    def submit(self) -> None:
        """Jobs are submitted by `TriplaneBackend.run`."""
        raise JobError("a job is submitted by the backend's run(); it is submitted already")

    def _run(self) -> Any:
        """Do what is still to be done."""
        pieces = []
        with ExitStack() as held:
            for number in range(self._task.parts):
                piece = self._archive.piece(self.job_id(), number) if self._archive else None
                if piece is None:
                    if self._check_lease is None:
                        self._check_lease = held.enter_context(self.backend().leased(f"job {self.job_id()}"))
                        self.warnings += self.backend().stale()
                    self.check()
                    piece = self._task.work(self, number)
                    if self._archive:
                        self._archive.keep(self.job_id(), number, piece)
                pieces.append(piece)
                self.done_parts += 1
        self.manifest = self._archive.manifest(self.job_id()) if self._archive else None
        if self.manifest is None and self._file is not None:
            self.manifest = self._file(pieces)
            if self._archive:
                self._archive.keep_manifest(self.job_id(), self.manifest)
        self.pieces = pieces
        return self._task.gather(self, pieces)

    def count(self, shots: int) -> None:
        """So many shots have been made.

        Raises:
            CancelledError: somebody has cancelled the job.
            LeaseLostError: others may have the board.
        """
        self.first_outcome = self.first_outcome or time.time()
        self.done_shots += shots
        self.check()

    def check(self) -> None:
        """Raise CancelledError where somebody has cancelled the job, LeaseLostError where others may have the board."""
        if self._cancelled.is_set():
            raise CancelledError
        if self._check_lease is not None:
            self._check_lease()

    def result(self, timeout: float | None = None) -> Any:
        """The result; waits for it.

        Args:
            timeout: s, after which TimeoutError is raised; the job goes on.

        Raises:
            JobError: it was cancelled.
            LeaseConflictError: others hold the qubits of its board.
            CircuitError, BoardError, LeaseLostError: what went wrong with it.
        """
        assert self._future is not None
        if self._future.cancelled():
            raise JobError(f"job {self.job_id()} was cancelled before it began")
        try:
            return self._future.result(timeout)
        except CancelledError as error:
            raise JobError(
                f"job {self.job_id()} was cancelled after {self.done_shots} shots, {self.done_parts} of "
                f"{self._task.parts} parts had ended"
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


# It has all that a primitive's job has to have, and cannot inherit from both: their __init__ differ.
BasePrimitiveJob.register(TriplaneJob)
