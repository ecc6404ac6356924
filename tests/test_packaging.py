# SPDX-License-Identifier: BSD-2-Clause
"""The wheel: everything under `triplane`, nothing beside it, and every file that is not Python."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("boards", "firmware", "gateware", "hal", "host", "sim")
DATA = ("py.typed", "*.yaml", "*.cpp", "*.h", "*.lua", "*.c", "*.S", "*.ld", "*.hex")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "_build"
)


@pytest.fixture(scope="module")
def uv():
    found = shutil.which("uv")
    if found is None:
        pytest.skip("uv, which builds the wheel, is not in PATH")
    return found


@pytest.fixture(scope="module")
def wheel(uv, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, since setuptools would write into the checkout and take in what an earlier build left there.
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=LEFT_OUT)
    command = [
        uv,
        "build",
        "--wheel",
        "--quiet",
        "--python",
        sys.executable,
        "--out-dir",
        str(folder),
        "source",
    ]
    subprocess.run(command, cwd=folder, check=True)
    (built,) = folder.glob("triplane-*.whl")
    return built


@pytest.fixture(scope="module")
def python(uv, wheel):
    """The interpreter of a fresh environment that has the wheel alone, without its dependencies."""
    venv = wheel.parent / "venv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)], check=True)
    interpreter = venv / "bin" / "python"
    command = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        str(interpreter),
        str(wheel),
    ]
    subprocess.run(command, check=True)
    return interpreter


def imported(python, module):
    return subprocess.run(
        [python, "-I", "-c", f"import {module}"], cwd=python.parent, capture_output=True, text=True
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_a_package_of_triplane_only(python, folder):
    spec = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('triplane.{folder}') is None)"
    assert subprocess.run([python, "-I", "-c", spec], cwd=python.parent).returncode == 0
    bare = imported(python, folder)
    assert bare.returncode != 0
    assert f"No module named '{folder}'" in bare.stderr


def test_a_package_can_be_imported(python):
    assert imported(python, "triplane.host").returncode == 0


def test_tests_and_docs_stay_at_home(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    (info,) = tops - {"triplane"}
    assert info.endswith(".dist-info")


def test_every_file_ships(wheel):
    shipped = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"triplane/{path.relative_to(ROOT)}"
        for folder in FOLDERS
        for pattern in (*DATA, "*.py")
        for path in (ROOT / folder).rglob(pattern)
    }
    assert expected <= shipped
    assert {f"triplane/{folder}/py.typed" for folder in FOLDERS} <= shipped


def test_the_licence_ships(wheel):
    assert any(name.endswith("licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())
