# SPDX-License-Identifier: BSD-2-Clause
"""What came of a call of Qiskit's primitives, on the wire: JSON, arrays as .npy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Base64Bytes, BaseModel, ConfigDict, JsonValue, ValidationError

from triplane.host.qiskit.archive import Piece, Request
from triplane.host.qiskit.calls import npy, unpacked
from triplane.host.qiskit.estimator import EstimatorTask
from triplane.host.qiskit.sampler import SamplerTask
from triplane.host.qiskit.task import Task
from triplane.host.scheduler.contracts import MAX_SHOTS, told
from triplane.host.scheduler.errors import ContractError

TASKS: dict[str, type[Task]] = {"sampler": SamplerTask, "estimator": EstimatorTask}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PartResult(_Part):
    """`archive.Piece`."""

    metadata: dict[str, JsonValue]
    arrays: dict[str, Base64Bytes]


class Parts(_Part):
    """What came of all parts, and what the board's backend says of itself."""

    version: Literal[1] = 1
    parts: list[PartResult]
    about: dict[str, JsonValue]


def packed_parts(pieces: Sequence[Piece], about: Mapping[str, Any]) -> bytes:
    """What came of a call, as the result of a job."""
    parts = [
        PartResult.model_construct(
            metadata=piece.metadata, arrays={name: npy(array) for name, array in piece.arrays.items()}
        )
        for piece in pieces
    ]
    return Parts.model_construct(parts=parts, about=dict(about)).model_dump_json().encode()


def parts_of(result: bytes) -> tuple[list[Piece], dict[str, Any]]:
    """Pieces of a result, and what the board's backend has said.

    Raises:
        ContractError: it is no result of a call.
    """
    try:
        found = Parts.model_validate_json(result)
    except ValidationError as error:
        raise ContractError(told("Parts", error)) from error
    return [Piece(dict(part.metadata), unpacked(part.arrays)) for part in found.parts], dict(found.about)


def shots_of(request: Request) -> int:
    """Shots of all points, for the fair share; of an estimator as many as its precision takes without a pilot."""
    settings, total = request.settings, 0.0
    each = settings["shots"] if request.kind == "sampler" else [p**-2 for p in settings["precisions"]]
    for number, shots in enumerate(each):
        total += shots * float(np.prod(request.arrays[f"shape-{number}"]))
    return min(max(math.ceil(total), 1), MAX_SHOTS)
