# SPDX-License-Identifier: BSD-2-Clause
"""Jobs on disk: what was asked for, and each finished part, so that a job outlives the process that began it.

A job is a folder: `job.json` says what kind it is, `inputs.qpy` and `inputs.npz` hold circuits and numbers,
`part-K.json` and `part-K.npz` what came of a part, `manifest` the id of the run that it was filed as. Only classical
state is kept: a part that was in the middle is made anew.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit, qpy

from triplane.host.arrays import Array, npz, read_npz
from triplane.host.outputs import write_whole


class UnknownJobError(LookupError):
    """There is no job of that name."""


@dataclass(frozen=True)
class Piece:
    """What came of a part of a job.

    Attributes:
        metadata: as JSON takes it.
        arrays: by name.
    """

    metadata: dict[str, Any]
    arrays: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What a job was asked for.

    Attributes:
        kind: "circuits", "sampler" or "estimator".
        circuits: of its parts.
        settings: of all, as JSON takes them.
        arrays: by name.
    """

    kind: str
    circuits: Sequence[QuantumCircuit]
    settings: dict[str, Any]
    arrays: dict[str, Array] = field(default_factory=dict)


class Archive:
    """A folder of jobs.

    Args:
        root: the folder; made when it is needed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, job_id: str, request: Request) -> None:
        """Keep what a new job was asked for."""
        folder = self.root / job_id
        folder.mkdir(parents=True, mode=0o700)
        stream = io.BytesIO()
        if request.circuits:
            qpy.dump(list(request.circuits), stream)
        write_whole(folder / "inputs.qpy", stream.getvalue())
        write_whole(folder / "inputs.npz", npz(request.arrays))
        # Last: a job that has it is whole
        write_whole(folder / "job.json", _json({"kind": request.kind, "settings": request.settings}))

    def request(self, job_id: str) -> Request:
        """What a job was asked for.

        Raises:
            UnknownJobError: there is none of that name.
        """
        folder = self.root / job_id
        if not re.fullmatch(r"[\w-]+", job_id) or not (folder / "job.json").is_file():
            raise UnknownJobError(
                f"there is no job {job_id!r} in {self.root}; set TRIPLANE_HOME to the folder that has it"
            )
        described = json.loads((folder / "job.json").read_bytes())
        content = (folder / "inputs.qpy").read_bytes()
        circuits = qpy.load(io.BytesIO(content)) if content else []
        return Request(described["kind"], circuits, described["settings"], read_npz(folder / "inputs.npz"))

    def jobs(self) -> list[str]:
        """All of them, the newest first."""
        found = list(self.root.glob("*/job.json"))
        return [path.parent.name for path in sorted(found, key=lambda p: p.stat().st_mtime_ns, reverse=True)]

    def keep(self, job_id: str, number: int, piece: Piece) -> None:
        """Keep a finished part."""
        folder = self.root / job_id
        write_whole(folder / f"part-{number}.npz", npz(piece.arrays))
        write_whole(folder / f"part-{number}.json", _json(piece.metadata))

    def keep_manifest(self, job_id: str, run: str) -> None:
        """Keep the id of the run that a job was filed as."""
        write_whole(self.root / job_id / "manifest", run.encode())

    def manifest(self, job_id: str) -> str | None:
        """That id; None where the job was not filed yet."""
        path = self.root / job_id / "manifest"
        return path.read_text() if path.is_file() else None

    def piece(self, job_id: str, number: int) -> Piece | None:
        """A part, if it has ended."""
        path = self.root / job_id / f"part-{number}.json"
        if not path.is_file():
            return None
        return Piece(json.loads(path.read_bytes()), read_npz(path.with_suffix(".npz")))


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1).encode()
