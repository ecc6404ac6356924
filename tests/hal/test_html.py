# SPDX-License-Identifier: BSD-2-Clause
"""What a notebook shows of objects of the board: well-formed, escaped, and with the numbers that people look for."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from triplane.hal import Identity
from triplane.hal.control import Execution
from triplane.hal.descriptor import load_descriptor
from triplane.hal.device import Device, load_device
from triplane.hal.html import grid, pairs, picture, titled

BOARDS = Path(__file__).resolve().parents[2] / "boards"


def cells(html):
    """Texts of all cells; a page that is not well-formed is refused."""
    return [
        "".join(cell.itertext()) for cell in ElementTree.fromstring(html).iter() if cell.tag in ("td", "th")
    ]


def test_everything_is_escaped():
    html = titled("<b>", pairs({"<i>": "&"}), grid(("<u>",), [("<s>",)], caption="<q>"), note="<a>")
    assert cells(html) == ["<i>", "&", "<u>", "<s>"]
    assert html.count("&lt;") == 6
    assert grid(("a",), []) == ""
    assert ElementTree.fromstring(picture(b"\x89PNG", 'of "1"')).get("alt") == 'of "1"'


def test_identity():
    html = Identity("triplane", "0.1.0", "ab" * 32, "0" * 64, 245_760_000)._repr_html_()
    assert cells(html) == ["gateware", "ab" * 8, "tables", "none loaded", "clock", "245.76 MHz"]


def test_execution():
    html = Execution(5, 1234567, 10, 4, 99, 0, outcomes=np.arange(20, dtype=np.uint32))._repr_html_()
    assert "halted with 0x5" in html
    found = cells(html)
    assert found[found.index("cycles") + 1] == "1,234,567"
    assert found[found.index("outcomes") + 1] == "20"
    assert found[-1] == "0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, ..."
    assert "outcomes" not in cells(Execution(0, 1, 1, 0, 0, 0)._repr_html_())


@pytest.mark.parametrize("name", sorted(file.stem for file in (BOARDS / "sim/devices").glob("*.yaml")))
def test_devices(name):
    device = load_device(name)
    found = cells(device._repr_html_())
    assert found.count("q0") >= 2
    assert f"{device.qubits[0].frequency_hz / 1e9:.4f}" in found
    assert f"{device.qubits[-1].t1_us:g}" in found


def test_a_device_without_couplings_or_lines():
    content = load_device("one_qubit").model_dump(mode="json") | {"couplings": [], "lines": []}
    assert "ZX / MHz" not in cells(Device.model_validate(content)._repr_html_())


@pytest.mark.parametrize("file", sorted(BOARDS.glob("*/descriptor.yaml")), ids=lambda file: file.parent.name)
def test_descriptors(file):
    board = load_descriptor(file)
    found = cells(board._repr_html_())
    assert (
        found[found.index("ADC delay") + 1]
        == f"{board.timing.adc_delay.ns:g} ns, {board.timing.adc_delay.status}"
    )
    assert "decoding" in found[found.index("has") + 1]
