# SPDX-License-Identifier: BSD-2-Clause
"""A job is a run: its levels are in the store, and the report shows and verifies them."""

import io
import json

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from rich.console import Console

from triplane.gateware.sequencer.assembler import assemble
from triplane.host.provenance import CorruptObjectError, Ledger, verify_run
from triplane.host.provenance.report import show
from triplane.host.qiskit import EstimatorV2, SamplerV2
from triplane.host.scheduler.rerun import rerun


def test_every_level_is_an_object_and_made_of_the_one_before(backend, kept_jobs, decided):
    job = backend.run(decided, shots=30, memory=True, seed_simulator=4)
    result = job.result()
    run = result.to_dict()["triplane"]["manifest"]
    assert run == job.manifest
    found = verify_run(run, kept_jobs)
    assert not found.problems
    manifest = found.manifest
    (entry,) = manifest.result["chain"].values()
    names = ["circuit.0.qpy", "transpiled.0.qpy", "scheduled.0.json", "program.0.tasm"]
    objects = manifest.inputs | manifest.outputs
    assert entry["levels"] == [objects[name].sha256 for name in names]
    levels = [kept_jobs.get(name) for name in entry["levels"]]
    assert qpy.load(io.BytesIO(levels[0]))[0] == decided
    assert qpy.load(io.BytesIO(levels[1]))[0].num_qubits == 5
    assert "decide" in {node["kind"] for node in json.loads(levels[2])}
    words = assemble(levels[3].decode()).words
    assert np.array_equal(words, backend.compiled(decided).template.sequence.words)
    bits = np.load(io.BytesIO(kept_jobs.get(objects["bits.0.npy"].sha256)))
    assert ["".join("01"[int(bit)] for bit in row[::-1]) for row in bits] == result.get_memory()
    assert manifest.gateware["build_hash"] == backend.origin["gateware"]
    assert manifest.seeds == {"emulator": 4}


def test_the_latency_ledger_adds_up(backend, decided):
    about = backend.run(decided, shots=5).result().to_dict()["triplane"]
    stages = {entry["stage"]: entry for entry in about["latency_ledger"]}
    assert stages["discriminate"]["cycles"] == 7
    assert [entry["kind"] for entry in stages.values()].count("assumed") == 1
    decision = max(backend.compiled(decided).estimate.feed_forward, key=lambda decision: decision.wait_cycles)
    waits = [entry["cycles"] for entry in about["latency_ledger"][:-1]]
    assert sum(waits) == decision.wait_cycles
    # Both qubits are reset by one readout: the second one waits for the pulse of the first
    assert stages["decide"]["cycles"] == decision.latency_cycles > 4
    assert stages["decide"]["ns"] == pytest.approx(decision.latency_cycles / 0.24576, abs=0.01)


def test_primitives_are_filed_with_all_their_programs(backend, kept_jobs):
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    job = EstimatorV2(backend).run([(circuit, [["Z"], ["X"]], [0.1, 0.2])], precision=0.2)
    run = job.result().metadata["triplane"]["manifest"]
    chain = verify_run(run, kept_jobs).manifest.result["chain"]
    assert sorted(entry["name"].split(":")[0] for entry in chain.values()) == ["PUB 0, X", "PUB 0, Z"]
    lines = len(Ledger(kept_jobs).verify().entries)
    assert backend.job(job.job_id()).result().metadata["triplane"]["manifest"] == run
    assert len(Ledger(kept_jobs).verify().entries) == lines


def test_the_report_shows_the_chain_and_damage_to_it(backend, kept_jobs, decided):
    decided.measure_all()
    run = SamplerV2(backend).run([decided], shots=3).result().metadata["triplane"]["manifest"]
    console = Console(file=io.StringIO(), width=120)
    show(run, store=kept_jobs, console=console)
    text = console.file.getvalue()
    (entry,) = verify_run(run, kept_jobs).manifest.result["chain"].values()
    for name in entry["levels"]:
        assert name[:8] in text
    assert "PUB 0: decided" in text
    assert "parts[0].shots" in text
    assert "cables and converters" in text
    path = kept_jobs.path(entry["levels"][2])
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CorruptObjectError):
        show(run, store=kept_jobs, console=console)
    assert "DAMAGED" in console.file.getvalue()


def test_the_report_ends_with_what_came_of_it(backend, kept_jobs):
    circuit, turned = QuantumCircuit(2, 2), QuantumCircuit(1)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    turned.ry(Parameter("theta"), 0)
    swept = turned.measure_all(inplace=False)
    jobs = {
        "outcomes.10": backend.run([circuit, circuit], shots=30),
        "points 3": SamplerV2(backend).run([(swept, [0.1, 0.2, 0.3])], shots=5),
        "stds": EstimatorV2(backend).run([(turned, "Z", [0.1])], precision=0.3),
    }
    results = {}
    for words, job in jobs.items():
        job.result()
        console = Console(file=io.StringIO(), width=120)
        show(job.manifest, store=kept_jobs, console=console)
        table = " ".join(console.file.getvalue().split("figure")[1].split())
        assert f"parts[0].{words}" in table
        results[words] = verify_run(job.manifest, kept_jobs).manifest.result["parts"]
    assert results["outcomes.10"] == [{"points": 1, "shots": 30, "outcomes": {"10": 1.0}}] * 2
    assert results["points 3"] == [{"points": 3, "shots": 5}]


def test_a_run_without_figures_has_no_table_of_them(backend, kept_jobs):
    job = backend.run([])
    job.result()
    console = Console(file=io.StringIO(), width=120)
    show(job.manifest, store=kept_jobs, console=console)
    assert "figure" not in console.file.getvalue()


def test_runs_are_run_again_from_the_store_alone(backend, kept_jobs, decided):
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    measured = circuit.measure_all(inplace=False)
    jobs = (
        backend.run(decided, shots=20, seed_simulator=3),
        SamplerV2(backend, options={"seed_simulator": 3}).run([(measured, [0.3, 2.0])], shots=20),
        EstimatorV2(backend, options={"seed_simulator": 3}).run([(circuit, "Z", [0.3])], precision=0.3),
    )
    for job in jobs:
        job.result()
        compared = rerun(verify_run(job.manifest, kept_jobs), kept_jobs)
        assert len(compared) >= 5
        assert [each.name for each in compared if not each.same] == []
