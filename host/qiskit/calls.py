# SPDX-License-Identifier: BSD-2-Clause
"""What a job is asked for as bytes, for the wire and the store: JSON, circuits as QPY, arrays as .npy."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
from pydantic import Base64Bytes, BaseModel, ConfigDict, JsonValue, ValidationError
from qiskit import QuantumCircuit, qpy

from triplane.host.arrays import Array
from triplane.host.qiskit.archive import Request

MIN_QPY_VERSION = 13
"""The first that holds expressions as data; earlier ones are read by a parser that evaluates them."""

Kind = Literal["circuits", "sampler", "estimator"]


class CallError(ValueError):
    """Bytes that are no call, or of a version that is not read."""


class Call(BaseModel):
    """`archive.Request`; `circuits` is QPY."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    kind: Kind
    circuits: Base64Bytes
    settings: dict[str, JsonValue]
    arrays: dict[str, Base64Bytes]


def packed_call(request: Request) -> bytes:
    """A request as bytes."""
    stream = io.BytesIO()
    qpy.dump(list(request.circuits), stream)
    call = Call.model_construct(
        kind=cast(Kind, request.kind),
        circuits=stream.getvalue(),
        settings=request.settings,
        arrays={name: npy(array) for name, array in request.arrays.items()},
    )
    return call.model_dump_json().encode()


def call_of(data: bytes) -> Request:
    """The request in such bytes; raises CallError."""
    try:
        call = Call.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "call"
        raise CallError(f"no call of a primitive: {where}: {first['msg']}") from error
    return Request(call.kind, read_qpy(call.circuits), call.settings, unpacked(call.arrays))


def read_qpy(data: bytes) -> list[QuantumCircuit]:
    """Circuits of QPY of a version whose reader evaluates nothing; raises CallError for others."""
    if data[:6] != b"QISKIT" or len(data) < 7:
        raise CallError("the payload is no QPY")
    if data[6] < MIN_QPY_VERSION:
        raise CallError(
            f"QPY version {data[6]}; versions before {MIN_QPY_VERSION} are not read: "
            "save the circuit with Qiskit 1.3 or later"
        )
    return list(qpy.load(io.BytesIO(data)))


def npy(array: Any) -> bytes:
    """An array as the bytes of a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def unpacked(arrays: Mapping[str, bytes]) -> dict[str, Array]:
    """Arrays of .npy files by name; raises CallError."""
    try:
        return {name: np.load(io.BytesIO(data), allow_pickle=False) for name, data in arrays.items()}
    except ValueError as error:
        raise CallError(f"an array of the call is none: {error}") from error
