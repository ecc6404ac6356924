# SPDX-License-Identifier: BSD-2-Clause
"""Area and depth on UltraScale+, by Yosys."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

from triplane.boards.synthesis.netlist import Figures, figures
from triplane.boards.synthesis.parts import Part
from triplane.boards.synthesis.tools import TIMEOUT_S, Progress, identity, run
from triplane.sim.cache import cached, content_key

XCZU49DR_LUTS = 425_280
"""LUTs of the device on the ZCU216 (Zynq UltraScale+ RFSoC, DS889)."""

NETLIST = "design.json.gz"


WIRE_PS = 600
"""What the mapper reckons for a wire. Yosys' own 300 ps are those of neighbours; with them it saves LUTs where a long
way has levels to spare, and has none to spare elsewhere."""


def script(top: str) -> str:
    """What Yosys is told."""
    return (
        f"scratchpad -set synth_xilinx.abc9.W {WIRE_PS}; "
        "read_verilog design.v; "
        # Without pads and clock buffers: the design is a part of a larger one.
        f"synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top {top}; "
        "setattr -unset src; setattr -unset src c:*; setattr -unset src w:*; write_json design.json"
    )


def synthesize(
    verilog: str, *, label: str, timeout_s: float = TIMEOUT_S, report: Progress = lambda _: None
) -> Figures:
    """Figures of the module `top` in `verilog`, from the cache or mapped now.

    label: what it is, for progress and errors.  timeout_s: seconds until Yosys is stopped.
    report: called with a line of text as things go on.

    Raises SynthesisError: Yosys is not installed, failed, or took too long.
    """
    return figures(mapped(Part("top", verilog), label=label, timeout_s=timeout_s, report=report))


def mapped(
    part: Part, *, label: str, timeout_s: float = TIMEOUT_S, report: Progress = lambda _: None
) -> dict[str, Any]:
    """Netlist of a part as Yosys' JSON has it; the rest is as for `synthesize`."""
    commands = script(part.name)

    def build(folder: Path) -> None:
        (folder / "design.v").write_text(part.verilog)
        run("yosys", ["-p", commands], folder, label=label, timeout_s=timeout_s, report=report)
        with (folder / "design.json").open("rb") as netlist, gzip.open(folder / NETLIST, "wb", 4) as packed:
            shutil.copyfileobj(netlist, packed)
        (folder / "design.json").unlink()

    entry, _ = cached("xilinx", content_key([part.verilog, commands, identity("yosys")]), build)
    with gzip.open(entry / NETLIST, "rt") as netlist:
        content: dict[str, Any] = json.load(netlist)
    return content
