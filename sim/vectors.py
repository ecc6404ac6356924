# SPDX-License-Identifier: BSD-2-Clause
"""Cycle by cycle through a core: one value per input and cycle in, one value per output and cycle out.

For cores that take something in every cycle and have no handshake. The arrays go through files, since a minute of
stimuli does not fit into the environment.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen.fhdl import verilog
from migen import Module, Signal

from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.streams import start_clock


def run_vectors(
    module: Module,
    inputs: Mapping[str, Signal],
    outputs: Mapping[str, Signal],
    stimuli: Mapping[str, npt.ArrayLike],
    name: str,
    *,
    cycles: int | None = None,
) -> dict[str, npt.NDArray[np.int64]]:
    """Simulate a core under Verilator.

    Args:
        module: unfinalised, in the `sys` clock domain.
        inputs, outputs: pin name -> signal; signals of 63 bits at most.
        stimuli: pin name -> (cycles,) values; inputs without are 0, as are those that end early.
        name: of the Verilog top module.
        cycles: how many; the longest stimulus if None.

    Returns:
        Pin name -> int64 (cycles,): element k is the output in the cycle in which stimulus k is at the input. Signed
        signals give signed values.
    """
    unknown = stimuli.keys() - inputs.keys()
    if unknown:
        raise ValueError(f"there is no input {unknown.pop()!r}")
    taken = sorted({*inputs, *outputs} & verilog._ieee_1800_2017_verilog_reserved_keywords)
    if taken:
        raise ValueError(f"{taken[0]!r} is a word of Verilog; give the pin another name")
    for pin, signal in [*inputs.items(), *outputs.items()]:
        signal.name_override = pin
    values: dict[str, Any] = {pin: np.asarray(value, dtype=np.int64) for pin, value in stimuli.items()}
    count = max(map(len, values.values())) if cycles is None else cycles
    with tempfile.TemporaryDirectory(prefix="vectors.") as work:
        source, target = Path(work) / "in.npz", Path(work) / "out.npz"
        np.savez(source, **values)
        run_cocotb(
            module,
            {*inputs.values(), *outputs.values()},
            "triplane.sim.vectors",
            name,
            {"source": str(source), "target": str(target), "cycles": count, "inputs": sorted(inputs),
             "outputs": {pin: bool(signal.signed) for pin, signal in outputs.items()}},
        )  # fmt: skip
        with np.load(target) as found:
            return {pin: found[pin] for pin in outputs}


@cocotb.test()
async def play(dut: Any) -> None:
    """Apply the stimuli of a file and write what came out to another."""
    p = parameters()
    with np.load(p["source"]) as file:
        stimuli = {pin: file[pin].tolist() for pin in file.files}
    inputs = {pin: getattr(dut, pin, None) for pin in p["inputs"]}  # Verilog has no port for an unused pin
    driven = []
    for pin, handle in inputs.items():
        if handle is not None:
            handle.value = 0
            values = stimuli.get(pin, [])
            mask = (1 << len(handle)) - 1
            driven.append((handle, [v & mask for v in values] + [0] * (p["cycles"] - len(values))))
    watched = [(getattr(dut, pin), signed) for pin, signed in p["outputs"].items()]
    found: list[list[int]] = [[] for _ in watched]
    await start_clock(dut)
    for cycle in range(p["cycles"]):
        for handle, values in driven:
            if cycle == 0 or values[cycle] != values[cycle - 1]:
                handle.value = values[cycle]
        await ReadOnly()
        for (handle, signed), values in zip(watched, found, strict=True):
            values.append(handle.value.to_signed() if signed else int(handle.value))
        await RisingEdge(dut.sys_clk)
    arrays: dict[str, Any] = {pin: np.array(v) for pin, v in zip(p["outputs"], found, strict=True)}
    np.savez(p["target"], **arrays)
