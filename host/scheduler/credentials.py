# SPDX-License-Identifier: BSD-2-Clause
"""Who somebody is to a secured service: a file with the own key, and with the certificate to know the service by."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any, Literal

import nkeys  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_serializer

from triplane.host.provenance.signing import Signer
from triplane.host.scheduler.contracts import Name
from triplane.host.scheduler.errors import ServiceError

VARIABLE = "TRIPLANE_CREDENTIALS"
"""Environment variable that names the file."""

Role = Literal["user", "board", "service"]


class Credentials(BaseModel):
    """Content of the file; the seed is the secret, and nothing prints it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    role: Role
    name: Name
    seed: SecretStr = Field(repr=False)
    """Of the NKey."""
    authority: str
    """Certificate, PEM, that has signed the server's."""

    @field_serializer("seed", when_used="json")
    def _write_seed(self, seed: SecretStr) -> str:
        return seed.get_secret_value()

    @property
    def inbox(self) -> str:
        """Prefix of the subjects on which answers come; nobody else may listen there."""
        return "_INBOX" if self.role == "service" else f"_INBOX.{self.role}.{self.name}"

    @property
    def gate(self) -> str:
        """Subject of what is asked; nobody else may ask there."""
        return f"triplane.gate.{self.role}.{self.name}"

    @property
    def signer(self) -> Signer:
        """Signs runs, with a key that follows from the seed; the service knows its public part of boards."""
        _, secret = nkeys.decode_seed(self.seed.get_secret_value().encode())
        return Signer.derived(secret)

    def options(self) -> dict[str, Any]:
        """Of `nats.connect`."""
        return {
            "nkeys_seed_str": self.seed.get_secret_value(),
            "inbox_prefix": self.inbox,
            "tls": ssl.create_default_context(cadata=self.authority),
            "tls_handshake_first": True,
        }

    def write(self, file: Path) -> None:
        """Write a new file that only its owner reads.

        Raises:
            ServiceError: it is there already.
        """
        write_secret(file, self.model_dump_json(indent=2).encode())


def write_secret(file: Path, data: bytes) -> None:
    """Write a new file of mode 0600; raises ServiceError where it is there already."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ServiceError(f"{file} is there already; move it away, or name another") from None
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(data)


def read_credentials(file: Path) -> Credentials:
    """Credentials of a file.

    Raises:
        ServiceError: it is not there, is no such file, or others than its owner may read it.
    """
    try:
        if file.stat().st_mode & 0o077:
            raise ServiceError(f"{file} may be read by others; chmod 600 {file}")
        return Credentials.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ServiceError(f"credentials {file}: {error.strerror}") from error
    except ValidationError:
        raise ServiceError(f"{file} has no credentials; have them made: triplane access add") from None


def given_credentials(file: Path | None = None) -> Credentials | None:
    """Credentials of a file, or of the one that the environment names; None: neither."""
    named = file or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    return None if named is None else read_credentials(named)
