# SPDX-License-Identifier: BSD-2-Clause
"""Qiskit's backend of a secured service: a person's own jobs on a simulated board, by a real server with TLS."""

import asyncio
import threading

import numpy as np
import pytest
from qiskit import QuantumCircuit

from triplane.hal.device import load_device
from triplane.host.provenance.signing import Signature
from triplane.host.qiskit import SamplerV2, TriplaneBackend
from triplane.host.scheduler.access import Access
from triplane.host.scheduler.agent import Agent
from triplane.host.scheduler.backend import RemoteBackend
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.errors import JobsError, ServiceError
from triplane.host.scheduler.ledger import ServiceLedger
from triplane.host.scheduler.runners import BoardRunner
from triplane.host.scheduler.server import Node, running
from triplane.host.scheduler.service import serve_beside

SHOTS, SEED, START_S = 40, 3, 60


@pytest.fixture
def access(tmp_path):
    access = Access(tmp_path / "access")
    access.certify([])
    for name in ("ada", "bob"):
        access.add("user", name).write(tmp_path / name)
    return access


@pytest.fixture
def service(tmp_path, port, access):
    """`triplane serve --secure` with an agent on the simulated board, in a thread of their own; gives the URL."""
    url, folder, node = f"nats://127.0.0.1:{port}", tmp_path / "nats", Node(port, access=access)
    board = access.add("board", "sim")
    runner, ready, state = BoardRunner("sim", load_device("line5")), threading.Event(), {}

    async def serve(process):
        state["loop"], state["task"] = asyncio.get_running_loop(), asyncio.current_task()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve_beside(process, folder, node, None, 1))
            bus = await Bus.connect(url, credentials=board, wait_s=START_S)
            ready.set()
            async with bus:
                await Agent(bus, runner, name="sim", url="sim", signer=board.signer).run()

    def serving(process):
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(serve(process))

    with running(folder, node) as process:
        thread = threading.Thread(target=serving, args=[process])
        thread.start()
        assert ready.wait(START_S)
        yield url
        state["loop"].call_soon_threadsafe(state["task"].cancel)
        thread.join(START_S)
        runner.close()


def bell():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def test_jobs_are_the_persons_own(service, access, tmp_path, monkeypatch):
    with TriplaneBackend("line5", record_jobs=False) as local:
        expected = local.run(bell(), shots=SHOTS, seed_simulator=SEED).result().get_counts()
        sampler = SamplerV2(local, options={"seed_simulator": SEED})
        samples = sampler.run([bell()], shots=SHOTS).result()[0].data.meas.array
    with TriplaneBackend(service, credentials=tmp_path / "ada") as backend:
        assert isinstance(backend, RemoteBackend)
        job = backend.run(bell(), shots=SHOTS, seed_simulator=SEED)
        assert job.result(timeout=START_S).get_counts() == expected
        assert job.job_id().startswith("ada.")
        assert backend.jobs() == [job.job_id()]
        sampler = SamplerV2(backend, options={"seed_simulator": SEED})
        sampled = sampler.run([bell()], shots=SHOTS)
        assert np.array_equal(sampled.result()[0].data.meas.array, samples)
    monkeypatch.setenv("TRIPLANE_CREDENTIALS", str(tmp_path / "bob"))
    with RemoteBackend(service) as other:
        assert other.jobs() == []
        with pytest.raises(JobsError, match="another's"):
            other.job(job.job_id())
        with (
            pytest.raises(JobsError, match="in the name of ada"),
            RemoteBackend(service, user="ada") as false,
        ):
            false.run(bell(), shots=SHOTS)

    async def signature():
        async with await Bus.connect(service, credentials=access.service) as bus:
            return (await ServiceLedger.read(bus)).lines[job.manifest].signature

    signed = asyncio.run(signature())
    assert isinstance(signed, Signature)
    assert signed.key == next(each.signer for each in access.principals() if each.name == "sim")


def test_without_credentials_that_hold_it_does_not_connect(service, access, tmp_path):
    with pytest.raises(ServiceError, match="--credentials"):
        RemoteBackend(service)
    unknown = Access(tmp_path / "unknown").add("user", "ada")
    unknown.model_copy(update={"authority": access.service.authority}).write(tmp_path / "false")
    with pytest.raises(ServiceError, match="does not take these credentials"):
        RemoteBackend(service, credentials=tmp_path / "false")
    (tmp_path / "ada").chmod(0o644)
    with pytest.raises(ServiceError, match="chmod 600"):
        RemoteBackend(service, credentials=tmp_path / "ada")
