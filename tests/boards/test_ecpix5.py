# SPDX-License-Identifier: BSD-2-Clause
"""The ECPIX-5: pins and clocks in the constraints, reports read right, and, where asked for, a bitstream."""

from __future__ import annotations

import json
import os
import re
from functools import cache

import pytest
import stim

from triplane.boards.ecpix5.platform import CLOCK_HZ
from triplane.boards.ecpix5.target import ecpix5_soc
from triplane.boards.synthesis import SynthesisError
from triplane.boards.synthesis import bitstream as module
from triplane.boards.synthesis.bitstream import (
    BITSTREAM,
    REPORT,
    Device,
    TimingError,
    make_bitstream,
    pin_constraints,
    read_clocks,
    read_resources,
)
from triplane.firmware.image import committed
from triplane.gateware.decoder.engine import DecodeEngine
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import whole_window
from triplane.gateware.registers import register_map
from triplane.host.building import build_bundle
from triplane.host.building.command import ecp5_device

CELLS = {
    "TRELLIS_COMB": 34_141,
    "TRELLIS_FF": 12_566,
    "DP16KD": 30,
    "MULT18X18D": 0,
    "TRELLIS_IO": 20,
    "EHXPLLL": 1,
}


def report(**reached):
    wanted = {"sys": 50.0, "rx": 125.0}
    names = {"sys": "$glbnet$sys_clk", "rx": "$glbnet$eth_clocks_rx$TRELLIS_IO_IN"}
    return {
        "fmax": {names[k]: {"achieved": mhz, "constraint": wanted[k]} for k, mhz in reached.items()},
        "utilization": {cell: {"used": used, "available": 83_640} for cell, used in CELLS.items()},
    }


@cache
def small_soc():
    circuit = stim.Circuit.generated(
        "repetition_code:memory", distance=3, rounds=2, before_round_data_depolarization=0.01
    )
    plan = whole_window(compile_graph(circuit.detector_error_model(decompose_errors=True)))
    soc = ecpix5_soc(
        DecodeEngine(plan),
        build_hash="0" * 64,
        event_depth=64,
        result_depth=64,
        baudrate=1_000_000,
        image=committed().content,
    )
    return soc, soc.platform.get_verilog(soc, name="board")


def test_elaborates_with_what_the_device_has():
    soc, output = small_soc()
    verilog = str(output.main_source)
    assert set(re.findall(r"^(EHXPLLL|ODDRX1F|IDDRX1F|DELAYG)\b", verilog, re.MULTILINE)) == {
        "EHXPLLL",
        "ODDRX1F",
        "IDDRX1F",
        "DELAYG",
    }
    registers = register_map(soc)["registers"]
    assert "processor_job" in registers, "the soft core watches over hosts at the other end of a cable"
    assert registers["identification_clock_hz"]["reset"] == CLOCK_HZ
    assert {"udp_key", "network_ip", "uart_key", "serial_cut"} <= set(registers)


def test_pll_makes_the_system_clock():
    soc, output = small_soc()
    pll = soc.crg.pll.params
    fed_back = pll["p_" + pll["p_FEEDBK_PATH"].replace("INT_O", "CLKO") + "_DIV"]
    oscillator_hz = 100_000_000 // pll["p_CLKI_DIV"] * pll["p_CLKFB_DIV"] * fed_back
    assert 400_000_000 <= oscillator_hz <= 800_000_000, "within the PLL's range"
    assert oscillator_hz == CLOCK_HZ * pll["p_CLKOP_DIV"]
    names = {output.ns.get_name(clock): hz for clock, hz in soc.platform.input_clocks}
    assert names == {"clk100": 100_000_000, "eth_clocks_rx": 125_000_000}


def test_constraints_place_every_port_once():
    pins = [
        {"port": "clk100", "site": "K23", "standard": "LVCMOS33", "extra": []},
        {"port": "eth_rx_data[0]", "site": "B11", "standard": "LVCMOS33", "extra": ["PULLMODE=UP"]},
    ]
    text = pin_constraints(pins, {"clk100": 100.0})
    assert 'LOCATE COMP "clk100" SITE "K23";' in text
    assert 'IOBUF PORT "eth_rx_data[0]" IO_TYPE=LVCMOS33 PULLMODE=UP;' in text
    assert 'FREQUENCY PORT "clk100" 100 MHz;' in text


