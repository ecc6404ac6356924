# SPDX-License-Identifier: BSD-2-Clause
"""Boards of a service of jobs as a backend of Qiskit: what `TriplaneBackend.run` gives here comes from there."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Coroutine, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from qiskit import QuantumCircuit, qpy
from qiskit.providers import BackendV2, JobError, JobStatus, JobV1
from qiskit.providers import Options as RunOptions
from qiskit.result import Result
from qiskit.transpiler import Target

from triplane.hal.device import Device, load_device
from triplane.host.compiler.circuits.target import device_target
from triplane.host.scheduler.bus import DEFAULT_URL, Bus
from triplane.host.scheduler.client import Jobs
from triplane.host.scheduler.contracts import State, checked_request
from triplane.host.scheduler.credentials import given_credentials
from triplane.host.scheduler.errors import UnfinishedError
from triplane.host.scheduler.requests import needs_of, this_user

SHOTS = 1_024
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
    """A job of the service; it outlives this process, and `RemoteBackend.job` finds it again."""

    def __init__(self, backend: RemoteBackend, job_id: str) -> None:
        super().__init__(backend, job_id)
        self._remote = backend

    def submit(self) -> None:
        """Jobs are submitted by `RemoteBackend.run`."""
        raise JobError("a job is submitted by the backend's run(); it is submitted already")

    def result(self, timeout: float | None = None) -> Result:
        """The result; waits for it.

        Args:
            timeout: s, after which TimeoutError is raised; the job goes on.

        Raises:
            JobError: it has failed, or was cancelled; the text says why.
        """
        name = self.job_id()
        try:
            content = self._remote.ask(self._remote.jobs.result(name, wait_s=timeout))
        except UnfinishedError as error:
            if not self._state().final:
                raise TimeoutError(str(error)) from error
            raise JobError(str(error)) from error
        return Result.from_dict({**json.loads(content), "job_id": name})

    def cancel(self) -> bool:
        """End it; False where it has ended already."""
        return self._remote.ask(self._remote.jobs.cancel(self.job_id()))

    def status(self) -> JobStatus:
        """How far it is."""
        return STATUS[self._state()]

    def _state(self) -> State:
        return self._remote.ask(self._remote.jobs.get(self.job_id())).record.state


class RemoteBackend(BackendV2):  # type: ignore[misc]  # Qiskit ships no types
    """Runs circuits on whatever board the scheduler chooses. Use as a context manager, or `close` it.

    Args:
        url: of the service.
        device: whose target Qiskit's transpiler sees, a name or a device.
        credentials: file of those for a secured service; None: that which TRIPLANE_CREDENTIALS names, if any.
        request: fields of all requests, as of `contracts.Request`: `priority`, `board`, `session` and others.

    Raises:
        ServiceError: nothing answers there.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        device: Device | str = "line5",
        *,
        credentials: Path | None = None,
        **request: Any,
    ) -> None:
        self.device = load_device(device) if isinstance(device, str) else device
        super().__init__(
            name=f"triplane_jobs_{self.device.name}", description=url, backend_version=version("triplane")
        )
        self._target = device_target(self.device)
        # Qiskit's calls block, and the connection must live between them.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self.name, daemon=True)
        self._thread.start()
        try:
            self._bus = self.ask(Bus.connect(url, credentials=given_credentials(credentials)))
        except BaseException:
            self._stop()
            raise
        self._request = {"user": self._bus.user or this_user(), **request}
        self.jobs = Jobs(self._bus, self._request["user"])

    @property
    def target(self) -> Target:
        """Gates, directions, durations and errors of the device."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """No limit of a job's circuits but that of its bytes."""
        return None

    @classmethod
    def _default_options(cls) -> RunOptions:
        return RunOptions(shots=SHOTS, memory=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; jobs go on."""
        self.ask(self._bus.close())
        self._stop()

    def run(
        self,
        run_input: QuantumCircuit | Sequence[QuantumCircuit],
        *,
        shots: int | None = None,
        memory: bool | None = None,
        seed_simulator: int | None = None,
        **_: Any,
    ) -> RemoteJob:
        """Submit circuits as one job; arguments are those of `TriplaneBackend.run`.

        Raises:
            ContractError: a number is out of range, or the circuits are too large.
        """
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        content = io.BytesIO()
        qpy.dump(circuits, content)
        request = checked_request(
            kind="qpy",
            payload=self.ask(self._bus.put(content.getvalue())),
            shots=self.options.shots if shots is None else shots,
            memory=self.options.memory if memory is None else memory,
            seed=seed_simulator,
            needs=needs_of(circuits),
            **self._request,
        )
        return RemoteJob(self, self.ask(self.jobs.submit(request)))

    def job(self, job_id: str) -> RemoteJob:
        """A job of an earlier process.

        Raises:
            UnknownJobError: there is none of that name.
        """
        self.ask(self.jobs.get(job_id))
        return RemoteJob(self, job_id)

    def ask(self, call: Coroutine[Any, Any, Given]) -> Given:
        """What a call of the connection gives."""
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
