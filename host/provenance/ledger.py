# SPDX-License-Identifier: BSD-2-Clause
"""The append-only list of runs: one line of canonical JSON each, chained by hashes.

A line holds `seq` (from 0), `time` (UTC), `kind` ("run", or "copy" of one, see `copies`), `object` (name in the
store), `prev` (hash of the line before, zeros for the first) and `hash` (SHA-256 of the line's canonical JSON
without `hash`). `ledger.head` holds number and hash of the newest line that was acknowledged, so that lines cut off
the end are noticed.

Order of an append, under an exclusive lock:

    verify all lines -> write the new line, fsync -> replace ledger.head -> acknowledge

A crash before the fsync may leave part of a line. Nobody was told of that entry, so the next append moves the part
aside to a file of its own, says so, and goes on from the last whole line. A part of a line that *was* acknowledged is
damage, and is refused. So is a ledger of more than one line without `ledger.head`: only the first line ever can have
been written, and not acknowledged, with no head before it.

An append verifies the whole ledger, since a run that is chained to a damaged line could never be reported. The first
one of a process takes 30 ms per thousand lines; later ones only hash the bytes that were verified before.
"""

import datetime
import hashlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from triplane.host.files import fsync_folder, locked, written_whole
from triplane.host.provenance.canonical import canonical, parse, sha256
from triplane.host.provenance.errors import CorruptLedgerError
from triplane.host.provenance.store import Store

logger = logging.getLogger(__name__)

GENESIS = "0" * 64
"""`prev` of the first line."""


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


@dataclass(frozen=True)
class _Verified:
    """What this process has verified of a ledger: so many bytes, their SHA-256, and what they hold.

    Lines that are the same bytes as before need not be parsed again, so that a run after many costs little more.
    """

    length: int
    digest: bytes
    entries: tuple[Entry, ...]


_verified: dict[Path, _Verified] = {}


class Ledger:
    """The ledger of a store; any number of processes may append and read at once."""

    def __init__(self, store: Store) -> None:
        self.path = store.root / "ledger.jsonl"
        self._lock = store.root / "ledger.lock"
        self._head = store.root / "ledger.head"

    def append(self, name: str, *, kind: str = "run") -> Entry:
        """Add an entry for object `name`; returns once it is on disk.

        Raises CorruptLedgerError where the ledger does not verify: nothing is chained to what cannot be trusted.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._lock, exclusive=True):
            data = self._read(self.path) or b""
            head = self._read(self._head)
            chain = self._verified(data, head)
            last = chain.entries[-1] if chain.entries else None
            if chain.torn:
                self._move_aside(chain.torn, len(data) - len(chain.torn))
            if last and head != self._head_line(last):
                # A crash left it a line behind; another must not leave it two behind.
                self._write_head(last)
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

        Raises CorruptLedgerError naming the first line that does not hold, or what is wrong with `ledger.head`.
        """
        with locked(self._lock, exclusive=False):
            data = self._read(self.path) or b""
            head = self._read(self._head)
        return self._verified(data, head)

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def _verified(self, data: bytes, head: bytes | None) -> Chain:
        whole, newline, torn = data.rpartition(b"\n")
        known = _verified.get(self.path)
        if known is None or hashlib.sha256(data[: known.length]).digest() != known.digest:
            known = _Verified(0, hashlib.sha256(b"").digest(), ())
        entries = list(known.entries)
        previous = entries[-1].hash if entries else GENESIS
        new = data[known.length : len(whole) + len(newline)].split(b"\n")[:-1]
        for number, line in enumerate(new, start=len(entries)):
            entry = self._parse(line, f"line {number + 1}")
            if entry.seq != number or entry.prev != previous:
                raise self._damaged(
                    f"line {number + 1}",
                    f"it does not continue line {number}: a line was dropped, added or moved",
                )
            entries.append(entry)
            previous = entry.hash
        length = len(whole) + len(newline)
        _verified[self.path] = _Verified(length, hashlib.sha256(data[:length]).digest(), tuple(entries))
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

    @staticmethod
    def _head_line(entry: Entry) -> bytes:
        return f"{entry.seq} {entry.hash}\n".encode()

    def _write_head(self, entry: Entry) -> None:
        with written_whole(self._head.parent) as (file, destinations):
            file.write(self._head_line(entry))
            destinations.append((self._head, None))

    def _compare_head(self, head: bytes | None, entries: list[Entry]) -> None:
        """The head is on the chain; a crash may leave it one line behind, so absent beside the first, never ahead."""
        if head is None:
            if len(entries) > 1:
                raise self._headless("missing", entries)
            return
        fields = re.fullmatch(rb"([0-9]{1,18}) ([0-9a-f]{64})\n", head)
        if fields is None:
            raise self._headless("damaged", entries)
        seq, name = int(fields[1]), fields[2].decode()
        if seq >= len(entries) or entries[seq].hash != name:
            raise self._lost((seq, name), len(entries))

    def _headless(self, what: str, entries: list[Entry]) -> CorruptLedgerError:
        remedy = "delete it if no run was ever recorded here"
        if entries:
            remedy = (
                f"if you know that line {len(entries)} of {self.path.name} is the newest run, write this line into it: "
                f"{entries[-1].seq} {entries[-1].hash}"
            )
        return CorruptLedgerError(
            f"{self._head} is {what}, and nothing else says whether lines were cut off the end of {self.path.name}; "
            f"restore it from a backup, or {remedy}"
        )

    def _lost(self, head: tuple[int, str], lines: int) -> CorruptLedgerError:
        return CorruptLedgerError(
            f"{self.path} is damaged: {self._head.name} says that line {head[0] + 1} with hash {head[1][:12]} was "
            f"recorded, but the ledger has {lines} whole lines and not that one; restore it from a backup"
        )

    def _damaged(self, where: str, why: str) -> CorruptLedgerError:
        return CorruptLedgerError(
            f"{self.path} is damaged at {where}: {why}; restore the file from a backup (lines before it are good)"
        )
