# SPDX-License-Identifier: BSD-2-Clause
"""Where every figure comes from: objects named by their content, one manifest per run, a ledger that only grows.

Three layers, each of which checks the one below:

- `Store` keeps bytes under the SHA-256 of those bytes. What is read is hashed again before it is handed out, so a
  changed byte is an error on the next read, not a wrong figure in a paper.
- `Manifest` says what a run was made of: inputs, error model, decoder tables, gateware build, package versions,
  seeds, command and result. It is itself an object; a run's id is its hash, so an id fixes everything it names.
- `Ledger` lists runs in the order in which they were recorded. Each line holds the hash of the line before: a line
  that is changed, dropped or moved breaks the chain at that place. A file beside it holds the newest hash, so that
  lines cut off the end are missed too.

Why files, and not a database: a run is recorded by whoever has a shell on any machine, several at once, and looked
at years later. Files written whole (temporary file, fsync, rename) and one append under a lock need no server, no
migration, and `sha256sum` can check them without this package.

Beside them `signing`: each run's id is signed with the store's Ed25519 key, so that a run tells by whom it was
recorded, in whatever store or service it is found.

What this does not promise. Somebody who may write to the folder can compute the whole chain anew, and sign it with the
key that lies there. Against that, note the ledger's newest hash elsewhere; `triplane report` prints it.
"""

from triplane.host.provenance.errors import (
    CorruptLedgerError,
    CorruptObjectError,
    ManifestError,
    MissingObjectError,
    ProvenanceError,
    RerunError,
    SignatureError,
    StoreWriteError,
    UnknownRunError,
)
from triplane.host.provenance.ledger import Entry, Ledger
from triplane.host.provenance.manifest import Manifest
from triplane.host.provenance.recorder import RunRecorder
from triplane.host.provenance.store import Store
from triplane.host.provenance.verification import Verification, verify_run

__all__ = [
    "CorruptLedgerError",
    "CorruptObjectError",
    "Entry",
    "Ledger",
    "Manifest",
    "ManifestError",
    "MissingObjectError",
    "ProvenanceError",
    "RerunError",
    "RunRecorder",
    "SignatureError",
    "Store",
    "StoreWriteError",
    "UnknownRunError",
    "Verification",
    "verify_run",
]
