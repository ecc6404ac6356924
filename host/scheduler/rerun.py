# SPDX-License-Identifier: BSD-2-Clause
"""Runs a run again from what the store has of it, and compares. Knows runs of circuits, and programs of jobs."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from triplane.hal.device import Device
from triplane.host.provenance import RerunError, RunRecorder, Store, Verification
from triplane.host.provenance.manifest import Artefact
from triplane.host.scheduler.contracts import Payload, Request, decode
from triplane.host.scheduler.evidence import Objects
from triplane.host.scheduler.runners import ModelRunner, play_program

if TYPE_CHECKING:
    from triplane.host.qiskit import TriplaneBackend

Progress = Callable[[str], None]

LEFT_OUT = {"cycles", "waited_cycles", "levels"}
"""Of a part: how often the host looked is in the cycles, and the levels are outputs themselves."""


class Compared(NamedTuple):
    """An output of both runs.

    Attributes:
        name: in the manifest.
        before, after: SHA-256; None where a run has none of that name.
        same: whether they say the same.
        note: how far numbers are apart, where they are.
    """

    name: str
    before: str | None
    after: str | None
    same: bool
    note: str


def rerun(found: Verification, store: Store, progress: Progress | None = None) -> list[Compared]:
    """Run it again, circuits on a simulated board with the device emulated behind it, and compare all outputs.

    Args:
        found: the run, verified.
        store: that has its objects; nothing else is read.
        progress: called with a line of text as a simulated board is built.

    Raises:
        RerunError: objects are damaged or missing, or nothing here knows how to run it.
    """
    if found.problems:
        raise RerunError(f"run {found.run[:12]}: {next(iter(found.problems.values()))}")
    inputs = found.manifest.inputs
    before = found.manifest.outputs
    objects = Objects()
    recorder = RunRecorder(found.manifest.command, objects)
    if "call.json" in inputs:
        _play(found, store, recorder, progress)
        # It tells times and names of that job besides what the other outputs have.
        before = {name: each for name, each in before.items() if name != "result.json"}
    elif "request.json" in inputs and (
        "device.json" in inputs or found.manifest.gateware.get("build_hash") == ModelRunner.GATEWARE
    ):
        content = store.get(inputs["payload"].sha256)
        payload = Payload(sha256=inputs["payload"].sha256, size=len(content))
        asked = decode(Request, _with_payload(store.get(inputs["request.json"].sha256), payload))
        if "device.json" in inputs:
            with _backend(found, store, progress) as backend:
                ran = play_program(backend, asked, content, recorder)
        else:
            ran = ModelRunner().run(asked, content, lambda: None, recorder)
        recorder.add_output("result.json", ran.result)
    else:
        raise RerunError(
            f"run {found.run[:12]} is neither of circuits nor of a program of a job; its command was: "
            f"{shlex.join(found.manifest.command)}"
        )
    after = recorder.manifest({}).outputs
    names = [*before, *(name for name in after if name not in before)]
    return [_compared(name, before.get(name), after.get(name), store, objects) for name in names]


def _play(found: Verification, store: Store, recorder: RunRecorder, progress: Progress | None) -> None:
    from triplane.host.compiler.circuits import Options
    from triplane.host.qiskit.calls import call_of
    from triplane.host.qiskit.evidence import collect
    from triplane.host.qiskit.task import Circuits, Task
    from triplane.host.scheduler.primitives import TASKS

    inputs = found.manifest.inputs
    kinds: dict[str, type[Task]] = {"circuits": Circuits, **TASKS}
    request = call_of(store.get(inputs["call.json"].sha256))
    compiler: Any = found.manifest.parameters["compiler"]
    chosen: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in compiler.items()}
    with _backend(found, store, progress, options=Options(**chosen)) as backend:
        task = kinds[request.kind].of(backend, request)
        job = backend.submit(task)
        job.result()
        collect(recorder, backend, job.job_id(), request, task.compiled(), job.pieces)


def _backend(found: Verification, store: Store, progress: Progress | None, **options: Any) -> TriplaneBackend:
    """A simulated board for the device of a run, with what was behind the board then."""
    from triplane.host.qiskit import TriplaneBackend

    inputs = found.manifest.inputs
    device = Device.model_validate_json(store.get(inputs["device.json"].sha256))
    behind = inputs.get("emulated.json")
    emulated = None if behind is None else Device.model_validate_json(store.get(behind.sha256))
    return TriplaneBackend(device, emulated=emulated, record_jobs=False, progress=progress, **options)


def _with_payload(request: bytes, payload: Payload) -> bytes:
    return request[:-1] + b',"payload":' + payload.model_dump_json().encode() + b"}"


def _compared(
    name: str, before: Artefact | None, after: Artefact | None, store: Store, objects: Objects
) -> Compared:
    if before is None or after is None:
        hashes = [each.sha256 if each else None for each in (before, after)]
        return Compared(name, hashes[0], hashes[1], False, "one of them has none")
    old, new = store.get(before.sha256), objects.kept[after.sha256]
    same, note = old == new, ""
    if not same and name.endswith(".npy"):
        means = [float(np.load(io.BytesIO(data), allow_pickle=False).mean()) for data in (old, new)]
        note = f"means {means[0]:.4g} and {means[1]:.4g}"
    elif not same and name.startswith("part."):
        same = _kept(json.loads(old)) == _kept(json.loads(new))
        note = "but for what the host waited" if same else ""
    elif not same and name.endswith(".qpy"):
        from triplane.host.qiskit.calls import read_qpy

        # Qiskit does not write a circuit with the same bytes each time.
        same = read_qpy(old) == read_qpy(new)
        note = "the same circuit in other bytes" if same else ""
    return Compared(name, before.sha256, after.sha256, same, note)


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _kept(item) for name, item in value.items() if name not in LEFT_OUT}
    return [_kept(item) for item in value] if isinstance(value, list) else value
