# SPDX-License-Identifier: BSD-2-Clause
"""Evidence of a job: its circuits at all levels, the device, what was asked for, and what came of it, as one run.

Levels are objects named `circuit.0.qpy`, `transpiled.0.qpy`, `scheduled.0.json`, `program.0.tasm` of the manifest, and
`result["chain"]` says which was made of which, so that `triplane report` can show it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from triplane.hal.device import ADC_HZ
from triplane.host.compiler.circuits import CompiledCircuit
from triplane.host.compiler.circuits.timing import DISCRIMINATE, GENERATOR, WINDOW
from triplane.host.provenance import RunRecorder, Store
from triplane.host.provenance.canonical import canonical, sha256
from triplane.host.qiskit.archive import Piece, Request
from triplane.host.qiskit.calls import npy, packed_call

if TYPE_CHECKING:
    from triplane.host.qiskit.backend import TriplaneBackend

MOST_SHOWN = 4
"""Outcomes or values of a part in the result of its run."""

LEVELS = ("circuit.qpy", "transpiled.qpy", "scheduled.json", "program.tasm")
"""From what was given to what was played; each is made of the one before."""


def record(
    backend: TriplaneBackend,
    job_id: str,
    request: Request,
    compiled: Mapping[str, CompiledCircuit],
    pieces: Sequence[Piece],
    store: Store,
) -> str:
    """File a job that has ended; returns the run's id, for `triplane report`. Arguments as of `collect`, and a store.

    Raises:
        StoreWriteError: the store cannot be written.
        CorruptLedgerError: its ledger is damaged.
    """
    recorder = RunRecorder(sys.argv or ["python"], store)
    return recorder.commit(collect(recorder, backend, job_id, request, compiled, pieces))


def collect(
    recorder: RunRecorder,
    backend: TriplaneBackend,
    job_id: str,
    request: Request,
    compiled: Mapping[str, CompiledCircuit],
    pieces: Sequence[Piece],
) -> dict[str, Any]:
    """Hand what a job was made of to a recorder; returns the run's result.

    Args:
        recorder: of the run.
        backend: that ran it.
        job_id: its name.
        request: what it was asked for; it is `call.json`, by which the run can be made again.
        compiled: circuits that were played, by name.
        pieces: what came of its parts.
    """
    recorder.add_input("call.json", packed_call(request), source=f"job {job_id}")
    recorder.add_input(
        "device.json", backend.device.model_dump_json(indent=1).encode(), source=backend.device.name
    )
    if backend.snapshot is not None:
        content = canonical(backend.snapshot.model_dump(mode="json"))
        recorder.add_input("snapshot.json", content, source=backend.device.name)
    emulated = backend.emulated
    if emulated is not None and emulated != backend.device:
        content = emulated.model_dump_json(indent=1).encode()
        recorder.add_input("emulated.json", content, source="behind the simulated board")
    for name, array in request.arrays.items():
        recorder.add_input(f"{name}.npy", npy(array), source=f"job {job_id}")
    chain = {}
    for number, (name, circuit) in enumerate(compiled.items()):
        levels = circuit.levels()
        for level in LEVELS:
            stem, _, kind = level.rpartition(".")
            add = recorder.add_input if level == LEVELS[0] else recorder.add_output
            add(f"{stem}.{number}.{kind}", levels[level], source=name)
        chain[str(number)] = {
            "name": name,
            "levels": [sha256(levels[level]) for level in LEVELS],
            "shot_us": circuit.estimate.duration_us,
            "feed_forward": len(circuit.estimate.feed_forward),
        }
    for number, piece in enumerate(pieces):
        for name, array in piece.arrays.items():
            recorder.add_output(f"{name}.{number}.npy", npy(array), source=f"part {number}")
        content = json.dumps(piece.metadata, indent=1).encode()
        recorder.add_output(f"part.{number}.json", content, source=f"part {number}")
    options = {name: value for name, value in vars(backend.compiler_options).items() if value is not None}
    seed = request.settings.get("seed", request.settings.get("seed_simulator"))
    recorder.set(
        model=backend.device.name,
        # Unknown where all parts were made by a process that died before it could file them
        gateware={"build_hash": backend.origin.get("gateware")},
        seeds={} if seed is None else {"emulator": int(seed)},
        parameters={"job": job_id, "kind": request.kind, "settings": request.settings, "compiler": options},
    )
    result = {"chain": chain, "slowest_decision": latencies(compiled.values())}
    return result | ({"parts": [summary(piece) for piece in pieces]} if pieces else {})


def summary(piece: Piece) -> dict[str, Any]:
    """What came of a part in a few figures, for people; all of it is among the run's outputs.

    Points and shots of each; for a single point also the shares of its most frequent outcomes, bit 0 on the right. Of
    an estimator the first of its values, with their standard errors.
    """
    if "evs" in piece.arrays:
        kept = {name: piece.arrays[name].ravel()[:MOST_SHOWN].tolist() for name in ("evs", "stds")}
        return {"values": piece.arrays["evs"].size, "shots": piece.metadata["shots"]} | kept
    bits = piece.arrays["bits"]
    bits = bits if bits.ndim == 3 else bits[np.newaxis]
    found: dict[str, Any] = {"points": len(bits), "shots": bits.shape[1]}
    if len(bits) == 1 and bits.shape[2]:
        rows, counts = np.unique(bits[0], axis=0, return_counts=True)
        most = np.argsort(-counts, kind="stable")[:MOST_SHOWN]
        found["outcomes"] = {
            "".join(map(str, rows[k, ::-1].astype(int))): counts[k] / bits.shape[1] for k in most
        }
    return found


def latencies(compiled: Iterable[CompiledCircuit]) -> list[dict[str, Any]]:
    """The way from a CAPTURE to the slowest decision's first event and its first sample, stage by stage.

    Cycles are those of the gateware, simulated; the time in cables and converters is the device's, and assumed.
    """
    decisions = [
        decision for each in compiled for decision in each.estimate.feed_forward if decision.waits_for_result
    ]
    if not decisions:
        return []
    slowest = max(decisions, key=lambda decision: decision.wait_cycles)
    outside = slowest.wait_cycles - slowest.latency_cycles - DISCRIMINATE - WINDOW - GENERATOR
    clock_hz = ADC_HZ
    stages = (
        ("generate the readout's first sample", GENERATOR, "simulated"),
        ("cables and converters", outside, "assumed"),
        ("readout window", WINDOW, "simulated"),
        ("discriminate", DISCRIMINATE, "simulated"),
        ("decide", slowest.latency_cycles, "simulated"),
        ("generate the first sample of the action", GENERATOR, "simulated"),
    )
    return [
        {"stage": stage, "cycles": cycles, "ns": round(cycles / clock_hz * 1e9, 2), "kind": kind}
        for stage, cycles, kind in stages
    ]
