# SPDX-License-Identifier: BSD-2-Clause
"""Registers by which a host reaches the emulated processor behind a simulated board that only a cable leads to."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRStorage

BANK = "emulator"

SEED_BITS = 64


class EmulatorControl(LiteXModule):
    """Nothing in the gateware reads these: whoever emulates the processor watches them being written.

    A board with a processor has no such bank.
    """

    def __init__(self) -> None:
        self._seed = CSRStorage(
            SEED_BITS, description="Seed of all that is random in the emulated processor."
        )
        self._renew = CSRStorage(
            1,
            description="A write, of whatever, takes the emulated processor back to its beginning, with that seed: all "
            "qubits in 0, all lines silent. Its time begins with the next pulse.",
        )
