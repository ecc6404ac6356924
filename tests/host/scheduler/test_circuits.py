# SPDX-License-Identifier: BSD-2-Clause
"""Circuits through the service on a simulated board: the counts of a local backend, and what is refused."""

import asyncio
import base64
import io
import json
import threading
from datetime import UTC, datetime

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobError, JobStatus

from triplane.hal.device import load_device
from triplane.host.calibration.qubit.snapshot import Measured, QubitSnapshot, Snapshot
from triplane.host.compiler.circuits import CircuitError
from triplane.host.qiskit import EstimatorV2, SamplerV2, TriplaneBackend
from triplane.host.qiskit.calls import CallError, call_of, packed_call
from triplane.host.qiskit.sampler import SamplerTask
from triplane.host.scheduler import connection
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
def boards(server, signer):
    """A scheduler, and an agent on the simulated board, in a thread of their own."""
    runner, ready, state = BoardRunner("sim", load_device("line5")), threading.Event(), {}

    async def serve():
        state["loop"], state["task"] = asyncio.get_running_loop(), asyncio.current_task()
        async with await Bus.connect(server) as bus, await Bus.connect(server) as other:
            ready.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(Scheduler(bus).run())
                tasks.create_task(Agent(other, runner, name="sim", url="sim", signer=signer).run())

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


def swept():
    theta = Parameter("theta")
    circuit = QuantumCircuit(1, name="swept")
    circuit.ry(theta, 0)
    return circuit


def called(backend):
    """One call of each primitive; a seed makes emulators equal."""
    measured = swept().measure_all(inplace=False)
    angles = np.linspace(0, np.pi, 3)
    sampler = SamplerV2(backend, options={"seed_simulator": SEED})
    estimator = EstimatorV2(backend, options={"seed_simulator": SEED})
    return sampler.run([(measured, angles)], shots=SHOTS), estimator.run(
        [(swept(), "Z", angles)], precision=0.2
    )


def test_jobs_are_those_of_a_local_board(boards):
    with TriplaneBackend("line5", record_jobs=False) as local:
        expected = local.run(bell(), shots=SHOTS, seed_simulator=SEED).result().get_counts()
        samples, values = (job.result()[0].data for job in called(local))
    with TriplaneBackend(boards) as backend:
        assert isinstance(backend, RemoteBackend)
        job = backend.run(bell(), shots=SHOTS, seed_simulator=SEED)
        result = job.result(timeout=60)
        assert result.get_counts() == expected
        assert result.job_id == job.job_id()
        assert backend.job(job.job_id()).status() is JobStatus.DONE
        assert not job.cancel()
        needs = backend.ask(backend.service.get(job.job_id())).record.request.needs
        assert needs.duration_us == pytest.approx(backend.compiled(bell()).estimate.duration_us, rel=0.05)
        sampled, estimated = called(backend)
        assert np.array_equal(sampled.result()[0].data.meas.array, samples.meas.array)
        assert np.array_equal(estimated.result()[0].data.evs, values.evs)
        assert np.array_equal(estimated.result()[0].data.stds, values.stds)
        assert set(backend.jobs()) == {each.job_id() for each in (job, sampled, estimated)}
    with RemoteBackend(boards) as later:
        again = later.job(sampled.job_id()).result()
        assert np.array_equal(again[0].data.meas.array, samples.meas.array)
        assert again.metadata["triplane"]["simulated"]


def test_what_does_not_fit_is_refused_or_waits(boards):
    large = QuantumCircuit(9)
    large.measure_all()
    with RemoteBackend(boards) as backend, pytest.raises(CircuitError):
        backend.run(large)
    with RemoteBackend(boards, "surface17") as backend:
        waiting = backend.run(large)
        with pytest.raises(TimeoutError, match="queued"):
            waiting.result(timeout=0.5)
        assert "5 qubits, the job needs 9" in backend.ask(backend.service.why(waiting.job_id()))
        assert waiting.cancel()
        with pytest.raises(JobError, match="cancelled"):
            waiting.result()


def test_an_agent_tells_of_the_calibration_as_it_is_now(tmp_path):
    device, file = load_device("line5"), tmp_path / "today.json"

    def found(t2_us, error):
        measured = {
            "t2_us": Measured(value=t2_us, error=0.1),
            "readout_error0": Measured(value=error, error=0),
        }
        qubit = QubitSnapshot(**measured, readout_error1=Measured(value=3 * error, error=0))
        now = datetime.now(UTC)
        Snapshot(device="line5", build_hash="0", measured_at=now, qubits={2: qubit}).save(file)

    found(9.0, 0.01)
    runner = BoardRunner("sim", device, snapshot=file)
    try:
        first = runner.capability.fields
        found(4.0, 0.02)
        second = runner.capability.fields
        file.write_text("{}")
        assert runner.capability.fields == second
    finally:
        runner.close()
    assert (first["coherence_us"], first["readout_error"]) == (9.0, pytest.approx(0.02))
    assert (second["coherence_us"], second["readout_error"]) == (4.0, pytest.approx(0.04))


def test_false_calls_are_refused():
    with pytest.raises(CallError, match="circuits: Field required"):
        call_of(b'{"kind": "sampler", "settings": {}, "arrays": {}}')
    pickled = np.array([{}], dtype=object)
    stream = io.BytesIO()
    np.save(stream, pickled, allow_pickle=True)
    call = json.loads(packed_call(SamplerTask(None, [SamplerPub(bell(), shots=1)], None).request()))
    call["arrays"]["shape-0"] = base64.b64encode(stream.getvalue()).decode()
    with pytest.raises(CallError, match="an array of the call"):
        call_of(json.dumps(call).encode())


def test_needs_are_counted():
    needs = needs_of([bell()])
    assert (needs.qubits, needs.one_qubit_gates, needs.two_qubit_gates, needs.readouts) == (2, 1, 1, 2)
    assert needs_of(circuits_of("qasm3", QASM.encode())) == needs


def test_old_and_false_qpy_is_refused():
    with pytest.raises(ContractError, match="versions before 13"):
        circuits_of("qpy", b"QISKIT\x0c" + bytes(30))
    with pytest.raises(ContractError, match="is no QPY"):
        circuits_of("qpy", b"\x80\x04K\x01.")


@pytest.mark.parametrize("url", ["nats://", "nats://127.0.0.1:abc", "nats://127.0.0.1:4222,nats://:1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ServiceError, match="is no address of a service"):
        TriplaneBackend(url)


@pytest.mark.parametrize("scheme", ["nats", "NATS"])
def test_where_nothing_listens_nobody_waits_for_an_answer(port, monkeypatch, scheme):
    monkeypatch.setattr(connection, "ANSWER_S", 3600.0)
    with pytest.raises(
        ServiceError, match=f"{scheme}://.*: nothing listens there; start one: triplane serve"
    ):
        TriplaneBackend(f"{scheme}://127.0.0.1:{port}")
