# SPDX-License-Identifier: BSD-2-Clause
"""Calls of Qiskit's primitives on the wire: what is asked for, and what came of each part. JSON, arrays as .npy."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
from pydantic import Base64Bytes, BaseModel, ConfigDict, JsonValue, ValidationError
from qiskit import qpy

from triplane.host.qiskit.archive import Array, Piece, Request
from triplane.host.qiskit.estimator import EstimatorTask
from triplane.host.qiskit.evidence import npy
from triplane.host.qiskit.sampler import SamplerTask
from triplane.host.qiskit.task import Task
from triplane.host.scheduler.contracts import MAX_SHOTS, Model, told
from triplane.host.scheduler.errors import ContractError
from triplane.host.scheduler.runners import circuits_of

TASKS: dict[str, type[Task]] = {"sampler": SamplerTask, "estimator": EstimatorTask}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Call(_Part):
    """What a primitive was asked for: `archive.Request`; `circuits` is QPY."""

    version: Literal[1] = 1
    kind: Literal["sampler", "estimator"]
    circuits: Base64Bytes
    settings: dict[str, JsonValue]
    arrays: dict[str, Base64Bytes]


class PartResult(_Part):
    """`archive.Piece`."""

    metadata: dict[str, JsonValue]
    arrays: dict[str, Base64Bytes]


class Parts(_Part):
    """What came of all parts, and what the board's backend says of itself."""

    version: Literal[1] = 1
    parts: list[PartResult]
    about: dict[str, JsonValue]


def packed_call(request: Request) -> bytes:
    """A request of a sampler or an estimator as the payload of a job."""
    stream = io.BytesIO()
    qpy.dump(list(request.circuits), stream)
    call = Call.model_construct(
        kind=cast(Literal["sampler", "estimator"], request.kind),
        circuits=stream.getvalue(),
        settings=request.settings,
        arrays=_packed(request.arrays),
    )
    return call.model_dump_json().encode()


def call_of(payload: bytes) -> Request:
    """The request in a payload.

    Raises:
        ContractError: it is none, or its circuits are of a version that is not read.
    """
    call = _checked(Call, payload)
    circuits = circuits_of("qpy", call.circuits)
    return Request(call.kind, circuits, call.settings, _unpacked(call.arrays))


def packed_parts(pieces: Sequence[Piece], about: Mapping[str, Any]) -> bytes:
    """What came of a call, as the result of a job."""
    parts = [
        PartResult.model_construct(metadata=piece.metadata, arrays=_packed(piece.arrays)) for piece in pieces
    ]
    return Parts.model_construct(parts=parts, about=dict(about)).model_dump_json().encode()


def parts_of(result: bytes) -> tuple[list[Piece], dict[str, Any]]:
    """Pieces of a result, and what the board's backend has said.

    Raises:
        ContractError: it is no result of a call.
    """
    found = _checked(Parts, result)
    pieces = [Piece(dict(part.metadata), _unpacked(part.arrays)) for part in found.parts]
    return pieces, dict(found.about)


def shots_of(request: Request) -> int:
    """Shots of all points, for the fair share; of an estimator as many as its precision takes without a pilot."""
    settings, total = request.settings, 0.0
    each = settings["shots"] if request.kind == "sampler" else [p**-2 for p in settings["precisions"]]
    for number, shots in enumerate(each):
        total += shots * float(np.prod(request.arrays[f"shape-{number}"]))
    return min(max(math.ceil(total), 1), MAX_SHOTS)


def _checked(model: type[Model], data: bytes) -> Model:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise ContractError(told(model.__name__, error)) from error


def _packed(arrays: Mapping[str, Array]) -> dict[str, bytes]:
    return {name: npy(array) for name, array in arrays.items()}


def _unpacked(arrays: Mapping[str, bytes]) -> dict[str, Array]:
    try:
        return {name: np.load(io.BytesIO(data), allow_pickle=False) for name, data in arrays.items()}
    except ValueError as error:
        raise ContractError(f"an array of the call is none: {error}") from error
