# SPDX-License-Identifier: BSD-2-Clause
"""Building boards: the cache, processes side by side, interruption, broken tools."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from triplane.sim.board import Design, SimulatedBoard, build_board
from triplane.sim.toolchain import ToolchainError

# A process that builds the smallest board and reports what that took.
SCRIPT = """
import json, sys, stim
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import whole_window
from triplane.sim.board import Design, SimulatedBoard, build_board
model = stim.DetectorErrorModel("error(0.1) D0\\nerror(0.1) D0 D1 L0\\nerror(0.1) D1")
build = build_board(Design.for_plan(whole_window(compile_graph(model))), progress=lambda line: print(line, flush=True))
with SimulatedBoard(build.library) as board:
    address = build.registers["registers"]["identification_scratch"]["address"]
    scratch = int(board.read(address)[0])
print(json.dumps({"elaborated": build.elaborated, "compiled": build.compiled, "hash": build.build_hash,
                  "scratch": scratch, "litex": "litex" in sys.modules}))
"""


def start(cache, **environment):
    env = os.environ | {"TRIPLANE_CACHE": str(cache)} | environment
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores the signal, and its children inherit that.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def outcome(process):
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return json.loads(out.splitlines()[-1])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def two(cache):
    """Two processes that build the same board at once in an empty cache, with different hash seeds."""
    return [outcome(process) for process in [start(cache, PYTHONHASHSEED=seed) for seed in ("1", "2")]]


def test_two_processes_build_once(two, cache):
    assert sorted(result["compiled"] for result in two) == [False, True]
    assert two[0]["hash"] == two[1]["hash"]
    assert [result["scratch"] for result in two] == [0x12345678] * 2
    assert len([path for path in (cache / "boards").iterdir() if path.is_dir()]) == 1


def test_a_second_start_runs_no_compiler_and_no_elaboration(two, cache, tmp_path):
    log = tmp_path / "log"
    for tool in ("g++", "make", "perl"):
        script = tmp_path / tool
        script.write_text(f'#!/bin/sh\necho {tool} "$@" >> {log}\nexec {shutil.which(tool)} "$@"\n')
        script.chmod(0o755)
    result = outcome(start(cache, PATH=f"{tmp_path}:{os.environ['PATH']}"))
    assert not result["elaborated"]
    assert not result["compiled"]
    assert not result["litex"]
    # The compiler's version is part of the key; nothing else was asked of any tool.
    assert set(log.read_text().splitlines()) == {"g++ --version"}


def test_an_evicted_library_is_built_again(two, cache):
    for path in (cache / "boards").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    result = outcome(start(cache))
    assert (result["elaborated"], result["compiled"]) == (False, True)
    assert result["hash"] == two[0]["hash"]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("board.so", lambda path: os.truncate(path, path.stat().st_size // 2)),
        ("board.so", lambda path: os.truncate(path, 0)),
        ("board.so", lambda path: path.unlink()),
        ("board.so", lambda path: path.write_bytes(path.read_bytes()[:-4096] + b"\0" * 4096)),
        ("board.so.sha256", lambda path: path.unlink()),
        ("design.json", lambda path: os.truncate(path, path.stat().st_size // 2)),
        ("design.json", lambda path: path.write_text("{}")),
        ("design.json", lambda path: path.write_bytes(b"\xff\xfe")),
        ("design.json", lambda path: path.unlink()),
    ],
    ids=["cut", "empty", "missing", "zeros", "no hash", "design cut", "no fields", "no text", "no design"],
)
def test_a_damaged_entry_is_told_and_built_again(design, tmp_path, monkeypatch, entry, name, damage):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path))
    shutil.copytree(entry, tmp_path, dirs_exist_ok=True)
    (path,) = tmp_path.glob(f"*/*/{name}")
    before = build_board(design)
    assert not before.elaborated
    damage(path)
    # What is rebuilt is tested above; here the compiler's part is taken from the good entry.
    compiled = []

    def compile_(tools, verilog, trace, defines, work, report):
        compiled.append(work)
        (library,) = entry.glob("boards/*/board.so")
        for file in library.parent.iterdir():
            shutil.copy(file, work)

    monkeypatch.setattr("triplane.sim.board.build._compile", compile_)
    lines = []
    again = build_board(design, progress=lines.append)
    assert lines[0] == f"{path.parent} is damaged; building it again"
    assert (again.elaborated, again.compiled) == (name == "design.json", name != "design.json")
    assert len(compiled) == again.compiled
    assert (again.registers, again.build_hash) == (before.registers, before.build_hash)
    with SimulatedBoard(again.library) as board:
        address = again.registers["registers"]["identification_scratch"]["address"]
        assert board.read(address)[0] == 0x12345678
    assert not build_board(design, progress=lines.append).elaborated
    assert sum("damaged" in line for line in lines) == 1


@pytest.fixture(scope="module")
def entry(design, tmp_path_factory):
    """A cache that holds one board."""
    folder = tmp_path_factory.mktemp("entry")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TRIPLANE_CACHE", str(folder))
        build_board(design)
    return folder


def test_an_interrupted_build_leaves_nothing_and_no_compiler(two, cache, tmp_path):
    process = start(tmp_path)
    for line in process.stdout:
        if line.startswith("compiling 0"):
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    left = [
        path.name for kind in ("boards", "models") for path in (tmp_path / kind).iterdir() if path.is_dir()
    ]
    assert left == []
    assert not [command for command in commands() if str(tmp_path) in command]


def commands():
    """Command lines and working folders of all processes."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                yield (folder / "cmdline").read_text().replace("\0", " ") + str((folder / "cwd").readlink())
            except OSError:
                continue


def test_a_missing_compiler_is_named_before_anything_is_elaborated(design, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = []
    with pytest.raises(ToolchainError, match=r"needs g\+\+, make, perl, ar.*apt-get install"):
        build_board(design, progress=lines.append)
    assert lines == []


def test_a_failing_compiler_is_quoted(design, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path / "cache"))
    compiler = tmp_path / "g++"
    compiler.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo broken 1.0 && exit 0\necho out of disk >&2\nexit 1\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ToolchainError, match="out of disk"):
        build_board(design)
    assert not [path for path in (tmp_path / "cache" / "boards").iterdir() if path.is_dir()]


def test_a_graph_of_other_structure_is_another_board(design):
    others = [
        Design(design.decoder, ("parity", "2")),
        Design(design.decoder, design.identity, event_depth=128),
    ]
    assert len({design.source_key, *(other.source_key for other in others)}) == 3


def test_a_cache_in_a_folder_that_make_cannot_take(design, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path / "a $b #c"))
    with SimulatedBoard(build_board(design).library) as board:
        assert board.cycles > 0
