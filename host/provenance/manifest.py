# SPDX-License-Identifier: BSD-2-Clause
"""The manifest of a run: everything that its result depends on, and the result."""

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from triplane.host.provenance.canonical import canonical, parse, sha256
from triplane.host.provenance.errors import ManifestError

SCHEMA_VERSION = 1

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Artefact(_Strict):
    """An object of the store that a run read or made.

    sha256: its name in the store. bytes: its size. source: path or description of where it came from.
    """

    sha256: Sha256
    bytes: int = Field(ge=0)
    source: str


class Commit(_Strict):
    """State of the checkout that the run was started from; dirty: with changes that no commit has."""

    commit: str = Field(pattern="^[0-9a-f]{40,64}$")
    dirty: bool


class Manifest(_Strict):
    """What a run was made of. Its id is the SHA-256 of its canonical JSON.

    created: UTC, ISO 8601. command: as typed, one item per argument. inputs, outputs: name -> object.
    model: name of the error model. tables: hashes of what was loaded into the board. gateware: build hash and what
    belongs to it. packages: every installed distribution -> version. host: Python, platform. git: None outside a
    checkout. seeds: name -> seed. parameters: options with their defaults filled in. result: as `--json` writes it.
    """

    schema_version: Literal[1] = 1
    created: str
    command: list[str]
    inputs: dict[str, Artefact]
    outputs: dict[str, Artefact]
    model: str | None
    tables: dict[str, JsonValue]
    gateware: dict[str, JsonValue]
    packages: dict[str, str]
    host: dict[str, JsonValue]
    git: Commit | None
    seeds: dict[str, int]
    parameters: dict[str, JsonValue]
    result: dict[str, JsonValue]

    @field_validator("created")
    @classmethod
    def _is_utc(cls, value: str) -> str:
        if datetime.datetime.fromisoformat(value).utcoffset() != datetime.timedelta(0):
            raise ValueError(f"created must be a UTC time, not {value}")
        return value

    def to_bytes(self) -> bytes:
        """Canonical JSON: what is kept, and what the id is the hash of."""
        return canonical(self.model_dump(), "manifest")

    @property
    def run(self) -> str:
        """The run's id."""
        return sha256(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, run: str) -> "Manifest":
        """Read a manifest; `run` names it in the ManifestError that is raised where it does not follow the schema."""
        try:
            content = parse(data)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"run {run}: object is not a manifest ({error})") from error
        version = content.get("schema_version") if isinstance(content, dict) else None
        if version != SCHEMA_VERSION:
            raise ManifestError(
                f"run {run}: manifest has schema version {version}, this Triplane reads {SCHEMA_VERSION}; "
                "use the version of Triplane that wrote it"
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ManifestError(f"run {run}: manifest's {where}: {first['msg']}") from error
