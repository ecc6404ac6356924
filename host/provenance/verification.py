# SPDX-License-Identifier: BSD-2-Clause
"""Finds a run and checks every byte that its id stands for."""

from collections.abc import Iterator
from dataclasses import dataclass

from triplane.host.provenance.errors import (
    CorruptObjectError,
    MissingObjectError,
    ProvenanceError,
    UnknownRunError,
)
from triplane.host.provenance.ledger import Chain, Entry, Ledger
from triplane.host.provenance.manifest import Artefact, Manifest
from triplane.host.provenance.store import Store

SHORTEST_PREFIX = 4
"""Digits that a person must give at least: fewer name a run by accident."""


@dataclass(frozen=True)
class Verification:
    """A run of which chain and manifest hold.

    run: its id. manifest: what it is made of. entry: its line in the ledger. chain: the whole ledger, verified.
    problems: object name -> what is wrong with it; empty where every object holds.
    """

    run: str
    manifest: Manifest
    entry: Entry
    chain: Chain
    problems: dict[str, ProvenanceError]

    @property
    def objects(self) -> Iterator[tuple[str, str, Artefact]]:
        """("input" or "output", name, object) of everything the manifest names."""
        for name, artefact in self.manifest.inputs.items():
            yield "input", name, artefact
        for name, artefact in self.manifest.outputs.items():
            yield "output", name, artefact


def verify_run(run: str, store: Store | None = None) -> Verification:
    """Verify a run, named by its id or the first digits of it.

    The ledger's chain is checked from its first line, the manifest against the id, and every object against its name.
    Damaged objects are collected in `problems`; a damaged ledger or manifest raises CorruptLedgerError or
    CorruptObjectError at once, since nothing can be said without them.
    """
    store = store or Store()
    chain = Ledger(store).verify()
    entry = _find(run, chain, store)
    manifest = Manifest.from_bytes(store.get(entry.object), entry.object)
    problems: dict[str, ProvenanceError] = {}
    for artefact in [*manifest.inputs.values(), *manifest.outputs.values()]:
        try:
            store.verify(artefact.sha256)
        except (CorruptObjectError, MissingObjectError) as error:
            problems[artefact.sha256] = error
    return Verification(entry.object, manifest, entry, chain, problems)


def _find(run: str, chain: Chain, store: Store) -> Entry:
    """The newest entry whose run begins with the digits given."""
    digits = run.strip().lower()
    runs = {entry.object: entry for entry in chain.entries if entry.kind == "run"}
    if not runs:
        raise UnknownRunError(
            f"{store.root} holds no runs yet; `triplane demo` makes one, or set TRIPLANE_HOME to another store"
        )
    if len(digits) < SHORTEST_PREFIX:
        raise UnknownRunError(f"run {run!r} is too short: give at least {SHORTEST_PREFIX} digits of its id")
    matches = [name for name in runs if name.startswith(digits)]
    if len(matches) > 1:
        listed = ", ".join(name[:16] for name in matches[:6])
        raise UnknownRunError(f"run {run!r} fits {len(matches)} runs ({listed}); give more digits")
    if not matches:
        newest = ", ".join(name[:12] for name in list(runs)[-3:])
        raise UnknownRunError(
            f"run {run!r} is not among the {len(runs)} runs in {store.root}; the newest are {newest}"
        )
    return runs[matches[0]]