def test_pins_are_distinct():
    soc, output = small_soc()
    sites = [site for _, sites, _, _ in soc.platform.resolve_signals(output.ns)[0] for site in sites]
    assert len(sites) == len(set(sites)) == 20


def test_clocks_are_read_slowest_margin_first():
    clocks = read_clocks(report(sys=60.0, rx=130.0))
    assert [(clock.name, clock.met) for clock in clocks] == [("eth_clocks_rx", True), ("sys_clk", True)]
    clocks = read_clocks(report(sys=49.9, rx=130.0))
    assert [(clock.name, clock.met) for clock in clocks] == [("sys_clk", False), ("eth_clocks_rx", True)]
    with pytest.raises(SynthesisError, match="has no clock"):
        read_clocks(report())


def test_resources():
    assert read_resources(report(sys=60.0))["LUT4"] == (34_141, 83_640)


def test_device():
    assert ecp5_device("LFE5UM5G-85F-8BG554I") == Device("LFE5UM5G-85F-8BG554I", "um5g-85k", "CABGA554", 8)


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """In the place of the tools: those that leave files, and clocks as fast as the test says, seed by seed."""
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path))
    calls, speeds = [], []

    def run(tool, arguments, folder, **_):
        calls.append((tool, *arguments))
        if tool == "yosys":
            (folder / "design.json").write_text("{}")
        elif tool == "nextpnr-ecp5":
            (folder / "board.config").write_text("")
            (folder / REPORT).write_text(json.dumps(report(sys=speeds.pop(0), rx=140.0)))
        else:
            for name in (BITSTREAM, module.SVF):
                (folder / name).write_text("bits")

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(module, "identity", lambda tool: f"{tool} 1")
    return calls, speeds


DEVICE = Device("LFE5UM5G-85F-8BG554I", "um5g-85k", "CABGA554", 8)


def test_next_seed_where_timing_is_missed(tools):
    calls, speeds = tools
    speeds += [48.0, 52.0]
    made = make_bitstream("module board; endmodule", "", DEVICE, label="test")
    assert made.seed == 2
    assert [call[0] for call in calls] == ["yosys", "nextpnr-ecp5", "nextpnr-ecp5", "ecppack"]
    assert all(clock.met for clock in made.clocks)
    again = make_bitstream("module board; endmodule", "", DEVICE, label="test")
    assert again == made
    assert len(calls) == 4, "from the cache"


def test_no_bitstream_where_no_seed_meets_timing(tools):
    calls, speeds = tools
    speeds += [40.0] * len(module.SEEDS)
    with pytest.raises(
        TimingError, match=r"50 MHz are not met: sys_clk reaches 40.0 MHz with seed 1; .*smaller decoder"
    ):
        make_bitstream("module board; endmodule", "", DEVICE, label="test")
    assert not [call for call in calls if call[0] == "ecppack"]
    speeds.append(55.0)
    make_bitstream("module board; endmodule", "", DEVICE, label="test")
    assert [call[0] for call in calls].count("yosys") == 1, "the netlist was kept"


@pytest.mark.skipif(
    os.environ.get("BITSTREAM") != "1",
    reason="place and route takes most of an hour where it is not in the cache: `make bitstream`",
)
def test_bitstream_with_timing_met(tmp_path):
    bundle = build_bundle("ecpix5", tmp_path / "bundle", report=print)
    assert all(clock.reached_mhz >= clock.wanted_mhz for clock in bundle.manifest.clocks)
    names = {clock.name: clock.wanted_mhz for clock in bundle.manifest.clocks}
    assert names["sys_clk"] == pytest.approx(CLOCK_HZ / 1e6)
    assert bundle.path(BITSTREAM).stat().st_size > 100_000
    assert bundle.path(BITSTREAM).read_bytes().find(bytes.fromhex("ffffbdb3")) >= 0, "the preamble of an ECP5"
