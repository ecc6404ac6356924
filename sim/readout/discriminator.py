# SPDX-License-Identifier: BSD-2-Clause
"""A simulated discriminator in this process, an integral a cycle."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
from migen import ClockDomain

from triplane.gateware.readout.discriminator import Discriminator
from triplane.gateware.readout.layouts import Discriminant
from triplane.gateware.verilog import convert, without_comments
from triplane.sim.readout.build import LIBRARY, build_library
from triplane.sim.verilate import Progress

_REGISTERS = ("a1", "b1", "c1", "a2", "b2", "c2", "soft_shift")


def discriminator_verilog() -> str:
    """Verilog of a discriminator, every port of it a port of the module."""
    core = Discriminator()
    clock = ClockDomain("sys")
    core.clock_domains += clock
    names = (*_REGISTERS, "load", "start", "i", "q", "valid", "leaked")
    pins = {name: getattr(core, name) for name in names} | {"result_bit": core.bit, "result_soft": core.soft}
    for name, signal in pins.items():
        signal.name_override = name
    output = convert(core, ios={*pins.values(), clock.clk, clock.rst}, name="discriminator")
    return without_comments(output.main_source)


class SimulatedDiscriminator:
    """The gateware's discriminator as a function.

    Args:
        progress: called with a line of text as it is built.

    Raises:
        ToolchainError: a tool is missing, or failed.
    """

    def __init__(self, *, progress: Progress | None = None) -> None:
        folder, self.hash = build_library("discriminator", discriminator_verilog(), {}, progress=progress)
        self._library = ctypes.CDLL(str(folder / LIBRARY))
        pointer = ctypes.c_void_p
        self._library.discriminator_run.restype = ctypes.c_uint64
        self._library.discriminator_run.argtypes = [
            pointer, pointer, ctypes.c_uint64, ctypes.c_uint64, pointer,
        ]  # fmt: skip

    def __call__(
        self,
        i: npt.ArrayLike,
        q: npt.ArrayLike,
        registers: Discriminant,
        latency: int = Discriminator.LATENCY,
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.int8]]:
        """Bits, leakage flags and soft values of integrals, integers (shots,) each.

        Raises:
            AssertionError: a result did not come `latency` cycles after its integral.
        """
        integrals = np.ascontiguousarray(np.stack([i, q], axis=1), dtype=np.int32)
        loaded = np.array([getattr(registers, name) for name in _REGISTERS], dtype=np.int64)
        results = np.zeros(len(integrals), dtype=np.uint16)
        found = self._library.discriminator_run(
            loaded.ctypes.data, integrals.ctypes.data, len(integrals), latency, results.ctypes.data
        )
        if found != len(integrals):
            raise AssertionError(f"{found} of {len(integrals)} results came after {latency} cycles")
        return results & 1 == 1, results & 2 == 2, (results >> 8).astype(np.uint8).view(np.int8)
