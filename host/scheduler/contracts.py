# SPDX-License-Identifier: BSD-2-Clause
"""The messages, as pydantic models: versioned, checked where they enter, JSON on the wire (`model_json_schema`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from triplane.host.scheduler.errors import ContractError

MAX_MESSAGE_BYTES = 64 * 1024
"""Of a record, a board's state, a lease."""

MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
"""Of a circuit, a program, a result."""

PART_BYTES = 128 * 1024
"""Of payloads and results in a secured service, in its messages and in its bucket."""

INLINE_BYTES = 2_048
"""Up to which a payload travels in its message; larger ones lie in the object store."""

MAX_SHOTS = 10_000_000
"""Of a job."""

MAX_ATTEMPTS = 5
"""Starts of one job, after which it has failed: a job that ends its agents must not end all of them."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
JobKey = Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]{1,64}\.)?[A-Za-z0-9_-]{1,64}$")]
"""Name of a job; in a secured service USER.NAME."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Probability = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(max_length=1_000)]
Feature = Literal["control", "circuits"]
Kind = Literal["control", "program", "qasm3", "qpy", "sampler", "estimator"]
Model = TypeVar("Model", bound=BaseModel)
_names = TypeAdapter(Name)
_keys = TypeAdapter(JobKey)


class State(StrEnum):
    """Of a job. The last three are final: no record with one of them is ever written over."""

    QUEUED = "queued"
    HELD = "held"
    LEASED = "leased"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


class Part(BaseModel):
    """Of a message: no field that it does not name, none that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Payload(Part):
    """Bytes by their SHA-256: here, or in the object store under that name."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=MAX_PAYLOAD_BYTES)]
    inline: Annotated[Base64Bytes, Field(max_length=INLINE_BYTES)] | None = None


class Needs(Part):
    """What a job asks of a board, and what its fidelity is estimated from."""

    qubits: Count = 0
    one_qubit_gates: Count = 0
    two_qubit_gates: Count = 0
    readouts: Count = 0
    duration_us: Annotated[float, Field(ge=0)] = 0.0
    """Of a shot."""
    minimum_fidelity: Probability | None = None


class Session(Part):
    """A window in which a board is one person's: from the first job of that name until nothing came for a while."""

    name: Name
    idle_timeout_s: Annotated[float, Field(gt=0, le=3_600)] = 60.0


class Request(Part):
    """What somebody submits."""

    version: Literal[1] = 1
    user: Name
    name: Text = ""
    kind: Kind
    payload: Payload
    shots: Annotated[int, Field(ge=1, le=MAX_SHOTS)] = 1_024
    memory: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """Of an emulator behind a simulated board."""
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    due: Annotated[float, Field(ge=0)] | None = None
    """Unix time, s, by which it should have ended; of jobs of one priority the earliest is first."""
    board: Name | None = None
    """Only this one."""
    batch: Name | None = None
    """Jobs of one batch follow each other on a board."""
    session: Session | None = None
    needs: Needs = Needs()

    @model_validator(mode="after")
    def _is_one_mode(self) -> Request:
        if self.batch and self.session:
            raise ValueError("a job is of a batch or of a session, not of both")
        return self


class Manifest(Part):
    """What a result was made of."""

    job: JobKey
    lease: Count
    """Revision of the record by which the board was leased: the fencing token."""
    user: Name
    payload: Sha256
    result: Sha256
    board: Name
    instance: Name
    url: Text
    gateware: str
    software: str
    began: float
    ended: float


class Outcome(Part):
    """A result, never without its manifest."""

    result: Payload
    manifest: Manifest
    run: Sha256
    """Of the signed manifest in the ledger, which was written before."""
    entry: Count = 0
    """Number of its entry in the stream of the ledger; records of earlier versions have none."""

    @model_validator(mode="after")
    def _belong_together(self) -> Outcome:
        if self.manifest.result != self.result.sha256:
            raise ValueError("the manifest names another result")
        return self


class Record(Part):
    """All that is known of a job. Each revision is a decision, with its reason."""

    version: Literal[1] = 1
    request: Request
    state: State
    reason: Text
    by: Text
    at: float
    """Unix time, s; for people, nothing is decided by it."""
    board: Name | None = None
    instance: Name | None = None
    lease: Count | None = None
    """Revision by which the board was leased, once it runs."""
    attempts: Annotated[int, Field(ge=0, le=MAX_ATTEMPTS)] = 0
    outcome: Outcome | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Record:
        if (self.state is State.DONE) != (self.outcome is not None):
            raise ValueError(f"a job has a result exactly when it is done, not {self.state}")
        if self.state in (State.LEASED, State.RUNNING) and not (self.board and self.instance):
            raise ValueError(f"a {self.state} job has a board and an agent")
        return self


class Lease(Part):
    """A job for an agent: the record, and the revision that it has while the lease holds."""

    version: Literal[1] = 1
    job: JobKey
    revision: Count
    record: Record


class BoardState(Part):
    """What an agent says of its board, every second."""

    version: Literal[1] = 1
    name: Name
    instance: Name
    """Of the agent's process: another one means that the earlier is gone."""
    url: Text
    features: tuple[Feature, ...]
    qubits: Count = 0
    depth: Annotated[int, Field(ge=1, le=256)] = 2
    """Jobs that may be leased at a time: one runs, the others save it a wait."""
    device: str = ""
    one_qubit_error: Probability = 0.0
    two_qubit_error: Probability = 0.0
    readout_error: Probability = 0.0
    coherence_us: Annotated[float, Field(gt=0)] | None = None
    """The shortest T2; a shot that lasts longer is refused."""


class Window(Part):
    """A session that has a board."""

    version: Literal[1] = 1
    board: Name
    session: Session
    user: Name
    open: bool
    reason: Text


def checked_request(**fields: Any) -> Request:
    """A request of what somebody has typed.

    Raises:
        ContractError: a field is out of range; the text names it.
    """
    try:
        return Request(**fields)
    except ValidationError as error:
        raise ContractError(told("request", error)) from error


def checked_name(name: str) -> str:
    """A name of a user or a board that somebody has typed; raises ContractError where it is none."""
    try:
        return _names.validate_python(name)
    except ValidationError as error:
        raise ContractError(f"{name!r} is no name: letters, digits, _ and -, at most 64") from error


def checked_key(job: str) -> str:
    """A job's name that somebody has typed or written; raises ContractError where it is none."""
    try:
        return _keys.validate_python(job)
    except ValidationError as error:
        raise ContractError(
            f"{job[:80]!r} is no name of a job: letters, digits, _ and -, at most 64, or USER.NAME"
        ) from error


def encode(model: BaseModel) -> bytes:
    """JSON of a message.

    Raises:
        ContractError: it is larger than messages may be.
    """
    data = model.model_dump_json(exclude_defaults=True).encode()
    if len(data) > MAX_MESSAGE_BYTES:
        raise ContractError(
            f"{type(model).__name__} has {len(data)} bytes; {MAX_MESSAGE_BYTES} are the most of a message"
        )
    return data


def decode(model: type[Model], data: bytes) -> Model:
    """A message of JSON.

    Raises:
        ContractError: it is too large, no JSON, or a field is missing, unknown or out of range; the text names it.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise ContractError(
            f"{model.__name__} has {len(data)} bytes; {MAX_MESSAGE_BYTES} are the most of a message"
        )
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise ContractError(told(model.__name__, error)) from error


def told(what: str, error: ValidationError) -> str:
    """The first thing that is wrong with a message, with its place."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "message"
    return f"{what}: {where}: {first['msg']}"
