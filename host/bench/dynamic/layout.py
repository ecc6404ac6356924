# SPDX-License-Identifier: BSD-2-Clause
"""Rows of `bench circuits` on a device whose qubits differ: layouts that know its calibration, and others."""

from __future__ import annotations

import functools
from collections import Counter

from qiskit import QuantumCircuit, transpile
from qiskit.transpiler import InstructionProperties, Target

from triplane.hal.device import Device, load_device
from triplane.host.bench.dynamic.noise import beyond_sampling
from triplane.host.bench.dynamic.suite import active_reset, bell, outcomes, switched, teleportation
from triplane.host.bench.registry import BenchContext
from triplane.host.compiler.circuits import Options
from triplane.host.compiler.circuits.target import device_target
from triplane.host.qiskit import TriplaneBackend
from triplane.host.replay.progress import ProgressView

SEED = 2026
DEVICE = "line5"
BAD = {0: 6.0, 1: 5.0}
"""Qubit -> T1, us; T2 is the same."""

SHOTS, QUICK_SHOTS = 4_000, 400
REFERENCE_SHOTS = 100_000
CIRCUITS = {
    "Bell pair": bell,
    "teleportation": teleportation,
    "active reset": active_reset,
    "switch": switched,
}


def skewed() -> Device:
    """The device, with a bad end."""
    described = load_device(DEVICE).model_dump()
    for qubit, t1_us in BAD.items():
        described["qubits"][qubit].update(t1_us=t1_us, t2_us=t1_us)
    return Device.model_validate(described)


def without_errors(target: Target) -> Target:
    """A target that has durations, and does not know which qubits are bad."""
    blind = Target(num_qubits=target.num_qubits, dt=target.dt)
    for name in target.operation_names:
        operation = target.operation_from_name(name)
        if isinstance(operation, type):
            blind.add_instruction(operation, name=name)
            continue
        properties = {
            qubits: InstructionProperties(duration=each.duration) if each else None
            for qubits, each in target[name].items()
        }
        blind.add_instruction(operation, properties, name=name)
    return blind


def blind_layout(circuit: QuantumCircuit, device: Device) -> tuple[int, ...]:
    """Qubits of the device that the pass manager takes where it does not know their errors."""
    mapped = transpile(
        circuit,
        target=without_errors(device_target(device)),
        optimization_level=Options().optimization_level,
        seed_transpiler=0,
    )
    return tuple(mapped.layout.initial_index_layout(filter_ancillas=True))


def layouts(ctx: BenchContext, view: ProgressView, command: str) -> None:
    """How far from ideal circuits are where the layout knows what is bad, and where it does not."""
    device = skewed()
    shots = QUICK_SHOTS if ctx.quick else SHOTS
    counter = view.count("layouts on a skewed device", len(CIRCUITS), unit="circuits")
    times = "/".join(f"{t1_us:g}" for t1_us in BAD.values())
    for number, (name, make) in enumerate(CIRCUITS.items()):
        ideal = outcomes(make(), REFERENCE_SHOTS)
        far = {}
        for kind, layout in (("aware", None), ("blind", blind_layout(make(), device))):
            options = Options(initial_layout=layout)
            with TriplaneBackend(
                device, options=options, seed=SEED, record_jobs=False, progress=view.build
            ) as backend:
                job = backend.run(make(), shots=shots, memory=True, seed_simulator=SEED)
                found = Counter(int(value.replace(" ", ""), 2) for value in job.result().get_memory())
            far[kind], sampled = beyond_sampling(found, ideal)
            far[kind] -= sampled
        work = f"{name}, {shots:,} shots, {DEVICE} with T1 of qubits {', '.join(map(str, BAD))} at {times} us"
        row = functools.partial(ctx.row, work=work, unit="", goal=None, command=command)
        measure = "total variation from ideal beyond sampling's, layout by {}"
        row(measure=measure.format("calibration"), value=far["aware"])
        row(measure=measure.format("couplings alone"), value=far["blind"])
        row(measure="farther without calibration", value=far["blind"] - far["aware"], goal="> 0")
        counter.to(number + 1)
