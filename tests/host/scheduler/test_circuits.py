# SPDX-License-Identifier: BSD-2-Clause
"""Circuits through the service on a simulated board: the counts of a local backend, and what is refused."""

import asyncio
import threading

import pytest
from qiskit import QuantumCircuit
from qiskit.providers import JobError, JobStatus

from triplane.hal.device import load_device
from triplane.host.qiskit import TriplaneBackend
from triplane.host.scheduler.agent import Agent
from triplane.host.scheduler.backend import RemoteBackend
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.errors import ContractError, ServiceError
from triplane.host.scheduler.requests import needs_of
from triplane.host.scheduler.runners import BoardRunner, circuits_of
from triplane.host.scheduler.scheduler import Scheduler

SHOTS, SEED = 60, 11
QASM = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q; bit[2] c;\nh q[0]; cx q[0], q[1]; c = measure q;\n'
)


def bell():
    circuit = QuantumCircuit(2, 2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


@pytest.fixture
def boards(server):
    """A scheduler, and an agent on the simulated board, in a thread of their own."""
    runner, ready, state = BoardRunner("sim", load_device("line5")), threading.Event(), {}

    async def serve():
        state["loop"], state["task"] = asyncio.get_running_loop(), asyncio.current_task()
        async with await Bus.connect(server) as bus, await Bus.connect(server) as other:
            ready.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(Scheduler(bus).run())
                tasks.create_task(Agent(other, runner, name="sim", url="sim").run())

    def serving():
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(serve())

    thread = threading.Thread(target=serving)
    thread.start()
    assert ready.wait(30)
    yield server
    state["loop"].call_soon_threadsafe(state["task"].cancel)
    thread.join(30)
    runner.close()


def test_counts_are_those_of_a_local_board(boards):
    with TriplaneBackend("line5", record_jobs=False) as local:
        expected = local.run(bell(), shots=SHOTS, seed_simulator=SEED).result().get_counts()
    with RemoteBackend(boards) as backend:
        job = backend.run(bell(), shots=SHOTS, seed_simulator=SEED)
        result = job.result(timeout=60)
        assert result.get_counts() == expected
        assert result.job_id == job.job_id()
        assert backend.job(job.job_id()).status() is JobStatus.DONE
        assert not job.cancel()
        large = QuantumCircuit(9)
        large.measure_all()
        waiting = backend.run(large)
        with pytest.raises(TimeoutError, match="queued"):
            waiting.result(timeout=0.5)
        assert "5 qubits, the job needs 9" in backend.ask(backend.jobs.why(waiting.job_id()))
        assert waiting.cancel()
        with pytest.raises(JobError, match="cancelled"):
            waiting.result()


def test_needs_are_counted():
    needs = needs_of([bell()])
    assert (needs.qubits, needs.one_qubit_gates, needs.two_qubit_gates, needs.readouts) == (2, 1, 1, 2)
    assert needs_of(circuits_of("qasm3", QASM.encode())) == needs


def test_old_and_false_qpy_is_refused():
    with pytest.raises(ContractError, match="versions before 13"):
        circuits_of("qpy", b"QISKIT\x0c" + bytes(30))
    with pytest.raises(ContractError, match="is no QPY"):
        circuits_of("qpy", b"\x80\x04K\x01.")


def test_without_a_service_it_says_so(port):
    with pytest.raises(ServiceError, match="triplane serve"):
        RemoteBackend(f"nats://127.0.0.1:{port}")
