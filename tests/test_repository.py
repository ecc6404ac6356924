# SPDX-License-Identifier: BSD-2-Clause
"""Conventions of the tree that no linter knows."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("boards", "firmware", "gateware", "hal", "host", "sim")
CODE = {".py", ".cpp", ".c", ".h", ".S", ".ld", ".hex", ".lua", ".yaml", ".svg"}


def files():
    """Files that git knows, or would take; all of the tree's where there is no checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("the tree is not a git checkout")
    return [
        path for line in done.stdout.splitlines() if (path := ROOT / line).is_file() and not path.is_symlink()
    ]


def test_every_source_file_names_its_licence():
    without = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.suffix in CODE and "SPDX-License-Identifier: BSD-2-Clause" not in path.read_text()[:300]
    ]
    assert without == []


def test_the_package_is_one_folder_of_links():
    links = {
        link.name: link.readlink() for link in (ROOT / ".src" / "triplane").iterdir() if link.is_symlink()
    }
    assert links == {folder: Path("../..") / folder for folder in FOLDERS}
    assert not (ROOT / ".src" / "triplane" / "__init__.py").exists()


def test_every_dependency_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)
    optional = project["project"]["optional-dependencies"].values()
    groups = project["dependency-groups"].values()
    requirements = [
        item for items in (project["project"]["dependencies"], *optional, *groups) for item in items
    ]
    assert len(requirements) > 20
    for requirement in requirements:
        lines = [line for line in text.splitlines() if f'"{requirement}"' in line]
        assert lines
        assert all(re.search(r'",\s+# \w', line) for line in lines), f"{requirement} stands without a reason"


def test_every_rule_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text()
    rules = re.findall(r'^    "[A-Z]+\d*",.*$', text, flags=re.MULTILINE)
    assert len(rules) > 30
    assert [line for line in rules if not re.search(r",\s+# \S", line)] == []


def test_links_between_readme_and_tree_hold():
    readme = (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", readme) + re.findall(r'src="([^"]+)"', readme)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
