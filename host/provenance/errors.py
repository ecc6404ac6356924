# SPDX-License-Identifier: BSD-2-Clause
"""What can be wrong with a run's evidence; each message names the thing and the remedy."""

from pathlib import Path


class ProvenanceError(RuntimeError):
    """Evidence of a run is missing, damaged or cannot be written."""


class MissingObjectError(ProvenanceError):
    """An object that something refers to is not in the store."""


class CorruptObjectError(ProvenanceError):
    """The bytes of an object are not those that its name promises."""


class CorruptLedgerError(ProvenanceError):
    """A line of the ledger was changed, dropped, moved or cut."""


class ManifestError(ProvenanceError):
    """A manifest does not follow the schema, or a result cannot be written as JSON."""


class SignatureError(ProvenanceError):
    """A signature is not that of the run, or the file of the own key is none."""


class RerunError(ProvenanceError):
    """A run cannot be run again from what was kept of it."""


class UnknownRunError(ProvenanceError):
    """No run of the ledger has this id, or several begin with it."""


class StoreWriteError(ProvenanceError):
    """The folder of the evidence cannot be written."""

    @classmethod
    def of(cls, root: Path, error: OSError) -> "StoreWriteError":
        """The system's error, with the folder and the remedy."""
        at = "" if error.filename in (None, str(root)) else f", at {error.filename}"
        return cls(
            f"{root}: runs cannot be recorded there ({error.strerror or error}{at}); free space, correct its "
            "permissions, or set TRIPLANE_HOME to a folder that can be written"
        )
