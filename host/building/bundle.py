# SPDX-License-Identifier: BSD-2-Clause
"""A bundle: all that a board is given and all that a host must know of it, in a folder with a manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triplane.hal.descriptor import Descriptor, load_descriptor
from triplane.hal.gateware import Gateware
from triplane.hal.registers import RegisterMap
from triplane.hal.target import ArrayTarget
from triplane.host.building.decoders import window_plan

MANIFEST = "manifest.json"
REGISTERS = "registers.json"
DESCRIPTOR = "descriptor.yaml"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BundleError(ValueError):
    """A folder that is no bundle, or not what its manifest says; the text names the file and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Part):
    """A file of the bundle."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class ClockEntry(_Part):
    """A clock after place and route, in the slowest corner."""

    name: str
    wanted_mhz: float
    reached_mhz: float


class ResourceEntry(_Part):
    """Cells of a kind; `available` is None where the device's number is not known here."""

    name: str
    used: float
    available: int | None


class Manifest(_Part):
    """What a bundle is.

    Attributes:
        build_hash: SHA-256 of the Verilog before the hash is put into it; the board reports it.
        register_version: of the register map; the board reports it.
        structure_hash: of the decoder's window, which follows from `distance`.
        part: ordering code of the device.
        bitstream: its file; None until Vivado has made it.
        handover: file from which PYNQ knows the block design (hwh); None for boards without PYNQ, or until it is made.
        tools: tool -> version.
        files: path within the bundle -> its hash and size; every file but the manifest.
    """

    schema_version: Literal[1] = 1
    board: str
    distance: int
    build_hash: Sha256
    register_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    structure_hash: Sha256
    clock_hz: Annotated[int, Field(gt=0)]
    part: str
    bitstream: str | None
    handover: str | None
    tools: dict[str, str]
    clocks: tuple[ClockEntry, ...] = ()
    resources: tuple[ResourceEntry, ...] = ()
    files: dict[str, FileEntry]


@dataclass(frozen=True)
class Bundle:
    """A folder that was found to be what its manifest says."""

    folder: Path
    manifest: Manifest

    def path(self, name: str) -> Path:
        """A file of it."""
        return self.folder / name

    @property
    def registers(self) -> RegisterMap:
        """Register map of the gateware."""
        return RegisterMap(json.loads(self.path(REGISTERS).read_text()))

    @property
    def descriptor(self) -> Descriptor:
        """Of the board."""
        return load_descriptor(self.path(DESCRIPTOR))

    def gateware(self) -> Gateware:
        """What a driver must find in the board."""
        return Gateware(self.registers, self.manifest.build_hash, self.descriptor)

    def target(self) -> ArrayTarget:
        """What the gateware decodes.

        Raises:
            BundleError: this version of Triplane compiles another window for the same distance.
        """
        target = ArrayTarget(window_plan(self.manifest.distance))
        if target.structure_hash != self.manifest.structure_hash:
            raise BundleError(
                f"{self.folder}: was built for window {self.manifest.structure_hash[:12]}, and this version of "
                f"Triplane compiles {target.structure_hash[:12]} for distance {self.manifest.distance}: build and "
                "flash anew"
            )
        return target


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and verify every byte of it.

    Raises:
        BundleError: there is no bundle, its manifest is damaged, a file is missing, altered, or not in the manifest.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(
            f"{folder}: is no bundle, its {MANIFEST} cannot be read ({error}); make one with `triplane build`"
        ) from error
    except ValidationError as error:
        issue = error.errors()[0]
        where = ".".join(map(str, issue["loc"])) or "manifest"
        raise BundleError(f"{path}: {where}: {issue['msg']}; build the bundle anew") from error
    for name, entry in manifest.files.items():
        _check_file(folder, name, entry)
    there = {item.relative_to(folder).as_posix() for item in folder.rglob("*") if not item.is_dir()}
    strangers = sorted(there - set(manifest.files) - {MANIFEST})
    if strangers:
        raise BundleError(
            f"{folder}: {', '.join(strangers)} is not in the manifest; move it elsewhere, or build the bundle anew"
        )
    for needed in (manifest.bitstream, manifest.handover, REGISTERS, DESCRIPTOR):
        if needed is not None and needed not in manifest.files:
            raise BundleError(f"{path}: {needed} is not among its files; build the bundle anew")
    return Bundle(folder, manifest)


def _check_file(folder: Path, name: str, entry: FileEntry) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise BundleError(
            f"{folder}: the manifest names {name!r}, outside of the bundle; do not use this bundle"
        )
    path = folder / name
    if not path.is_file():
        raise BundleError(f"{folder}: {name} is missing; build the bundle anew")
    found = _entry(path)
    if found != entry:
        raise BundleError(
            f"{path}: was altered: its SHA-256 is {found.sha256[:12]} ({found.bytes} bytes), the manifest has "
            f"{entry.sha256[:12]} ({entry.bytes} bytes); build the bundle anew"
        )


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return FileEntry(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size)


def check_output(folder: Path) -> None:
    """Refuse, before a long build, a place where no bundle can be put.

    Raises:
        BundleError: something is there that is no bundle, or the folder around it is missing.
    """
    if not folder.resolve().parent.is_dir():
        raise BundleError(f"{folder}: the folder around it is missing; make it, or choose another --output")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder}: holds files and is no bundle; choose another --output")
    if folder.exists() and not folder.is_dir():
        raise BundleError(f"{folder}: is a file; choose another --output")


def write_bundle(folder: Path, files: Mapping[str, bytes | Path], about: Manifest) -> Bundle:
    """Write a bundle so that it appears whole, in the place of an older one if there is one.

    files: path within the bundle -> content, or the file to copy.
    about: all but `files`, which are filled in.

    Raises:
        BundleError: as of `check_output`.
    """
    check_output(folder)
    folder = folder.resolve()
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent) as work:
        new = Path(work) / "new"
        new.mkdir()
        for name, content in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                shutil.copyfile(content, path)
        manifest = about.model_copy(update={"files": {name: _entry(new / name) for name in sorted(files)}})
        text = json.dumps(manifest.model_dump(mode="json"), indent=1)
        (new / MANIFEST).write_text(text + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(Path(work) / "old")
        new.replace(folder)
    return load_bundle(folder)
