# SPDX-License-Identifier: BSD-2-Clause
"""Finds a run and checks every byte that its id stands for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from triplane.host.provenance.copies import Copy, copies_of
from triplane.host.provenance.errors import (
    CorruptObjectError,
    MissingObjectError,
    ProvenanceError,
    SignatureError,
    UnknownRunError,
)
from triplane.host.provenance.ledger import Chain, Entry, Ledger
from triplane.host.provenance.manifest import Artefact, Manifest
from triplane.host.provenance.signing import Signature, signer_name
from triplane.host.provenance.store import Store

SHORTEST_PREFIX = 4
"""Digits that a person must give at least: fewer name a run by accident."""


@dataclass(frozen=True)
class Verification:
    """A run of which chain and manifest hold.

    run: its id. manifest: what it is made of. entry: its line in the ledger. chain: the whole ledger, verified.
    problems: object name, or "signature" -> what is wrong with it; empty where everything holds.
    signature: of the id, verified; None where there is none. signer: whose key it is; None where it is nobody's.
    """

    run: str
    manifest: Manifest
    entry: Entry
    chain: Chain
    problems: dict[str, ProvenanceError]
    signature: Signature | None
    signer: str | None

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
    copies = copies_of(chain, store)
    names = {copy.run: entry for copy, entry in copies.values()}
    names |= {entry.object: entry for entry in chain.entries if entry.kind == "run"}
    if not names:
        raise UnknownRunError(
            f"{store.root} holds no runs yet; `triplane demo` makes one, or set TRIPLANE_HOME to another store"
        )
    found = find_run(run, names, str(store.root))
    entry = names[found]
    return verify_objects(found, entry, chain, store, copies[found][0] if entry.kind == "copy" else None)


def verify_objects(
    run: str, entry: Entry, chain: Chain, store: Store, copy: Copy | None = None
) -> Verification:
    """Verify what a run stands for; raises as `verify_run` does, and SignatureError.

    run: its id. entry: of it, in `chain`, which is verified. copy: what its service has said of it, if it is of one.
    """
    manifest = Manifest.from_bytes(store.get(run), run)
    signature = store.signature(run)
    if signature is not None:
        signature.check(run)
    problems: dict[str, ProvenanceError] = {}
    for artefact in [*manifest.inputs.values(), *manifest.outputs.values()]:
        try:
            store.verify(artefact.sha256)
        except (CorruptObjectError, MissingObjectError) as error:
            problems[artefact.sha256] = error
    signer = None if signature is None else signer_name(signature, store.root)
    if copy is not None:
        if (why := copy.refusal(signature, manifest.result.get("board"))) is not None:
            problems["signature"] = SignatureError(why)
        elif copy.signer is not None:
            signer = copy.signer
    return Verification(run, manifest, entry, chain, problems, signature, signer)


def find_run(run: str, names: Iterable[str], where: str) -> str:
    """The run whose id begins with the digits given; raises UnknownRunError where there is none, or are several."""
    digits, runs = run.strip().lower(), list(names)
    if len(digits) < SHORTEST_PREFIX:
        raise UnknownRunError(f"run {run!r} is too short: give at least {SHORTEST_PREFIX} digits of its id")
    matches = [name for name in runs if name.startswith(digits)]
    if len(matches) > 1:
        listed = ", ".join(name[:16] for name in matches[:6])
        raise UnknownRunError(f"run {run!r} fits {len(matches)} runs ({listed}); give more digits")
    if not matches:
        newest = ", ".join(name[:12] for name in runs[-3:])
        raise UnknownRunError(
            f"run {run!r} is not among the {len(runs)} runs in {where}; the newest are {newest}"
        )
    return matches[0]
