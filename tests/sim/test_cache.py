# SPDX-License-Identifier: BSD-2-Clause
"""The cache: whole entries or none."""

import multiprocessing
import time

import pytest

from triplane.sim.cache import CacheError, cache_root, cached, content_key, make_takes, seal, sealed


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path))
    return tmp_path


def write(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_text("content")


def test_built_once(root):
    first, built = cached("kind", "key", write)
    again, rebuilt = cached("kind", "key", lambda _: pytest.fail("built twice"))
    assert (built, rebuilt) == (True, False)
    assert first == again == root / "kind" / "key"
    assert (again / "sub" / "file").read_text() == "content"


@pytest.mark.parametrize("interruption", [RuntimeError("broken"), KeyboardInterrupt()])
def test_an_interrupted_build_leaves_nothing(root, interruption):
    def half(folder):
        write(folder)
        raise interruption

    with pytest.raises(type(interruption)):
        cached("kind", "key", half)
    assert [path.name for path in (root / "kind").iterdir()] == ["key.lock"]
    _, built = cached("kind", "key", write)
    assert built


def test_what_a_killed_process_left_is_swept(root):
    key = content_key(["x"])
    stale = root / "kind" / f"{key[:32]}.abc.partial"
    stale.mkdir(parents=True)
    cached("kind", key, write)
    assert not stale.exists()


def test_a_damaged_entry_is_told_and_built_again(root):
    entry, _ = cached("kind", "key", write)
    (entry / "sub" / "file").write_text("contemt")
    lines = []

    def good(folder):
        return (folder / "sub" / "file").read_text() == "content"

    again = cached("kind", "key", write, intact=good, report=lines.append)
    assert again == (entry, True)
    assert lines == [f"{entry} is damaged; building it again"]
    assert cached("kind", "key", write, intact=good, report=lines.append) == (entry, False)
    assert len(lines) == 1


def test_a_seal_holds_for_one_content(tmp_path):
    file = tmp_path / "file"
    assert not sealed(file)
    file.write_text("content")
    assert not sealed(file)
    seal(file)
    assert sealed(file)
    file.write_text("contemt")
    assert not sealed(file)


@pytest.mark.parametrize("name", ["a b", "a$b", "a#b", "a:b", "a%b", "a'b"])
def test_what_make_cannot_take_stays_out_of_the_build(tmp_path, monkeypatch, name):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path / name))
    seen = []
    entry, _ = cached("kind", "key", lambda folder: (seen.append(folder), write(folder)))
    assert make_takes(seen[0])
    assert not seen[0].exists()
    assert entry == tmp_path / name / "kind" / "key"
    assert (entry / "sub" / "file").exists()


def test_two_folders_that_make_cannot_take_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path / "a$b"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "c#d"))
    with pytest.raises(
        CacheError, match=r"neither in .*/a\$b/kind nor in .*/c#d, .*TRIPLANE_CACHE or TMPDIR"
    ):
        cached("kind", "key", write)
    assert not (tmp_path / "a$b" / "kind" / "key").exists()


def _build_slowly(queue):
    def build(folder):
        queue.put("built")
        time.sleep(0.5)
        write(folder)

    cached("kind", "key", build)


def test_two_processes_build_once():
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=_build_slowly, args=(queue,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert queue.get(timeout=5) == "built"
    assert queue.empty()


def test_keys_depend_on_where_parts_end():
    assert content_key(["ab", "c"]) != content_key(["a", "bc"])
    assert content_key(["ab"]) == content_key([b"ab"])


def test_default_is_the_users_cache(monkeypatch):
    monkeypatch.delenv("TRIPLANE_CACHE")
    assert cache_root().name == "triplane"
