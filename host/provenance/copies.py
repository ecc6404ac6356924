# SPDX-License-Identifier: BSD-2-Clause
"""Runs of a service that were copied to this store: what the service said of each, as an object that the ledger names.

The statement is in the chain, so that a copy whose signature is deleted or exchanged later is found out, whatever the
service has become since.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from triplane.host.provenance.canonical import canonical
from triplane.host.provenance.errors import CorruptLedgerError
from triplane.host.provenance.ledger import Chain, Entry, Ledger
from triplane.host.provenance.manifest import Sha256
from triplane.host.provenance.signing import Signature
from triplane.host.provenance.store import Store

KIND = "copy"


class Copy(BaseModel):
    """What a service said of a run when it was copied.

    run: its id. board: on whose chain it is. entry: hash of its entry there. key: public key of its signature, hex.
    secured: whether the service knows who is who. signer: whose the key was; None: nobody's that the service knows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Sha256
    board: str
    entry: Sha256
    key: Sha256
    secured: bool
    signer: str | None

    def to_bytes(self) -> bytes:
        """Canonical JSON: what is kept."""
        return canonical(self.model_dump(), "copy of a run")

    def refusal(self, signature: Signature | None, claimed: object) -> str | None:
        """Why a signature is not to be trusted as that of this run; None: it is, or the service would not know.

        On a secured service only the board may have signed it on whose chain it is.

        signature: that is here; None: there is none. claimed: board that the manifest names.
        """
        which = f"run {self.run[:12]} of board {self.board}"
        if signature is None:
            return f"{which} was signed, and its signature is gone; copy it again: triplane report --server"
        if signature.key != self.key:
            return f"{which} was signed by another key; copy it again: triplane report --server"
        if self.secured and self.signer is None:
            return f"{which} is signed by a key that is nobody's; do not use its results"
        if self.secured and self.signer != f"board {self.board}":
            return f"{which} is signed by the key of {self.signer}; do not use its results"
        if self.secured and claimed != self.board:
            return f"{which} says in its manifest that it is of board {claimed}; do not use its results"
        return None


def copies_of(chain: Chain, store: Store) -> dict[str, tuple[Copy, Entry]]:
    """Run -> what was said of it when it was copied last, and the entry of that; raises for damaged statements."""
    found = {}
    for entry in chain.entries:
        if entry.kind == KIND:
            try:
                copy = Copy.model_validate_json(store.get(entry.object))
            except ValidationError as error:
                raise CorruptLedgerError(
                    f"line {entry.seq + 1} of the ledger names no copy of a run"
                ) from error
            found[copy.run] = copy, entry
    return found


def keep_copy(copy: Copy, store: Store) -> None:
    """Add a statement to the store's ledger, unless it is what was said last; raises as `Ledger.append` does."""
    ledger = Ledger(store)
    known = copies_of(ledger.verify(), store).get(copy.run)
    if known is None or known[0] != copy:
        ledger.append(store.put(copy.to_bytes()), kind=KIND)
