# SPDX-License-Identifier: BSD-2-Clause
"""What a host knows of the gateware in a board before it asks the board."""

from __future__ import annotations

from dataclasses import dataclass

from triplane.hal.descriptor import Descriptor
from triplane.hal.registers import RegisterMap


@dataclass(frozen=True)
class Gateware:
    """A build.

    Attributes:
        registers: its map.
        build_hash: SHA-256 (hex) of its Verilog, which the board must report.
        descriptor: of the board that it is for.
    """

    registers: RegisterMap
    build_hash: str
    descriptor: Descriptor
