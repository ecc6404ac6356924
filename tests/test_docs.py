# SPDX-License-Identifier: BSD-2-Clause
"""Python examples in the documentation run as they stand, and tables are what the code declares."""

import re
import textwrap
from pathlib import Path

import pytest

from triplane.gateware.decoder.layouts import RESULT

DOCS = Path(__file__).resolve().parents[1] / "docs"
FRAGMENTS = ("graph.pack_events(events)  #",)
"""Examples that show one line of a longer one."""


def examples():
    for page in sorted(DOCS.rglob("*.md")):
        for number, match in enumerate(
            re.finditer(r"^( *)```python\n(.*?)^\1```", page.read_text(), re.M | re.S)
        ):
            if not any(fragment in match[2] for fragment in FRAGMENTS):
                yield pytest.param(textwrap.dedent(match[2]), id=f"{page.stem}-{number}")


@pytest.mark.parametrize("example", list(examples()))
def test_example_runs(example, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("detection_events.b8").write_bytes(b"\x01")
    exec(compile(example, "example", "exec"), {"__name__": "example"})  # noqa: S102 (the project's own documentation)
    assert capsys.readouterr().out


def test_the_record_on_its_page_is_the_record():
    page = (DOCS / "packet-format.md").read_text()
    assert RESULT.table() in page
    assert RESULT.words == 10
    assert "Ten words per window" in page
