# SPDX-License-Identifier: BSD-2-Clause
import hashlib
import logging
import os
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triplane.host.provenance import CorruptObjectError, MissingObjectError, ProvenanceError, Store
from triplane.host.provenance import store as store_module


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.binary(max_size=4096))
def test_bytes_come_back_under_their_hash(store, data):
    name = store.put(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert store.get(name) == data
    assert store.verify(name) == len(data)
    assert name in store


def test_putting_twice_keeps_one_file(store):
    name = store.put(b"shots")
    before = store.path(name).stat()
    assert store.put(b"shots") == name
    assert store.path(name).stat().st_mtime_ns == before.st_mtime_ns
    assert list(store.names()) == [name]


def test_files_larger_than_a_chunk_are_kept_whole(store, tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "CHUNK_BYTES", 7)
    path = tmp_path / "events.b8"
    path.write_bytes(bytes(range(100)))
    assert store.put_file(path) == (hashlib.sha256(bytes(range(100))).hexdigest(), 100)
    assert store.get(store.put_file(path)[0]) == bytes(range(100))


@pytest.mark.parametrize("position", [0, 3, -1])
def test_a_flipped_bit_is_an_error_on_every_read(store, flip, position):
    name = store.put(b"detection events")
    flip(store.path(name), position)
    for read in (store.get, store.verify):
        with pytest.raises(
            CorruptObjectError, match=f"object {name} is damaged: .*restore that file from a backup"
        ):
            read(name)


def test_a_shortened_object_is_an_error(store):
    name = store.put(b"detection events")
    store.path(name).chmod(0o644)
    store.path(name).write_bytes(b"detection")
    with pytest.raises(CorruptObjectError, match=name):
        store.get(name)


def test_putting_over_a_damaged_object_mends_it_and_says_so(store, flip, caplog):
    name = store.put(b"detection events")
    flip(store.path(name))
    with caplog.at_level(logging.WARNING):
        store.put(b"detection events")
    assert f"object {name} is damaged" in caplog.text
    assert "the damaged file is kept as" in caplog.text
    assert store.get(name) == b"detection events"
    assert list(store.names()) == [name]


def test_a_missing_object_is_named_with_the_remedy(store):
    with pytest.raises(MissingObjectError, match=f"object {'0' * 64} is not in .*set TRIPLANE_HOME"):
        store.get("0" * 64)


@pytest.mark.parametrize("name", ["", "abc", "../" * 20 + "etc", "A" * 64, "g" * 64, "0" * 64 + "\n"])
def test_names_are_hashes(store, name):
    with pytest.raises(ProvenanceError, match="is not a SHA-256"):
        store.get(name)


def test_a_crash_while_writing_leaves_nothing(store, monkeypatch):
    def crash(handle):
        raise OSError("power cut")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="power cut"):
        store.put(b"half")
    assert list(store.names()) == []
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_threads_that_put_the_same_bytes_agree(store):
    names = []
    threads = [threading.Thread(target=lambda: names.append(store.put(b"same" * 1000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert list(store.names()) == [names[0]]


def test_objects_are_read_only(store):
    assert store.path(store.put(b"x")).stat().st_mode & 0o222 == 0


def test_the_folder_is_triplane_home(monkeypatch, tmp_path):
    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path / "evidence"))
    assert Store().root == tmp_path / "evidence"
    monkeypatch.delenv("TRIPLANE_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Store().root == tmp_path / "data" / "triplane"
