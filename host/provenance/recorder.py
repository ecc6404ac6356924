# SPDX-License-Identifier: BSD-2-Clause
"""Collects what a run is made of, then files the manifest and the ledger's entry."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triplane.host.provenance.canonical import canonical, parse
from triplane.host.provenance.errors import CorruptLedgerError, ProvenanceError, StoreWriteError
from triplane.host.provenance.ledger import Ledger
from triplane.host.provenance.manifest import Artefact, Commit, Manifest
from triplane.host.provenance.store import Store

SETTABLE = ("model", "tables", "gateware", "seeds", "parameters")
"""What `RunRecorder.set` takes; the rest is found out or has a method of its own."""


class RunRecorder:
    """One run's evidence, from its first input to its id.

    Example:
        recorder = RunRecorder(command=sys.argv)
        recorder.add_input("events", Path("detection_events.b8"))
        recorder.set(model="circuit_detector_error_model.dem", seeds={}, parameters={"weight_bits": 5})
        run = recorder.commit({"shots": 50_000, "logical_error_rate": 0.158})

    command: as typed, one item per argument. store: where to file it; None takes the person's own.
    """

    def __init__(self, command: Sequence[str], store: Store | None = None) -> None:
        # An argument that is not UTF-8 reaches Python as lone surrogates, which no JSON reader accepts.
        self._command = [item.encode("utf-8", "backslashreplace").decode() for item in command]
        self._store = store or Store()
        self._artefacts: dict[str, dict[str, Artefact]] = {"inputs": {}, "outputs": {}}
        self._facts: dict[str, Any] = {
            "model": None,
            "tables": {},
            "gateware": {},
            "seeds": {},
            "parameters": {},
        }

    def check(self) -> None:
        """Whether the run could be recorded: to be asked before the work, not after it.

        Raises StoreWriteError where the store cannot be written, CorruptLedgerError where its ledger is damaged.
        """
        self._store.check_writable()
        ledger = Ledger(self._store)
        try:
            if ledger.path.exists():
                with ledger.path.open("ab"):
                    pass
            # Of the whole chain: a run that is chained to a damaged one could never be verified.
            ledger.verify()
        except OSError as error:
            raise StoreWriteError.of(self._store.root, error) from error
        except CorruptLedgerError as error:
            raise CorruptLedgerError(
                f"{error}; nothing was run, since it could not be recorded. To go on without the runs in "
                f"{self._store.root}, set TRIPLANE_HOME to another folder"
            ) from error

    def add_input(
        self, name: str, content: str | os.PathLike[str] | bytes, *, source: str | None = None
    ) -> str:
        """Keep what the run reads: a file (by path) or bytes. Returns its SHA-256."""
        return self._add("inputs", name, content, source)

    def add_output(
        self, name: str, content: str | os.PathLike[str] | bytes, *, source: str | None = None
    ) -> str:
        """Keep what the run made, besides its result: a file (by path) or bytes. Returns its SHA-256."""
        return self._add("outputs", name, content, source)

    def set(self, **facts: Any) -> None:
        """Set model, tables, gateware, seeds or parameters; each is checked when the run is committed."""
        for name, value in facts.items():
            if name not in SETTABLE:
                raise ProvenanceError(f"a run has no {name!r} to set; there are {', '.join(SETTABLE)}")
            self._facts[name] = value

    def manifest(self, result: Mapping[str, Any], environment: Environment | None = None) -> Manifest:
        """The manifest of what was collected, not filed; arguments and errors as of `commit`."""
        facts = {name: parse(canonical(value, name)) for name, value in self._facts.items()}
        found = environment or Environment.now()
        return Manifest(
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds"),
            command=self._command,
            inputs=self._artefacts["inputs"],
            outputs=self._artefacts["outputs"],
            packages=found.packages,
            host=found.host,
            git=found.git,
            result=parse(canonical(dict(result), "result")),
            **facts,
        )

    def commit(self, result: Mapping[str, Any]) -> str:
        """File the run: manifest and signature into the store, then the ledger's entry. Returns the run's id.

        result: JSON values. Raises ManifestError naming the part of it that JSON cannot hold.
        """
        manifest = self.manifest(result)
        try:
            run = self._store.put(manifest.to_bytes())
            self._store.sign(run)
            Ledger(self._store).append(run)
        except OSError as error:
            raise StoreWriteError.of(self._store.root, error) from error
        return run

    def _add(self, kind: str, name: str, content: str | os.PathLike[str] | bytes, source: str | None) -> str:
        artefacts = self._artefacts[kind]
        if name in artefacts:
            raise ProvenanceError(f"{kind[:-1]} {name!r} is there already; give each its own name")
        if isinstance(content, bytes):
            try:
                digest, size = self._store.put(content), len(content)
            except OSError as error:
                raise StoreWriteError.of(self._store.root, error) from error
            source = source or "memory"
        else:
            digest, size = self._store.put_file(content)
            source = source or str(Path(content).resolve())
        text = source.encode("utf-8", "backslashreplace").decode()
        artefacts[name] = Artefact(sha256=digest, bytes=size, source=text)
        return digest


@dataclass(frozen=True)
class Environment:
    """What a run was made in: fields of `Manifest`."""

    packages: dict[str, str]
    host: dict[str, Any]
    git: Commit | None

    @classmethod
    def now(cls) -> Environment:
        """That of this process."""
        return cls(installed_packages(), host_facts(), checkout(Path(__file__).resolve().parents[2]))


@functools.cache
def installed_packages() -> dict[str, str]:
    """Every distribution that this Python could import when it was first asked -> its version."""
    found = importlib.metadata.distributions()
    return dict(sorted((item.name.lower(), item.version) for item in found if item.name and item.version))


def host_facts() -> dict[str, Any]:
    """What of the machine may matter; neither its name nor its user's, since manifests are passed around."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }


def checkout(folder: Path) -> Commit | None:
    """Commit of the checkout at `folder`; None where it is no checkout of its own, or git is not installed."""
    if not (folder / ".git").exists():
        return None
    try:
        head = _git(folder, "rev-parse", "HEAD")
        dirty = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return Commit(commit=head, dirty=bool(dirty))


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--no-optional-locks", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()
