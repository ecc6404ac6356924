# SPDX-License-Identifier: BSD-2-Clause
"""Place and route on the ECP5, by Yosys and nextpnr."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triplane.boards.synthesis.tools import TIMEOUT_S, Progress, identity, run
from triplane.sim.cache import cached, content_key

DEVICE = ("--85k", "--package", "CABGA381", "--speed", "6")
"""LFE5U-85F-6, the slowest grade: what open ECP5 boards carry."""

TARGET_MHZ = 100
"""Clock that nextpnr is asked for: above what it reaches, so that it goes on trying."""

SEED = 1
SCRIPT = "read_verilog design.v; synth_ecp5 -abc9 -top top -json design.json"
REPORT = "report.json"


@dataclass(frozen=True)
class Routed:
    """A placed and routed design.

    Attributes:
        fmax_mhz: highest clock of the clock `sys_clk`, slowest corner.
        luts: LUT4s placed, with those that carry chains and wide multiplexers use.
        registers: flip-flops placed.
        available_luts: LUT4s of the device.
    """

    fmax_mhz: float
    luts: int
    registers: int
    available_luts: int


def place_and_route(
    verilog: str, *, label: str, timeout_s: float = TIMEOUT_S, report: Progress = lambda _: None
) -> Routed:
    """Figures of the module `top` in `verilog`, from the cache or placed and routed now.

    label: what it is, for progress and errors.  timeout_s: seconds until a tool is stopped.
    report: called with a line of text as things go on.

    Raises SynthesisError: a tool is not installed, failed (a design that does not fit), or took too long.
    """
    arguments = ["--json", "design.json", *DEVICE, "--report", REPORT, "--freq", str(TARGET_MHZ)]
    arguments += ["--seed", str(SEED), "--timing-allow-fail", "--lpf-allow-unconstrained", "--quiet"]

    def build(folder: Path) -> None:
        (folder / "design.v").write_text(verilog)
        run("yosys", ["-p", SCRIPT], folder, label=label, timeout_s=timeout_s, report=report)
        run("nextpnr-ecp5", arguments, folder, label=label, timeout_s=timeout_s, report=report)
        (folder / "design.json").unlink()

    tools = (identity("yosys"), identity("nextpnr-ecp5"))
    entry, _ = cached("ecp5", content_key([verilog, SCRIPT, *arguments, *tools]), build)
    return read_report(json.loads((entry / REPORT).read_text()))


def read_report(content: Mapping[str, Any]) -> Routed:
    """Figures of nextpnr's JSON report; of several clocks the slowest counts."""
    used = content["utilization"]
    return Routed(
        fmax_mhz=min(clock["achieved"] for clock in content["fmax"].values()),
        luts=used["TRELLIS_COMB"]["used"],
        registers=used["TRELLIS_FF"]["used"],
        available_luts=used["TRELLIS_COMB"]["available"],
    )
