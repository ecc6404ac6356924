# SPDX-License-Identifier: BSD-2-Clause
"""A whole board taken apart for synthesis."""

from __future__ import annotations

import re

import stim

from triplane.boards.synthesis.system import CORE, ENGINE, system_parts
from triplane.firmware.image import committed
from triplane.gateware.decoder.engine import DecodeEngine
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import whole_window
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.shape import SyndromeShape


def test_every_core_is_a_part_once_with_its_count():
    circuit = stim.Circuit.generated(
        "repetition_code:memory", distance=3, rounds=2, before_round_data_depolarization=0.01
    )
    plan = whole_window(compile_graph(circuit.detector_error_model(decompose_errors=True)))
    shape = FabricShape(2, 2, SyndromeShape(slots=4, events=2), frame_qubits=(0, 1), tones=2)
    parts = system_parts("zcu216", shape, DecodeEngine(plan), committed().content)
    counts = {entry.part.name: entry.count for entry in parts}
    expected = {
        "sequencer": 1,
        "formation": 1,
        "drive0": 2,
        "tones0": 2,
        "line0": 2,
        "pauli": 1,
        CORE: 1,
        "top": 1,
    }
    assert counts == expected
    top = parts[-1].part.verilog
    boxes = set(re.findall(r"\(\* blackbox \*\) module (\w+)", top))
    assert boxes == {
        "sequencer",
        "formation",
        "pauli",
        ENGINE,
        CORE,
        *(f"{k}{n}" for k in ("drive", "tones", "line") for n in "01"),
    }
    for entry in parts:
        assert re.search(rf"^module {entry.part.name}\b", entry.part.verilog, re.MULTILINE)
        assert "readmemh" not in entry.part.verilog, "contents of memories are in the text"
    assert "m_dac3_tdata" in top
    assert "s_axi_rdata" in top
