# SPDX-License-Identifier: BSD-2-Clause
"""What a person has verified of a service's ledger, kept in the person's store, so that it is read once.

A file for each ledger, a line for each of its entries: board, number in the stream, and what is hashed into the chain.
The hashes are computed again when the file is read. The newest entry of each board must still be on the server: it
stands for all before it, so a ledger that was written anew since is noticed, which reading all of it would not show.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import NamedTuple

from triplane.host.files import written_whole
from triplane.host.provenance.canonical import sha256
from triplane.host.provenance.errors import CorruptLedgerError, ProvenanceError
from triplane.host.provenance.ledger import GENESIS, Entry

logger = logging.getLogger(__name__)


class Place(NamedTuple):
    """An entry of a service's ledger: of a board's chain, under a number of the stream."""

    board: str
    number: int
    entry: Entry


class Chains:
    """Chains that hold, as far as entries were added.

    Attributes:
        places: all entries, in their order.
        entries: board -> those of its chain.
        runs: run -> its entry, the first one where there are several.
    """

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.entries: dict[str, list[Entry]] = {}
        self.runs: dict[str, Place] = {}

    def add(self, place: Place) -> None:
        """Continue a board's chain; raises CorruptLedgerError where the entry does not."""
        board, _, entry = place
        chain = self.entries.setdefault(board, [])
        if Entry.make(entry.seq, entry.time, entry.kind, entry.object, entry.prev) != entry:
            raise damaged(board, len(chain), "its content does not match its hash")
        if (entry.seq, entry.prev) != (len(chain), chain[-1].hash if chain else GENESIS):
            raise damaged(board, len(chain), "it does not continue the entry before")
        chain.append(entry)
        self.places.append(place)
        self.runs.setdefault(entry.object, place)

    @property
    def newest(self) -> list[Place]:
        """The newest entry of each board."""
        return list({place.board: place for place in self.places}.values())


class Checkpoint:
    """Of one ledger.

    Args:
        root: folder of the person's store.
        ledger: what tells it from others.
    """

    def __init__(self, root: Path, ledger: str) -> None:
        self.path = root / "services" / f"{sha256(ledger.encode())[:32]}.jsonl"

    def load(self) -> Chains:
        """What was verified; nothing where there is no file, or one that does not hold."""
        chains = Chains()
        try:
            for line in self.path.read_bytes().splitlines():
                board, number, *fields = json.loads(line)
                chains.add(Place(str(board), int(number), Entry.make(*fields)))
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, ProvenanceError) as error:
            logger.warning("%s is damaged, and the whole ledger is read again: %s", self.path, error)
            return Chains()
        return chains

    def keep(self, chains: Chains) -> None:
        """Put these in the place of what was there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self.path.parent) as (file, destinations):
            for board, number, entry in chains.places:
                fields = (board, number, entry.seq, entry.time, entry.kind, entry.object, entry.prev)
                file.write(json.dumps(fields).encode() + b"\n")
            destinations.append((self.path, None))


def damaged(board: str, number: int, why: str) -> CorruptLedgerError:
    """The error of an entry that does not hold; `number` is its place in the board's chain, from 0."""
    return CorruptLedgerError(f"the ledger of board {board} is damaged at entry {number + 1}: {why}")
