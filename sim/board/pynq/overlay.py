# SPDX-License-Identifier: BSD-2-Clause
"""An overlay for the simulated board: a `.bit` file that names a build, and the `.hwh` file that pynq reads beside it.

Nothing is configured by such a bitstream: the simulated board is its build. It says which, so that a host that comes
with another one is refused, as by a board that is flashed with another one.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

from triplane.hal.drivers.pynq import IP_TYPE
from triplane.hal.registers import WORD_BYTES, RegisterMap
from triplane.sim.cache import cached, content_key, seal, sealed

STEM = "triplane"
"""Of the names of both files, and the name of the board's registers in the overlay."""

WINDOW_BASE = 0xA000_0000
"""First byte of what the port M_AXI_HPM0_FPD of a Zynq UltraScale+ reaches (UG1085, system addresses)."""

LEAST_WINDOW = 0x1000
"""Bytes; Vivado gives no slave less than a page."""

PORT, SLAVE = "M_AXI_HPM0_FPD", "S_AXI"

CLOCKS = 4
"""That the processing system makes for the fabric."""

IO_PLL_MHZ, CLOCK_DIVISOR = 1_500, 15
"""The clock of the register bus is 100 MHz, as out of a board's first boot loader."""

_BIT_MAGIC = bytes.fromhex("0ff00ff00ff00ff000")
_TEXT = re.compile(r"triplane simulated board\nbuild ([0-9a-f]{64})\nhwh ([0-9a-f]{64})\n\0*")


@dataclass(frozen=True)
class Window:
    """Where a host finds the registers: bytes from `base` on."""

    base: int
    size: int


def window_of(registers: RegisterMap) -> Window:
    """The window of a board with that register map: the smallest power of two that holds it."""
    end = max(register.address + WORD_BYTES * register.size_words for register in registers.values())
    return Window(WINDOW_BASE, max(LEAST_WINDOW, 1 << (end - 1).bit_length()))


def write_overlay(registers: RegisterMap, build_hash: str) -> Path:
    """The `.bit` file of a build, in the cache, with its `.hwh` file beside it."""
    hwh = hwh_text(window_of(registers))
    bit = bit_file(build_hash, hwh)
    names = [f"{STEM}.bit", f"{STEM}.hwh"]

    def write(folder: Path) -> None:
        for name, data in zip(names, (bit, hwh.encode()), strict=True):
            (folder / name).write_bytes(data)
            seal(folder / name)

    folder, _ = cached(
        "overlays",
        content_key([bit, hwh]),
        write,
        intact=lambda folder: all(sealed(folder / name) for name in names),
    )
    return folder / names[0]


def bit_file(build_hash: str, hwh: str) -> bytes:
    """A `.bit` file: a header in fields of a letter, a length and text, then the bitstream.

    The hash of the hwh is in it since pynq keeps what it has read of an hwh by the hash of the bit.
    """
    text = f"triplane simulated board\nbuild {build_hash}\nhwh {sha256(hwh.encode()).hexdigest()}\n".encode()
    stream = text + bytes(-len(text) % WORD_BYTES)
    header = struct.pack(">H", len(_BIT_MAGIC)) + _BIT_MAGIC + struct.pack(">H", 1)
    # Design, part, date, time; the date is none, since equal builds have equal files.
    for letter, value in zip("abcd", (STEM, "simulated", "1970/01/01", "00:00:00"), strict=True):
        field = value.encode() + b"\0"
        header += letter.encode() + struct.pack(">H", len(field)) + field
    return header + b"e" + struct.pack(">I", len(stream)) + stream


def build_of(firmware: bytes) -> str | None:
    """Build hash that a bitstream names, in the form in which it comes to a board; None if it names none.

    firmware: with the bytes of each word in reverse, as the FPGA manager takes them.
    """
    if len(firmware) % WORD_BYTES or len(firmware) > 1_024:
        return None
    words = struct.unpack(f">{len(firmware) // WORD_BYTES}I", firmware)
    found = _TEXT.fullmatch(struct.pack(f"<{len(words)}I", *words).decode("latin-1"))
    return found[1] if found else None


def hwh_text(window: Window) -> str:
    """The hardware handoff, as Vivado writes one for a block design: what pynq reads of it, and no more.

    It lists no registers: pynq shows those of a block by reading them all, and to read one of a FIFO takes a word out.
    """
    system = ElementTree.Element("EDKSYSTEM", EDWVERSION="1.2")
    # pynq leaves out the module of this name, so it is no block's.
    ElementTree.SubElement(system, "SYSTEMINFO", NAME=f"{STEM}_design", ARCH="zynquplus")
    ElementTree.SubElement(system, "EXTERNALPORTS")
    ElementTree.SubElement(system, "EXTERNALINTERFACES")
    modules = ElementTree.SubElement(system, "MODULES")

    ps = _module(modules, "ps", "zynq_ultra_ps_e", "xilinx.com:ip:zynq_ultra_ps_e:3.4")
    parameters = ElementTree.SubElement(ps, "PARAMETERS")
    for name, value in _parameters().items():
        ElementTree.SubElement(parameters, "PARAMETER", NAME=name, VALUE=value)
    _bus(ps, PORT, "MASTER")
    ElementTree.SubElement(
        ElementTree.SubElement(ps, "MEMORYMAP"),
        "MEMRANGE",
        ADDRESSBLOCK="registers",
        BASEVALUE=f"{window.base:#010X}".replace("X", "x"),
        HIGHVALUE=f"{window.base + window.size - 1:#010X}".replace("X", "x"),
        INSTANCE=STEM,
        MASTERBUSINTERFACE=PORT,
        MEMTYPE="REGISTER",
        SLAVEBUSINTERFACE=SLAVE,
    )
    _bus(_module(modules, STEM, STEM, f"{IP_TYPE}:1.0"), SLAVE, "SLAVE")
    ElementTree.indent(system)
    return ElementTree.tostring(system, encoding="unicode", xml_declaration=True) + "\n"


def _parameters() -> dict[str, str]:
    """Of the processing system: the width of its port, and its clocks for the fabric, of which the first runs."""
    found = {"C_MAXIGP0_DATA_WIDTH": "32"}
    for number in range(CLOCKS):
        control = f"PSU__CRL_APB__PL{number}_REF_CTRL"
        found[f"PSU__FPGA_PL{number}_ENABLE"] = str(int(number == 0))
        found[f"{control}__SRCSEL"] = "IOPLL"
        found[f"{control}__DIVISOR0"] = str(CLOCK_DIVISOR)
        found[f"{control}__DIVISOR1"] = "1"
        found[f"{control}__ACT_FREQMHZ"] = f"{IO_PLL_MHZ / CLOCK_DIVISOR:.6f}"
    return found


def _module(modules: ElementTree.Element, name: str, kind: str, vlnv: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        modules, "MODULE", FULLNAME=f"/{name}", INSTANCE=name, MODTYPE=kind, VLNV=vlnv, IS_PL="TRUE"
    )


def _bus(module: ElementTree.Element, name: str, kind: str) -> None:
    ElementTree.SubElement(
        ElementTree.SubElement(module, "BUSINTERFACES"),
        "BUSINTERFACE",
        NAME=name,
        TYPE=kind,
        VLNV="xilinx.com:interface:aximm:1.0",
    )
