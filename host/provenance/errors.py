# SPDX-License-Identifier: BSD-2-Clause
"""What can be wrong with a run's evidence; each message names the thing and the remedy."""


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


class UnknownRunError(ProvenanceError):
    """No run of the ledger has this id, or several begin with it."""
