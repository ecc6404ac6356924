# SPDX-License-Identifier: BSD-2-Clause
import logging
import os
import subprocess
import sys

import pytest

from triplane.host.provenance import CorruptLedgerError, Ledger
from triplane.host.provenance.ledger import GENESIS, Entry


@pytest.fixture
def ledger(store):
    return Ledger(store)


def names(count):
    return [f"{number:064x}" for number in range(count)]


def fill(ledger, count=5):
    return [ledger.append(name) for name in names(count)]


APPEND_200 = """
import sys
from triplane.host.provenance import Ledger, Store
ledger = Ledger(Store(sys.argv[1]))
for number in range(200):
    ledger.append(f"{int(sys.argv[2]) * 1000 + number:064x}")
"""


def test_entries_are_chained(ledger):
    entries = fill(ledger)
    assert [entry.seq for entry in entries] == [0, 1, 2, 3, 4]
    assert [entry.prev for entry in entries] == [GENESIS] + [entry.hash for entry in entries[:-1]]
    chain = ledger.verify()
    assert chain.entries == tuple(entries)
    assert (chain.head, chain.torn) == (entries[-1].hash, b"")


def test_an_absent_ledger_is_empty(ledger):
    assert ledger.verify().entries == ()
    assert not ledger.path.parent.exists()


@pytest.mark.parametrize("processes", [2])
def test_processes_append_at_once(store, processes):
    command = [sys.executable, "-c", APPEND_200, str(store.root)]
    workers = [subprocess.Popen([*command, str(p)]) for p in range(processes)]
    ledger = Ledger(store)
    while any(worker.poll() is None for worker in workers):
        ledger.verify()  # a reader never sees half a line, nor a head that is off the chain
    assert [worker.returncode for worker in workers] == [0] * processes
    chain = ledger.verify()
    written = [int(entry.object, 16) for entry in chain.entries]
    assert sorted(written) == sorted(1000 * p + k for p in range(processes) for k in range(200))
    for p in range(processes):
        own = [number for number in written if number // 1000 == p]
        assert own == sorted(own)


def test_every_flipped_bit_is_noticed(ledger, flip):
    fill(ledger, 2)
    good = ledger.path.read_bytes()
    for position in range(len(good)):
        flip(ledger.path, position)
        with pytest.raises(CorruptLedgerError, match=r"ledger\.jsonl is damaged.*restore"):
            ledger.verify()
        ledger.path.write_bytes(good)
    assert len(ledger.verify().entries) == 2


def test_the_damaged_line_is_named(ledger):
    fill(ledger)
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"kind":"run"', b'"kind":"sun"')
    ledger.path.write_bytes(b"".join(lines))
    with pytest.raises(
        CorruptLedgerError, match="line 3: its content does not match its hash: it was changed"
    ):
        ledger.verify()


def test_a_changed_line_with_its_hash_made_anew_is_noticed(ledger):
    entries = fill(ledger)
    forged = Entry.make(2, entries[2].time, "run", "f" * 64, entries[2].prev)
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    lines[2] = forged.line()
    ledger.path.write_bytes(b"".join(lines))
    with pytest.raises(CorruptLedgerError, match="line 4: it does not continue line 3"):
        ledger.verify()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:1] + lines[2:], "line 2: it does not continue line 1"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1: it does not continue line 0"),
        (lambda lines: [*lines, lines[-1]], "line 6: it does not continue line 5"),
        (lambda lines: [lines[0], b"\n", *lines[1:]], "line 2: it is no entry"),
        (lambda lines: lines[:-1], "line 5 with hash .* was recorded, but the ledger has 4 whole lines"),
        (lambda lines: lines[:-2], "line 5 with hash .* was recorded, but the ledger has 3 whole lines"),
        (lambda lines: [], "line 5 with hash .* was recorded, but the ledger has 0 whole lines"),
        (
            lambda lines: [*lines[:-1], lines[-1][:-1]],
            "line 5 .* was recorded, but the ledger has 4 whole lines",
        ),
    ],
    ids=[
        "dropped",
        "swapped",
        "doubled",
        "blank",
        "last cut",
        "two cut",
        "emptied",
        "acknowledged line torn",
    ],
)
def test_lines_are_neither_dropped_nor_moved(ledger, change, message):
    fill(ledger)
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(change(lines)))
    with pytest.raises(CorruptLedgerError, match=message):
        ledger.verify()


def test_nothing_is_chained_to_a_damaged_line(ledger, flip):
    fill(ledger)
    flip(ledger.path, -10)
    before = ledger.path.read_bytes()
    with pytest.raises(CorruptLedgerError, match="damaged at line 5"):
        ledger.append("0" * 64)
    assert ledger.path.read_bytes() == before


def test_nothing_is_appended_where_lines_are_lost(ledger):
    fill(ledger)
    ledger.path.unlink()
    with pytest.raises(CorruptLedgerError, match="restore it from a backup"):
        ledger.append("0" * 64)
    assert not ledger.path.exists()


