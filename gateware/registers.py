# SPDX-License-Identifier: BSD-2-Clause
"""The register map, read out of the finished system on chip: for the host as JSON, for people as Markdown.

python -m triplane.gateware.registers docs/registers.md            # write
python -m triplane.gateware.registers docs/registers.md --check    # exit 1 and print the difference
"""

import argparse
import difflib
import logging
import sys
from pathlib import Path
from typing import Any

from litex.soc.integration.soc_core import SoCCore
from litex.soc.interconnect.csr import CSRStorage

WORD_BITS = 32
WORD_BYTES = WORD_BITS // 8


def register_map(soc: SoCCore) -> dict[str, Any]:
    """All registers of a finalised SoC, as JSON values.

    Returns {"registers": {name: {"address": bytes, "words", "bits", "access": "rw" | "ro", "description", "reset",
    "fields": [{"name", "offset", "bits", "access": "rw" | "ro" | "pulse", "description", "reset"}]}}}, in the order of
    addresses. A register of several words has its least significant word at the lowest address.

    Raises ValueError for a register or field without a description: the map is also the documentation.
    """
    registers: dict[str, Any] = {}
    for bank, region in soc.csr.regions.items():
        address = region.origin
        for csr in region.obj:
            name = f"{bank}_{csr.name}"
            words = -(-csr.size // WORD_BITS)
            storage = isinstance(csr, CSRStorage)
            fields = csr.fields.fields if hasattr(csr, "fields") else []
            undescribed = [name] * (not csr.description) + [
                f"{name}.{field.name}" for field in fields if not field.description
            ]
            if undescribed:
                raise ValueError(f"registers need a description: {', '.join(undescribed)}")
            registers[name] = {
                "address": address,
                "words": words,
                "bits": csr.size,
                "access": "rw" if storage else "ro",
                "description": csr.description,
                "reset": (csr.storage if storage else csr.status).reset.value,
                "fields": [
                    {
                        "name": field.name,
                        "offset": field.offset,
                        "bits": field.size,
                        "access": "pulse" if field.pulse else "rw" if storage else "ro",
                        "description": field.description,
                        "reset": field.reset_value,
                    }
                    for field in fields
                ],
            }
            address += WORD_BYTES * words
    return {"registers": dict(sorted(registers.items(), key=lambda item: item[1]["address"]))}


def registers_md(registers: dict[str, Any], about: str) -> str:
    """Markdown of a register map. `about` says which gateware it was read from."""
    lines = [
        "# Registers",
        "",
        "Generated from the fields of the cores by `python -m triplane.gateware.registers docs/registers.md`.",
        "",
        f"Addresses are in bytes; every register starts at a 32-bit word. {about}",
        "A register of several words has its least significant word at the lowest address. `pulse` fields act",
        "when 1 is written and read as written. Widths that follow from the decoding graph differ between",
        "builds; the host reads the map that is stored with the build, never this page.",
    ]
    bank = None
    for name, register in registers["registers"].items():
        if name.split("_")[0] != bank:
            bank = name.split("_")[0]
            lines += ["", f"## {bank}"]
        span = f", {register['words']} words" if register["words"] > 1 else ""
        reset = (
            ""
            if register["access"] == "ro" or register["bits"] > WORD_BITS
            else f", reset {register['reset']:#x}"
        )
        lines += ["", f"### `{name}`", ""]
        bits = "1 bit" if register["bits"] == 1 else f"{register['bits']} bits"
        about_it = f"{bits}{span}, {register['access']}{reset}. {register['description']}"
        lines.append(f"`{register['address']:#06x}`, {about_it}")
        if register["fields"]:
            lines += ["", "| bits | field | access | meaning |", "|---|---|---|---|"]
        for field in register["fields"]:
            low, high = field["offset"], field["offset"] + field["bits"] - 1
            bits = str(low) if low == high else f"{high}..{low}"
            lines.append(f"| {bits} | `{field['name']}` | {field['access']} | {field['description']} |")
    return "\n".join(lines) + "\n"


def _example() -> str:
    """The page for the simulated board with a decoder of a distance-3 repetition code and a fabric of two channels."""
    import stim

    from triplane.boards.sim.target import simulated_soc
    from triplane.gateware.decoder.engine import DecodeEngine
    from triplane.gateware.decoder.graph import compile_graph
    from triplane.gateware.decoder.window import whole_window
    from triplane.gateware.fabric import ControlFabric
    from triplane.gateware.shape import FabricShape
    from triplane.gateware.syndrome.shape import SyndromeShape

    circuit = stim.Circuit.generated(
        "repetition_code:memory", distance=3, rounds=3, before_round_data_depolarization=0.01
    )
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    syndrome = SyndromeShape(slots=8, events=2, kept=2, history=1, known=0, observables=1, kinds=4)
    fabric = ControlFabric(FabricShape(1, 1, syndrome))
    soc = simulated_soc(
        DecodeEngine(whole_window(graph)), build_hash="0" * 64, fabric=fabric, links=True, image=bytes(4)
    )
    soc.finalize()
    about = (
        "Widths are those of a distance-3 repetition code over 3 rounds on the simulated board. The banks from "
        "`rounds` on are those of a board with a control fabric, here of one drive channel and one readout line; "
        "`udp` and `network`, `uart` and `serial` those of a board on a network and on a serial line; `processor` is "
        "that of the [soft core](firmware.md); `emulator` is there only where the processor behind the converters is "
        "emulated; `stream` is that of the [record stream](record-stream.md), on a network."
    )
    return registers_md(register_map(soc), about)


def write_registers_md(path: Path | str, *, check: bool = False) -> list[str]:
    """Write the page to `path`; with `check` write nothing and return the lines that differ (empty: up to date)."""
    text = _example()
    path = Path(path)
    if not check:
        path.write_text(text)
        return []
    old = path.read_text() if path.exists() else ""
    return list(
        difflib.unified_diff(old.splitlines(), text.splitlines(), str(path), "generated", lineterm="")
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m triplane.gateware.registers", description="Register map as Markdown."
    )
    parser.add_argument("path", type=Path, help="docs/registers.md")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the page is out of date"
    )
    options = parser.parse_args(arguments)
    logging.disable(logging.INFO)  # LiteX prints its whole hierarchy
    difference = write_registers_md(options.path, check=options.check)
    if difference:
        print(*difference, f"{options.path} is out of date; run without --check", sep="\n", file=sys.stderr)
    return int(bool(difference))


if __name__ == "__main__":
    sys.exit(main())
