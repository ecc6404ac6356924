# SPDX-License-Identifier: BSD-2-Clause
"""A readout line with its registers on a bus: the module that is simulated and synthesised by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping

from litex.gen import LiteXModule
from litex.soc.interconnect.csr_bus import CSRBank, Interface
from migen import ClockDomain, Signal

from triplane.gateware.readout.layouts import MAX_TONES, SOFT_BITS
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.verilog import convert, without_comments

SOFTS_PER_PIN = 8


class LineTop(LiteXModule):
    """Pins of fixed width, whatever the number of tones.

    Args:
        line: to wrap.

    Attributes:
        pins: all of them, clock and reset included.
        addresses: register word -> address on the bus, in words; `name` for a register of one word, `name.k` for word
            k, least significant first, of a longer one.
    """

    def __init__(self, line: ReadoutLine) -> None:
        self.line = line
        self.bank = bank = CSRBank(line.get_csrs(), bus=Interface(data_width=32))
        pins = {"valid": MAX_TONES, "bits": MAX_TONES, "leaked": MAX_TONES, "soft0": 64, "soft1": 64}
        outputs = {name: Signal(width, name=name) for name, width in pins.items()}
        self.comb += [outputs[name].eq(getattr(line, name)) for name in ("valid", "bits", "leaked")]
        for k, soft in enumerate(line.soft):
            low = SOFT_BITS * (k % SOFTS_PER_PIN)
            self.comb += outputs[f"soft{k // SOFTS_PER_PIN}"][low : low + SOFT_BITS].eq(soft)
        self.clock_domains.cd_sys = clock = ClockDomain("sys")
        named = {"i": line.i, "q": line.q, "now": line.now, "result_time": line.time}
        named |= {name: getattr(line, name) for name in ("saturated", "busy", "collision", "unknown")}
        named |= {f"capture_{name}": getattr(line.capture, name) for name in ("valid", "kind", "value")}
        named |= {f"bus_{name}": getattr(bank.bus, name) for name in ("adr", "we", "re", "dat_w", "dat_r")}
        for name, signal in (named | outputs).items():
            signal.name_override = name
        self.pins = {*named.values(), *outputs.values(), clock.clk, clock.rst}

    @property
    def addresses(self) -> dict[str, int]:
        """See the class; the module must have been finalised."""
        found: dict[str, int] = {}
        place = 0
        for register in self.line.get_csrs():
            words = len(register.simple_csrs)
            for k in range(words):
                # The bank has the most significant word at the lowest address.
                found[register.name if words == 1 else f"{register.name}.{k}"] = place + words - 1 - k
            place += words
        return found


def line_verilog(line: ReadoutLine, name: str = "top") -> tuple[str, dict[str, str], dict[str, int]]:
    """Verilog of a line with its bus, its memory files by name, and the addresses of its registers."""
    top = LineTop(line)
    output = convert(top, ios=top.pins, name=name)
    return without_comments(output.main_source), dict(output.data_files), top.addresses


def with_memories(verilog: str, memories: Mapping[str, str]) -> str:
    """Verilog that needs no files: what a memory holds at the start, word by word, where a file would be read."""

    def words(match: re.Match[str]) -> str:
        lines = memories[match["file"]].split()
        return "\n".join(f"{match['memory']}[{k}] = 'h{word};" for k, word in enumerate(lines))

    return re.sub(r'\$readmemh\("(?P<file>[^"]+)", *(?P<memory>\w+)\);', words, verilog)
