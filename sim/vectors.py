# SPDX-License-Identifier: BSD-2-Clause
"""Cycle by cycle through a core: one value per input and cycle in, one value per output and cycle out.

For cores that take something in every cycle and have no handshake. The arrays go through files, since a minute of
stimuli does not fit into the environment.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.triggers import ReadOnly, RisingEdge
from migen import Module, Signal

from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.streams import start_clock

Vectors = dict[str, npt.NDArray[np.object_]]


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
    for pin, signal in (
        inputs | outputs if isinstance(inputs, dict) else dict(inputs) | dict(outputs)
    ).items():
        signal.name_override = pin
    values = {pin: np.asarray(value, dtype=np.int64) for pin, value in stimuli.items()}
    count = max(map(len, values.values())) if cycles is None else cycles
    with tempfile.TemporaryDirectory(prefix="vectors.") as work:
        source, target = Path(work) / "in.npz", Path(work) / "out.npz"
        np.savez(source, **{pin: value[:count] for pin, value in values.items()})
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
async def play(dut: object) -> None:
    """Apply the stimuli of a file and write what came out to another."""
    p = parameters()
    with np.load(p["source"]) as file:
        stimuli = {pin: file[pin].tolist() for pin in file.files}
    present = {pin: getattr(dut, pin, None) for pin in p["inputs"]}  # Verilog leaves unused pins out
    for handle in present.values():
        if handle is not None:
            handle.value = 0
    await start_clock(dut)
    driven = []
    for pin, values in stimuli.items():
        handle = present[pin]
        if handle is None:
            continue
        mask = (1 << len(handle)) - 1
        driven.append((handle, [value & mask for value in [*values, *[0] * (p["cycles"] - len(values))]]))
    clock = dut.sys_clk  # type: ignore[attr-defined]
    watched = [(getattr(dut, pin), signed, []) for pin, signed in p["outputs"].items()]
    results: list[tuple[object, bool, list[int]]] = watched
    last: dict[int, int] = {}
    for cycle in range(p["cycles"]):
        for number, (handle, values) in enumerate(driven):
            if last.get(number, 0) != values[cycle]:
                handle.value = last[number] = values[cycle]
        await ReadOnly()
        for handle, signed, found in results:
            value = handle.value  # type: ignore[attr-defined]
            found.append(value.to_signed() if signed else value.to_unsigned())
        await RisingEdge(clock)
    np.savez(
        p["target"],
        **{pin: np.array(found) for pin, (_, _, found) in zip(p["outputs"], results, strict=True)},
    )
