# SPDX-License-Identifier: BSD-2-Clause
"""Ed25519 signatures of runs: who has recorded one, whatever folder or server it was kept in since.

A signature is of the run's id, and so of everything that the id stands for. The key is made at first use:
`keys/signing.key` of the store, readable by its owner only. `keys/known` names other signers, one per line: the public
key, 64 hex digits, and a name. `Signer.public` is what to give to others for theirs.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Annotated, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, Field

from triplane.host.provenance.canonical import sha256
from triplane.host.provenance.errors import SignatureError

CONTEXT = b"triplane run "
"""Before the id: no signature for another purpose is ever one of a run."""


class Signature(BaseModel):
    """Of a run's id. key: public key, hex. value: signature, hex."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    value: Annotated[str, Field(pattern="^[0-9a-f]{128}$")]

    @property
    def fingerprint(self) -> str:
        """Of the key, for people: 16 hex digits of its SHA-256."""
        return sha256(bytes.fromhex(self.key))[:16]

    def check(self, run: str) -> None:
        """Raise SignatureError where it is not this key's signature of that run."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            key.verify(bytes.fromhex(self.value), CONTEXT + run.encode())
        except (InvalidSignature, ValueError) as error:
            raise SignatureError(
                f"run {run[:12]} is not signed by key {self.fingerprint}, as its signature says; do not use its results"
            ) from error


class Signer:
    """Who signs: by `of_store` a store's own key, by `derived` one that follows from another secret."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    @classmethod
    def of_store(cls, root: Path) -> Self:
        """That of the store in a folder; made at first use. Raises SignatureError where the file is no key."""
        path = root / "keys" / "signing.key"
        if not path.exists():
            _make(path)
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except ValueError as error:
            raise SignatureError(f"{path} is no key; restore it from a backup, or move it away") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise SignatureError(f"{path} is no Ed25519 key; move it away, and a new one is made")
        return cls(key)

    @classmethod
    def derived(cls, secret: bytes) -> Self:
        """Of a secret that has another purpose, by HKDF: whoever has the one signed by it learns nothing of the other.

        secret: 32 random bytes or more.
        """
        derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=CONTEXT)
        return cls(Ed25519PrivateKey.from_private_bytes(derivation.derive(secret)))

    def sign(self, run: str) -> Signature:
        """A signature of a run's id."""
        return Signature(key=self.public, value=self._key.sign(CONTEXT + run.encode()).hex())


def signer_name(signature: Signature, root: Path) -> str | None:
    """Who has the key of a signature, as the store knows: "this store", or a name of `keys/known`; None: nobody."""
    folder = root / "keys"
    if (folder / "signing.key").exists() and Signer.of_store(root).public == signature.key:
        return "this store"
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / "known").read_text().splitlines():
            key, _, name = line.partition(" ")
            if key == signature.key:
                return name.strip() or signature.fingerprint
    return None


def _make(path: Path) -> None:
    """A new key, whole or not at all; of two processes that make one the first has made it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    handle, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
