# SPDX-License-Identifier: BSD-2-Clause
"""A board on a network that two processes want: one has it, the other is told who has."""

import subprocess
import sys
import time

import pytest
from qiskit import QuantumCircuit
from qiskit.providers import JobError, JobStatus

from triplane.hal.drivers.simulated import simulated_design
from triplane.host.provenance import Store
from triplane.host.qiskit import TriplaneBackend
from triplane.host.runtime.leases import Leases
from triplane.host.small import SHAPE, small_target
from triplane.sim.board.emulation import EmulatedProcessor
from triplane.sim.qpu import Processor

OTHER = """
import sys
from pathlib import Path
from qiskit import QuantumCircuit
from triplane.hal.device import Device
from triplane.host.provenance import Store
from triplane.host.qiskit import TriplaneBackend
from triplane.host.runtime.leases import LeaseConflictError
from triplane.host.small import SHAPE

device = Device.model_validate_json(Path(sys.argv[1]).read_text())
circuit = QuantumCircuit(1)
circuit.measure_all()
with TriplaneBackend(device, board=sys.argv[2], shape=SHAPE, store=Store(sys.argv[3])) as backend:
    for line in sys.stdin:
        try:
            print(backend.run(circuit, shots=3).result().get_counts(), flush=True)
        except LeaseConflictError as error:
            print(error, flush=True)
"""


@pytest.fixture(scope="module")
def served(serve, three_qubits):
    design, _ = simulated_design(small_target(), fabric=SHAPE)

    def behind(board, addresses):
        refused = []  # pulses that the emulator has no answer to; there are none here
        return EmulatedProcessor(
            board, Processor(three_qubits), addresses, SHAPE, refused=refused.append
        ).play

    with serve(design, behind) as board:
        yield board


def test_who_has_the_board_is_told_to_another_process(served, three_qubits, tmp_path):
    (tmp_path / "device.json").write_text(three_qubits.model_dump_json())
    store = Store(tmp_path / "store")
    # Another name of the same address
    command = [
        sys.executable,
        "-c",
        OTHER,
        str(tmp_path / "device.json"),
        f"udp://localhost:{served.udp}",
        store.root,
    ]
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    with (
        TriplaneBackend(three_qubits, board=served.urls["udp"], shape=SHAPE, store=store) as backend,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
    ):

        def asked():
            other.stdin.write("run\n")
            other.stdin.flush()
            return other.stdout.readline()

        try:
            assert asked() == "{'0': 3}\n"
            job = backend.run(circuit, shots=1_000_000)
            deadline = time.monotonic() + 60
            while not job.done_shots and time.monotonic() < deadline:
                assert job.status() in (JobStatus.QUEUED, JobStatus.RUNNING), job.result()
                time.sleep(0.01)
            (lease,) = Leases(store.root).held()
            assert lease.board == served.urls["udp"]
            assert asked().startswith(
                f"qubits 0, 1, 2 of {served.urls['udp']} are held by {lease.holder} for another "
            )
            assert job.cancel()
            with pytest.raises(JobError, match="was cancelled"):
                job.result()
            assert asked() == "{'0': 3}\n"
        finally:
            other.stdin.close()
            other.wait(60)
    assert Leases(store.root).held() == []
