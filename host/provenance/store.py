# SPDX-License-Identifier: BSD-2-Clause
"""Bytes under their SHA-256: `objects/ab/cdef...`, written once, hashed again on every read."""

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import platformdirs
from pydantic import ValidationError

from triplane.host.files import READ_ONLY, written_whole
from triplane.host.provenance.canonical import sha256
from triplane.host.provenance.errors import (
    CorruptObjectError,
    MissingObjectError,
    ProvenanceError,
    SignatureError,
    StoreWriteError,
)
from triplane.host.provenance.signing import Signature, Signer

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
"""Files are hashed and copied in pieces of this size: a record stream may be larger than memory."""


def default_root() -> Path:
    """Folder of a person's evidence: $TRIPLANE_HOME, or the user's data folder."""
    override = os.environ.get("TRIPLANE_HOME")
    return Path(override) if override else Path(platformdirs.user_data_dir("triplane"))


class Store:
    """Objects named by the SHA-256 of their bytes (64 lower-case hex digits).

    Any number of processes may put and get at once: an object appears whole, by rename, and two writers of one name
    write the same bytes.

    path: folder of the store; made when the first object is put. None takes `default_root()`.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.root = default_root() if path is None else Path(path)

    def path(self, name: str) -> Path:
        """File of an object, there or not; raises ProvenanceError where `name` is not a hash."""
        if not re.fullmatch("[0-9a-f]{64}", name):
            raise ProvenanceError(f"object {name!r} is not a SHA-256: 64 lower-case hex digits are needed")
        return self.root / "objects" / name[:2] / name[2:]

    def __contains__(self, name: str) -> bool:
        return self.path(name).is_file()

    def check_writable(self) -> None:
        """Write a file and delete it again; raises StoreWriteError where an object could not be put."""
        try:
            for folder in (self.root, self.root / "objects"):
                folder.mkdir(parents=True, exist_ok=True)
                with written_whole(folder) as (file, _):
                    file.write(b"can be written")
        except OSError as error:
            raise StoreWriteError.of(self.root, error) from error

    def put(self, data: bytes) -> str:
        """Keep bytes; returns their SHA-256. Putting what is there already writes nothing."""
        name = sha256(data)
        if not self._is_kept(name):
            folder = self._folder(name)
            with written_whole(folder) as (file, destinations):
                file.write(data)
                destinations.append((self.path(name), READ_ONLY))
        return name

    def put_file(self, path: str | os.PathLike[str]) -> tuple[str, int]:
        """Keep a copy of a file; returns (SHA-256, bytes). The copy is of exactly what was hashed."""
        with Path(path).open("rb") as source:
            name = _digest(source)
            size = source.tell()
            if self._is_kept(name):
                return name, size
            source.seek(0)
            digest = hashlib.sha256()
            with written_whole(self._folder(name)) as (file, destinations):
                for chunk in _chunks(source):
                    digest.update(chunk)
                    file.write(chunk)
                if digest.hexdigest() != name:
                    raise ProvenanceError(
                        f"{path}: changed while it was copied; run again when nothing writes to it"
                    )
                destinations.append((self.path(name), READ_ONLY))
        return name, size

    def get(self, name: str) -> bytes:
        """The bytes of an object.

        Raises MissingObjectError, or CorruptObjectError where they do not hash to its name.
        """
        path = self.path(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise self._missing(name) from None
        if (found := sha256(data)) != name:
            raise _corrupt(name, path, found)
        return data

    def verify(self, name: str) -> int:
        """Hash an object without holding it in memory; returns its size in bytes. Raises as `get` does."""
        path = self.path(name)
        try:
            with path.open("rb") as file:
                found, size = _digest(file), file.tell()
        except FileNotFoundError:
            raise self._missing(name) from None
        if found != name:
            raise _corrupt(name, path, found)
        return size

    def sign(self, run: str) -> None:
        """Keep a signature of a run by the store's own key."""
        self.keep_signature(run, Signer.of_store(self.root).sign(run))

    def keep_signature(self, run: str, signature: Signature) -> None:
        """Keep the signature of a run, in place of one that is there."""
        path = self._signature_path(run)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path.parent) as (file, destinations):
            file.write(signature.model_dump_json().encode())
            destinations.append((path, READ_ONLY))

    def signature(self, run: str) -> Signature | None:
        """The signature of a run; None where there is none, as of runs of earlier versions.

        Raises SignatureError where the file holds none.
        """
        path = self._signature_path(run)
        if not path.is_file():
            return None
        try:
            return Signature.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise SignatureError(f"{path} is no signature; restore it from a backup") from error

    def _signature_path(self, run: str) -> Path:
        self.path(run)  # refuses what is no hash
        return self.root / "signatures" / f"{run}.json"

    def names(self) -> Iterator[str]:
        """Names of all objects, in no particular order; unfinished and damaged leftovers are none."""
        for path in (self.root / "objects").glob("[0-9a-f][0-9a-f]/*"):
            if re.fullmatch("[0-9a-f]{62}", path.name):
                yield path.parent.name + path.name

    def _folder(self, name: str) -> Path:
        folder = self.path(name).parent
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _is_kept(self, name: str) -> bool:
        """Whether a good copy is there. A damaged one is moved aside, not trusted: the right bytes are at hand."""
        try:
            self.verify(name)
        except MissingObjectError:
            return False
        except CorruptObjectError as error:
            aside = self.path(name).with_suffix(".corrupt")
            self.path(name).replace(aside)
            logger.warning("%s; it is written anew, the damaged file is kept as %s", error, aside)
            return False
        return True

    def _missing(self, name: str) -> MissingObjectError:
        return MissingObjectError(
            f"object {name} is not in {self.root}; set TRIPLANE_HOME to the store that has it, "
            f"or copy it from a backup to {self.path(name)}"
        )


def _corrupt(name: str, path: Path, found: str) -> CorruptObjectError:
    return CorruptObjectError(
        f"object {name} is damaged: {path} hashes to {found}; restore that file from a backup, or delete it "
        "and run again with the same input, and do not use results that rest on it"
    )


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(file):
        digest.update(chunk)
    return digest.hexdigest()
