# SPDX-License-Identifier: BSD-2-Clause
"""What users and boards ask the gate of a secured service, and what it answers: a header each, bytes in the body."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from nats.aio.msg import Msg
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triplane.host.scheduler.contracts import MAX_PAYLOAD_BYTES, PART_BYTES, Count, JobKey, Sha256, Text
from triplane.host.scheduler.errors import ContractError

HEADER = "Triplane"
MAX_HEADER_BYTES = 4_096

WAIT_S = 4.0
"""How long the gate keeps a question open for what may come."""

Operation = Literal[
    "write",
    "find",
    "changes",
    "put",
    "get",
    "why",
    "beat",
    "leave",
    "take",
    "done",
    "newest",
    "append",
    "filed",
]
Bucket = Literal["jobs", "boards"]


class Ask(BaseModel):
    """A question; what an operation has no use for stays at its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation: Operation
    bucket: Bucket = "jobs"
    key: JobKey | Literal[">", ""] = ""
    """Of a record; or all that are the asker's."""
    revision: Count = 0
    """To write on top of, or after which changes are wanted; of a ledger the number of its newest entry."""
    history: bool = False
    wait: bool = False
    """For changes, where there are none yet."""
    sha256: Sha256 | None = None
    part: Annotated[int, Field(ge=0, lt=MAX_PAYLOAD_BYTES // PART_BYTES)] = 0
    receipt: Annotated[str, Field(max_length=256)] = ""
    """Of a lease that was taken."""


class Answer(BaseModel):
    """The gate's. "later": ask again; "missing": there is none for the asker; "fenced": written by another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Literal["ok", "missing", "fenced", "refused", "later"] = "ok"
    reason: Text = ""
    revision: Count = 0
    told: bool = False
    """Nothing more is known now."""
    receipt: str = ""
    board: str = ""
    """On whose chain an entry is."""
    signer: str = ""
    """Whose key has signed it, as far as the service knows."""


class Told(BaseModel):
    """A change, in the body of an answer: a list of these."""

    key: str
    revision: int
    value: str


def header(model: BaseModel) -> dict[str, str]:
    """The header that carries a question or an answer."""
    return {HEADER: json.dumps(model.model_dump(mode="json", exclude_defaults=True))}  # ASCII, as headers are


def asked(message: Msg) -> Ask:
    """The question of a message.

    Raises:
        ContractError: it has none, or one that is not what it should be.
    """
    text = (message.headers or {}).get(HEADER, "")
    if not text or len(text) > MAX_HEADER_BYTES:
        raise ContractError("a question needs its header, of at most 4 KiB")
    try:
        return Ask.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ContractError(
            f"question: {'.'.join(map(str, first['loc'])) or 'header'}: {first['msg']}"
        ) from error


def answered(message: Msg) -> Answer:
    """The answer of a message; raises pydantic's error where the gate is of another version."""
    return Answer.model_validate_json((message.headers or {}).get(HEADER, ""))
