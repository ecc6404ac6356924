# SPDX-License-Identifier: BSD-2-Clause
"""The append-only list of runs: one line of canonical JSON each, chained by hashes.

A line holds `seq` (from 0), `time` (UTC), `kind`, `object` (name in the store), `prev` (hash of the line before, zeros
for the first) and `hash` (SHA-256 of the line's canonical JSON without `hash`). `ledger.head` holds number and hash of
the newest line that was acknowledged, so that lines cut off the end are noticed.

Order of an append, under an exclusive lock:

    check the last line -> write the new line, fsync -> replace ledger.head -> acknowledge

A crash before the fsync may leave part of a line. Nobody was told of that entry, so the next append moves the part
aside to a file of its own, says so, and goes on from the last whole line. A part of a line that *was* acknowledged is
damage, and is refused.
"""

import datetime
import logging
import os
from dataclasses import dataclass

from triplane.host.provenance.canonical import canonical, parse, sha256
from triplane.host.provenance.errors import CorruptLedgerError
from triplane.host.provenance.files import fsync_folder, locked, written_whole
from triplane.host.provenance.store import Store

logger = logging.getLogger(__name__)

GENESIS = "0" * 64
"""`prev` of the first line."""

TAIL_BYTES = 1 << 16
"""Far more than one line: an append reads the end of the ledger only, however long it has grown."""


@dataclass(frozen=True)
class Entry:
    """One line of the ledger; `hash` is that of the other fields."""

    seq: int
    time: str
    kind: str
    object: str
    prev: str
    hash: str

    @classmethod
    def make(cls, seq: int, time: str, kind: str, name: str, prev: str) -> "Entry":
        """An entry with its hash computed."""
        content = {"seq": seq, "time": time, "kind": kind, "object": name, "prev": prev}
        return cls(seq, time, kind, name, prev, sha256(canonical(content)))

    def line(self) -> bytes:
        """Canonical JSON, with the newline that ends it."""
        return canonical(vars(self)) + b"\n"


@dataclass(frozen=True)
class Chain:
    """A verified ledger.

    entries: all lines in order. head: hash of the newest, GENESIS if there is none.
    torn: the part of a line that an interrupted append left at the end; empty where there is none.
    """

    entries: tuple[Entry, ...]
    head: str
    torn: bytes


class Ledger:
    """The ledger of a store; any number of processes may append and read at once."""

    def __init__(self, store: Store) -> None:
        self.path = store.root / "ledger.jsonl"
        self._lock = store.root / "ledger.lock"
        self._head = store.root / "ledger.head"

    def append(self, name: str, *, kind: str = "run") -> Entry:
        """Add an entry for object `name`; returns once it is on disk.

        Raises CorruptLedgerError where the last line is damaged: nothing is chained to what cannot be trusted.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._lock, exclusive=True):
            last = self._checked_end()
            time = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
            entry = Entry.make(last.seq + 1 if last else 0, time, kind, name, last.hash if last else GENESIS)
            created = not self.path.exists()
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                remaining = memoryview(entry.line())
                while remaining:
                    remaining = remaining[os.write(handle, remaining) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            if created:
                fsync_folder(self.path.parent)
            self._write_head(entry)
        return entry

    def verify(self) -> Chain:
        """Read the whole ledger and check every line, every link and the newest hash.

        Raises CorruptLedgerError naming the first line that does not hold.
        """
        with locked(self._lock, exclusive=False):
            data = self.path.read_bytes() if self.path.exists() else b""
            head = self._read_head()
        whole, newline, torn = data.rpartition(b"\n")
        entries: list[Entry] = []
        previous = GENESIS
        for number, line in enumerate(whole.split(b"\n") if newline else []):
            entry = self._parse(line, f"line {number + 1}")
            if entry.seq != number or entry.prev != previous:
                raise self._damaged(
                    f"line {number + 1}",
                    f"it does not continue line {number}: a line was dropped, added or moved",
                )
            entries.append(entry)
            previous = entry.hash
        self._compare_head(head, entries)
        return Chain(tuple(entries), previous, torn)

    def _parse(self, line: bytes, where: str) -> Entry:
        """An entry whose hash holds."""
        try:
            fields = parse(line)
            entry = Entry(**fields)
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged(where, f"it is no entry ({error})") from error
        if Entry.make(entry.seq, entry.time, entry.kind, entry.object, entry.prev) != entry:
            raise self._damaged(where, "its content does not match its hash: it was changed")
        return entry

    def _checked_end(self) -> Entry | None:
        """The last whole line, verified; an unacknowledged part of a line after it is moved aside."""
        head = self._read_head()
        if not self.path.exists():
            self._compare_head(head, [])
            return None
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - TAIL_BYTES)
            file.seek(start)
            tail = file.read()
        whole, newline, torn = tail.rpartition(b"\n")
        if not newline and start > 0:
            raise self._damaged("the end", f"its last {TAIL_BYTES} bytes hold no whole line")
        last = self._parse(whole.rpartition(b"\n")[2], "the last line") if newline else None
        if head is not None and (
            last is None or last.seq < head[0] or (last.seq == head[0] and last.hash != head[1])
        ):
            raise self._lost(head, last.seq + 1 if last else 0)
        if torn:
            self._move_aside(torn, size - len(torn))
        return last

    def _move_aside(self, torn: bytes, whole_bytes: int) -> None:
        aside = self.path.with_name(f"ledger.torn-{sha256(torn)[:12]}")
        aside.write_bytes(torn)
        os.truncate(self.path, whole_bytes)
        logger.warning(
            "%s: a run was interrupted while it was recorded and left %d bytes of a line; they are moved to %s, "
            "no recorded run is affected",
            self.path,
            len(torn),
            aside,
        )

    def _write_head(self, entry: Entry) -> None:
        with written_whole(self._head.parent) as (file, destinations):
            file.write(f"{entry.seq} {entry.hash}\n".encode())
            destinations.append((self._head, None))

    def _read_head(self) -> tuple[int, str] | None:
        """Number and hash of the newest acknowledged line; None where nothing was ever acknowledged."""
        try:
            text = self._head.read_text()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            text = ""
        parts = text.split()
        if len(parts) != 2 or not parts[0].isdecimal():
            raise CorruptLedgerError(
                f"{self._head} is damaged: it must hold number and hash of the newest line; restore it from a "
                f"backup, or delete it after comparing {self.path} with a backup"
            )
        return int(parts[0]), parts[1]

    def _compare_head(self, head: tuple[int, str] | None, entries: list[Entry]) -> None:
        """The head is on the chain; a crash may leave it one line behind, never ahead."""
        if head is not None and (head[0] >= len(entries) or entries[head[0]].hash != head[1]):
            raise self._lost(head, len(entries))

    def _lost(self, head: tuple[int, str], lines: int) -> CorruptLedgerError:
        return CorruptLedgerError(
            f"{self.path} is damaged: {self._head.name} says that line {head[0] + 1} with hash {head[1][:12]} was "
            f"recorded, but the ledger has {lines} whole lines and not that one; restore it from a backup"
        )

    def _damaged(self, where: str, why: str) -> CorruptLedgerError:
        return CorruptLedgerError(
            f"{self.path} is damaged at {where}: {why}; restore the file from a backup (lines before it are good)"
        )