def test_a_torn_line_of_an_interrupted_append_is_moved_aside_and_told(ledger, caplog):
    entries = fill(ledger)
    torn = Entry.make(5, entries[-1].time, "run", "a" * 64, entries[-1].hash).line()[:70]
    with ledger.path.open("ab") as file:
        file.write(torn)
    chain = ledger.verify()
    assert (chain.entries, chain.torn) == (tuple(entries), torn)
    with caplog.at_level(logging.WARNING):
        ledger.append("b" * 64)
    assert "interrupted" in caplog.text
    assert "70 bytes of a line" in caplog.text
    chain = ledger.verify()
    assert [entry.object for entry in chain.entries] == [*names(5), "b" * 64]
    assert chain.torn == b""
    (aside,) = ledger.path.parent.glob("ledger.torn-*")
    assert aside.read_bytes() == torn


def test_a_torn_first_line_is_moved_aside(ledger, caplog):
    ledger.path.parent.mkdir(parents=True)
    ledger.path.write_bytes(b'{"hash":"')
    with caplog.at_level(logging.WARNING):
        ledger.append("b" * 64)
    assert "9 bytes of a line" in caplog.text
    assert len(ledger.verify().entries) == 1


def test_a_crash_between_line_and_head_loses_nothing(ledger, monkeypatch):
    fill(ledger, 2)
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "_write_head", lambda self, entry: os._exit)
        ledger.append("c" * 64)
    assert len(ledger.verify().entries) == 3
    ledger.append("d" * 64)
    assert [entry.object[0] for entry in ledger.verify().entries] == ["0", "0", "c", "d"]


def test_a_full_disk_leaves_a_line_that_the_next_append_moves_aside(ledger, monkeypatch):
    fill(ledger, 2)
    write = os.write
    room = [40]

    def to_a_full_disk(handle, data):
        if not room:
            raise OSError(28, "No space left on device")
        return write(handle, data[: room.pop()])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", to_a_full_disk)
        with pytest.raises(OSError, match="No space left"):
            ledger.append("c" * 64)
    ledger.append("d" * 64)
    assert [entry.object[0] for entry in ledger.verify().entries] == ["0", "0", "d"]


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", b"4", b"-1 abc"])
def test_a_damaged_head_is_named(ledger, content):
    fill(ledger)
    head = ledger.path.with_name("ledger.head")
    head.write_bytes(content)
    with pytest.raises(CorruptLedgerError, match=r"ledger\.head is damaged.*restore"):
        ledger.verify()


def test_nothing_is_chained_to_a_ledger_damaged_anywhere(ledger, flip):
    fill(ledger)
    flip(ledger.path, 10)
    before = ledger.path.read_bytes()
    with pytest.raises(CorruptLedgerError, match=r"damaged at line 1: .*restore"):
        ledger.append("0" * 64)
    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize("lines", [2, 5])
def test_a_missing_head_is_damage(ledger, lines):
    newest = fill(ledger, lines)[-1]
    before = ledger.path.read_bytes()
    head = ledger.path.with_name("ledger.head")
    head.unlink()
    for read_or_append in (ledger.verify, lambda: ledger.append("0" * 64)):
        with pytest.raises(
            CorruptLedgerError, match=rf"ledger\.head is missing.* {newest.seq} {newest.hash}$"
        ):
            read_or_append()
    assert ledger.path.read_bytes() == before
    assert not head.exists()
    head.write_text(f"{newest.seq} {newest.hash}\n")  # the remedy
    ledger.append("0" * 64)
    assert len(ledger.verify().entries) == lines + 1


def test_the_first_line_ever_may_have_no_head(ledger):
    fill(ledger, 1)
    ledger.path.with_name("ledger.head").unlink()  # as after a crash between the two
    assert len(ledger.verify().entries) == 1
    ledger.append("0" * 64)
    assert len(ledger.verify().entries) == 2


def test_crashes_in_a_row_leave_the_head_one_line_behind(ledger, monkeypatch):
    write = Ledger._write_head
    for number in range(3):
        with monkeypatch.context() as patched:
            # Only what makes up for the crash before is written.
            patched.setattr(
                Ledger,
                "_write_head",
                lambda self, entry, newest=number: write(self, entry) if entry.seq < newest else None,
            )
            ledger.append(f"{number:064x}")
        head = ledger.path.with_name("ledger.head")
        assert (int(head.read_text().split()[0]) if head.exists() else -1) == number - 1
    assert len(ledger.verify().entries) == 3


def test_a_ledger_without_permission_to_write_can_be_read(ledger, monkeypatch):
    entries = fill(ledger, 3)
    refuse = os.open

    def read_only(path, flags, *rest, **options):
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise PermissionError(13, "Permission denied", str(path))
        return refuse(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", read_only)
    assert ledger.verify().entries == tuple(entries)
    with pytest.raises(PermissionError):
        ledger.append("0" * 64)
