# SPDX-License-Identifier: BSD-2-Clause
"""Boards of a service of jobs as a backend of Qiskit: the jobs of `TriplaneBackend`, on whatever board has its turn."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from qiskit import qpy
from qiskit.primitives import BasePrimitiveJob
from qiskit.providers import JobError, JobStatus, JobV1
from qiskit.result import Result

from triplane.hal.device import Device
from triplane.host.qiskit.backend import TriplaneBackend
from triplane.host.qiskit.calls import call_of, packed_call
from triplane.host.qiskit.task import Task
from triplane.host.scheduler.bus import DEFAULT_URL, Bus
from triplane.host.scheduler.client import Jobs
from triplane.host.scheduler.contracts import Request, State, checked_request
from triplane.host.scheduler.credentials import given_credentials
from triplane.host.scheduler.errors import ContractError, JobsError, UnfinishedError
from triplane.host.scheduler.primitives import TASKS, parts_of, shots_of
from triplane.host.scheduler.requests import duration_us, needs_of, this_user

Given = TypeVar("Given")

STATUS = {
    State.QUEUED: JobStatus.QUEUED,
    State.HELD: JobStatus.QUEUED,
    State.LEASED: JobStatus.QUEUED,
    State.RUNNING: JobStatus.RUNNING,
    State.DONE: JobStatus.DONE,
    State.FAILED: JobStatus.ERROR,
    State.CANCELLED: JobStatus.CANCELLED,
}


class RemoteJob(JobV1):  # type: ignore[misc]  # Qiskit ships no types
    """A job of the service; it outlives this process, and `RemoteBackend.job` finds it again.

    Args:
        backend: that has the connection.
        job_id: its name in the service.

    Attributes:
        manifest: id of the run in the service's ledger, once the result was fetched.
        warnings: none: those of the board are in the result.
    """

    def __init__(self, backend: RemoteBackend, job_id: str) -> None:
        super().__init__(backend, job_id)
        self.manifest: str | None = None
        self.warnings: list[str] = []
        self._remote = backend

    def submit(self) -> None:
        """Jobs are submitted by `RemoteBackend.run`."""
        raise JobError("a job is submitted by the backend's run(); it is submitted already")

    def result(self, timeout: float | None = None) -> Any:
        """What the same job gives on a board of one's own; waits for it.

        Args:
            timeout: s, after which TimeoutError is raised; the job goes on.

        Raises:
            JobError: it has failed, or was cancelled; the text says why.
        """
        name, remote = self.job_id(), self._remote
        try:
            content = remote.ask(remote.service.result(name, wait_s=timeout))
        except UnfinishedError as error:
            if not self._state().final:
                raise TimeoutError(str(error)) from error
            raise JobError(str(error)) from error
        record = remote.ask(remote.service.get(name)).record
        assert record.outcome is not None
        self.manifest = record.outcome.run
        told = {"job_id": name, "manifest": self.manifest}
        request = record.request
        if request.kind not in TASKS:
            result = json.loads(content)
            return Result.from_dict(result | {"job_id": name, "triplane": result["triplane"] | told})
        pieces, about = parts_of(content)
        task = TASKS[request.kind].of(remote, call_of(remote.ask(remote.bus.get(request.payload))))
        gathered = task.gather(self, pieces)
        gathered.metadata["triplane"] = about | told
        return gathered

    def cancel(self) -> bool:
        """End it; False where it has ended already."""
        return self._remote.ask(self._remote.service.cancel(self.job_id()))

    def status(self) -> JobStatus:
        """How far it is."""
        return STATUS[self._state()]

    def _state(self) -> State:
        return self._remote.ask(self._remote.service.get(self.job_id())).record.state


# As `TriplaneJob`
BasePrimitiveJob.register(RemoteJob)


class RemoteBackend(TriplaneBackend):
    """Runs circuits and primitives on whatever board the scheduler chooses; `TriplaneBackend("nats://...")` makes one.

    Use as a context manager, or `close` it. Circuits are checked against the device here before they are submitted;
    the agent compiles them for the device that it has.

    Args:
        url: of the service.
        device: whose target Qiskit's transpiler sees, a name or a device.
        credentials: file of those for a secured service; None: that which TRIPLANE_CREDENTIALS names, if any.
        request: fields of all requests, as of `contracts.Request`: `priority`, `board`, `session` and others.

    Attributes:
        bus, service: the connection, and what can be done with jobs; their calls are for `ask`.

    Raises:
        ServiceError: nothing answers there.
        ContractError: requests have no such field.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        /,
        device: Device | str = "line5",
        *,
        credentials: Path | str | None = None,
        **request: Any,
    ) -> None:
        if unknown := request.keys() - Request.model_fields.keys():
            raise ContractError(f"requests have no {', '.join(sorted(unknown))}; see contracts.Request")
        known = given_credentials(None if credentials is None else Path(credentials))
        super().__init__(device, record_jobs=False)
        self.name, self.description = f"triplane_jobs_{self.device.name}", url
        # Qiskit's calls block, and the connection must live between them.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self.name, daemon=True)
        self._thread.start()
        try:
            self.bus = self.ask(Bus.connect(url, credentials=known))
        except BaseException:
            self._stop()
            raise
        self._request = {"user": self.bus.user or this_user(), **request}
        self.service = Jobs(self.bus, self._request["user"])

    def close(self) -> None:
        """End the connection; jobs go on."""
        self.ask(self.bus.close())
        self._stop()
        super().close()

    def submit(self, task: Task) -> RemoteJob:
        """Submit a task as a job.

        Raises:
            CircuitError: a circuit cannot be played on the device.
            ContractError: a number is out of range, or the circuits are too large.
        """
        compiled = self.checked(task)
        asked = task.request()
        if asked.kind in TASKS:
            payload, fields = packed_call(asked), {"kind": asked.kind, "shots": shots_of(asked)}
        else:
            stream = io.BytesIO()
            qpy.dump(list(asked.circuits), stream)
            payload, fields = stream.getvalue(), {"kind": "qpy", **asked.settings}
        needs = needs_of(asked.circuits).model_copy(update={"duration_us": duration_us(compiled.values())})
        request = checked_request(
            payload=self.ask(self.bus.put(payload)), needs=needs, **fields, **self._request
        )
        return RemoteJob(self, self.ask(self.service.submit(request)))

    def jobs(self) -> list[str]:
        """Names of the user's jobs, those that changed last first."""
        found = self.ask(self.service.all())
        return [each.job for each in reversed(found) if each.record.request.user == self._request["user"]]

    def job(self, job_id: str) -> RemoteJob:
        """A job of an earlier process, or of a command.

        Raises:
            UnknownJobError: there is none of that name.
        """
        return RemoteJob(self, self.ask(self.service.get(job_id)).job)

    def board(self) -> NoReturn:
        """There is none here.

        Raises:
            JobsError: always.
        """
        raise JobsError(
            "boards of a service are reached by jobs only; connect to one: TriplaneBackend(board=...)"
        )

    def ask(self, call: Coroutine[Any, Any, Given]) -> Given:
        """What a call of the connection gives."""
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
