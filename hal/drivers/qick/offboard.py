# SPDX-License-Identifier: BSD-2-Clause
"""Configuration of a firmware that the qick package ships, worked out without a board by QICK's own drivers.

    python -m triplane.hal.drivers.qick.offboard qick_216     # the configuration as JSON

QICK makes a `soccfg` while `QickSoc` starts: it reads the hardware hand-off (.hwh) beside the bitstream, makes a driver
of each block, and lets the drivers follow the wires from one to the next. All of that is in the package; what it
needs of a board is `pynq`, `xrfdc`, `xrfclk` and the supply's monitor. Here these are stand-ins with just that much in
them: blocks with their parameters from the hand-off, registers that hold nothing, converters whose clocks are as the
hand-off says. So the result is what a board says that runs the firmware as it was built; what software changes on a
board (sample rates) is not in it.

The stand-ins would be in the way of a real `pynq`: therefore this is a process of its own (`firmware.shipped_config`).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import types
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import numpy as np

BOARDS = {"qick_111": "ZCU111", "qick_216": "ZCU216", "qick_4x2": "RFSoC4x2"}
"""Firmware in the package -> name of the board, as PYNQ calls it."""

AVTT_V = 3.0
"""Of the converters' supply, which QICK compares with what the firmware wants; nothing is set here."""

MEMORY_WORDS = 64


class Registers:
    """Registers of a block: all of them hold 0, whatever is written."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.array = np.zeros(MEMORY_WORDS, dtype=np.uint32)


class DefaultIP:
    """Stand-in of `pynq.DefaultIP`: knows its description; subclasses announce the blocks that they drive."""

    drivers: ClassVar[dict[str, type[DefaultIP]]] = {}
    bindto: ClassVar[list[str]] = []

    def __init__(self, description: dict[str, Any]) -> None:
        self.mmio = Registers(description["length"])

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        DefaultIP.drivers.update(dict.fromkeys(cls.__dict__.get("bindto", []), cls))

    def read(self, offset: int = 0) -> int:
        """A register: 0."""
        return 0

    def write(self, offset: int, value: int) -> None:
        """Nothing is there to write to."""


class Overlay:
    """Stand-in of `pynq.Overlay`: the blocks of a hand-off that have an address, as attributes of those names."""

    def __init__(self, bitfile: str, **_: Any) -> None:
        root = ElementTree.parse(Path(bitfile).with_suffix(".hwh")).getroot()
        self.parser = types.SimpleNamespace(root=root)
        self.blocks: dict[str, DefaultIP] = {}
        spans = {
            str(span.get("INSTANCE")): int(str(span.get("HIGHVALUE")), 16)
            - int(str(span.get("BASEVALUE")), 16)
            + 1
            for span in root.iter("MEMRANGE")
        }
        self.ip_dict: dict[str, dict[str, Any]] = {}
        for module in root.findall("./MODULES/MODULE"):
            path = str(module.get("FULLNAME")).lstrip("/")
            kind = str(module.get("VLNV"))
            if module.get("INSTANCE") in spans:
                self.ip_dict[path] = {
                    "type": kind,
                    "fullpath": path,
                    "driver": DefaultIP.drivers.get(kind, DefaultIP),
                    "length": spans[str(module.get("INSTANCE"))],
                    "parameters": {
                        str(p.get("NAME")): str(p.get("VALUE"))
                        for p in module.findall("./PARAMETERS/PARAMETER")
                    },
                }

    def __getattr__(self, name: str) -> Any:
        if name in ("blocks", "ip_dict") or name not in self.ip_dict:
            raise AttributeError(name)
        if name not in self.blocks:
            entry = self.ip_dict[name]
            self.blocks[name] = entry["driver"](entry)
        return self.blocks[name]


class Converters(DefaultIP):
    """Stand-in of `xrfdc.RFdc`: clocks and rates of tiles and blocks as they were built, every PLL locked."""

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__(description)
        parameters = description["parameters"]
        self.dac_tiles = [_tile(parameters, "DAC", number) for number in range(4)]
        self.adc_tiles = [_tile(parameters, "ADC", number) for number in range(4)]


def _tile(parameters: dict[str, str], kind: str, number: int) -> types.SimpleNamespace:
    name = f"C_{kind}{number}"
    dual = kind == "ADC" and parameters["C_High_Speed_ADC"] == "1"
    return types.SimpleNamespace(
        PLLLockStatus=2,
        PLLConfig={
            "RefClkDivider": int(parameters[f"{name}_Refclk_Div"]),
            "FeedbackDivider": int(parameters[f"{name}_FBDIV"]),
            "OutputDivider": int(parameters[f"{name}_OutDiv"]),
        },
        blocks=[
            types.SimpleNamespace(
                InterpolationFactor=int(parameters.get(f"C_DAC_Interpolation_Mode{number}{block}", "0")),
                DecimationFactor=int(parameters.get(f"C_ADC_Decimation_Mode{number}{block}", "0")),
                DataPathMode=1 + int(parameters.get(f"C_DAC_Mode{number}{block}", "0")),
            )
            for block in range(0, 4, 2 if dual else 1)
        ],
    )


def stand_in() -> None:
    """Put the stand-ins where QICK's hardware drivers import from."""
    modules: dict[str, dict[str, Any]] = {
        "pynq": {},
        "pynq.overlay": {"Overlay": Overlay, "DefaultIP": DefaultIP},
        "pynq.buffer": {"allocate": np.zeros},
        "xrfclk": {},
        "xrfdc": {"RFdc": Converters},
        "qick.board_utils": {"read_dac_avtt": lambda: AVTT_V, "set_dac_avtt": lambda _: None},
    }
    for name, content in modules.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        sys.modules[name] = module


def configuration(firmware: str) -> dict[str, Any]:
    """The `soccfg` of a firmware in the package; only for a process that has no other use for `pynq`.

    Raises:
        KeyError: the package has no firmware of that name.
    """
    os.environ["BOARD"] = BOARDS[firmware]
    stand_in()
    import qick.qick

    vars(qick.qick)["DataStreamer"] = lambda _: None  # it would start a thread that moves data
    bitfile = Path(str(qick.__file__)).with_name(f"{firmware}.bit")
    soc = qick.qick.QickSoc(str(bitfile), download=False)
    result: dict[str, Any] = soc.get_cfg()
    return result


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # QICK says what it does
        found = configuration(sys.argv[1])
    print(json.dumps(found))
