# SPDX-License-Identifier: BSD-2-Clause
"""Every notebook of the documentation runs from top to bottom; what it gave is kept for the site."""

import re
import runpy
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTEBOOKS = sorted(DOCS.glob("notebooks/*.ipynb"))
LIMIT_S = 900
"""Of a cell: the first one that needs a board compiles it."""

SAYS = {
    "first-contact": (r"<th>qubits wait / ns</th>", r"halted with 0x0"),
    "teleportation": (
        r"1 start for 9 angles of 100 shots",
        r"on the device: 0 is \d, 1 is \d, 2 is \d",
        r"waiting for five T1: 715\.00 µs\na reset: 0\.63 µs",
    ),
    "repeat-until-success": (r"^\d\d cycles, \d\d ns$",),
    "memory": (r"a round takes 447 cycles", r"gateware, live: +\d of 32"),
    "calibrate-a-qubit": (r"<th>T2\*</th>", r"± [\d.]+ kHz</td>", r"stale: 30 h old"),
    "your-own-board": (r"t2_us 700 is above twice t1_us 90", r"has not answered within", r"a board: True"),
}
"""Notebook -> what its outputs say, as regular expressions."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_without_outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    assert [cell.outputs for cell in cells if cell.cell_type == "code" and cell.outputs] == []
    assert cells[0].source.startswith("# ")


def said(notebook):
    """All texts that its cells gave."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            texts.append(output.get("text", ""))
            texts += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
        texts.append("\n")
    return "".join(texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path / "home"))
    # Frozen modules cannot be debugged, says the kernel otherwise.
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(path, as_version=4)
    result = single_nb_execution(
        notebook, cwd=str(path.parent), timeout=LIMIT_S, allow_errors=False, kernel_name="python3"
    )
    assert result.err is None, result.exc_string
    streams = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [output.text for output in streams if output.get("name") == "stderr"] == []
    text = said(notebook)
    for pattern in SAYS[path.stem]:
        assert re.search(pattern, text, re.MULTILINE), f"{pattern!r} is nowhere in {text}"
    cache = get_cache(runpy.run_path(str(DOCS / "conf.py"))["nb_execution_cache_path"])
    cache.cache_notebook_bundle(
        CacheBundleIn(notebook, str(path), data={"execution_seconds": result.time}),
        check_validity=False,
        overwrite=True,
    )
    assert cache.match_cache_file(str(path))
