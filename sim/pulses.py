# SPDX-License-Identifier: BSD-2-Clause
"""Pulse generators on a bench: tables loaded over the bus, events at their times, every output in every cycle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from litex.gen import LiteXModule
from litex.soc.interconnect.csr_bus import CSRBank, Interface
from migen import Signal

from triplane.gateware.sequencer.layouts import Kind
from triplane.sim.models.sequencer.generator import Channel
from triplane.sim.vectors import run_vectors

PARTS = ("i0", "q0", "i1", "q1")
"""Outputs in the order of the columns of a golden model's samples."""

Written = Sequence[tuple[str, int]]
"""Register and value, in the order of writing."""


@dataclass(frozen=True)
class GeneratorBench:
    """A generator with its registers on a bus.

    Attributes:
        module: to simulate or to map.
        inputs, outputs: pin name -> signal.
        registers: name -> address.
    """

    module: LiteXModule
    inputs: dict[str, Signal]
    outputs: dict[str, Signal]
    registers: dict[str, int]

    @classmethod
    def around(cls, generator: LiteXModule) -> GeneratorBench:
        """A bench for a `PulseGenerator` or a `ToneGenerator`."""
        module = LiteXModule()
        module.generator = generator
        module.bank = bank = CSRBank(generator.get_csrs(), bus=Interface(data_width=32))
        bus, sink, played = bank.bus, generator.sink, generator.played
        inputs = {
            "adr": bus.adr, "we": bus.we, "re": bus.re, "dat_w": bus.dat_w,
            "valid": sink.valid, "kind": sink.kind, "value": sink.value,
            "now": generator.now, "silence": generator.silence,
        }  # fmt: skip
        outputs = {
            "i0": generator.i[0], "q0": generator.q[0], "i1": generator.i[1], "q1": generator.q[1],
            "busy": generator.busy, "collision": generator.collision, "saturated": generator.saturated,
            "dat_r": bus.dat_r, "played": played.valid,
        }  # fmt: skip
        outputs |= {f"played_{name}": getattr(played, name) for name, *_ in played.payload.layout}
        registers = {csr.name.removesuffix("0"): number for number, csr in enumerate(bank.simple_csrs)}
        return cls(module, inputs, outputs, registers)


def run_generator(
    generator: LiteXModule,
    written: Written,
    events: Iterable[tuple[int, int, int]],
    cycles: int,
    silence: Iterable[int] = (),
    *,
    counter: int = 0,
    read: str | None = None,
) -> dict[str, npt.NDArray[np.int64]]:
    """Simulate a generator under Verilator.

    Args:
        generator: unfinalised.
        written: registers to write first, one a cycle.
        events: (time, kind, value), ascending; time 0 is the cycle after the last register was written.
        cycles: how many from time 0 on.
        silence: times at which `silence` is high.
        counter: of the system at time 0.
        read: register on the bus from time 0 on: `dat_r` at time k is what it held at time k - 1.

    Returns:
        Output -> int64 (cycles,), `samples` -> (cycles, 4).
    """
    bench = GeneratorBench.around(generator)
    before = len(written) + 1  # the registers hold the last word one cycle after it was written
    total = before + cycles
    stimuli = {pin: np.zeros(total, dtype=np.int64) for pin in bench.inputs}
    for cycle, (name, value) in enumerate(written):
        stimuli["adr"][cycle], stimuli["dat_w"][cycle], stimuli["we"][cycle] = bench.registers[name], value, 1
    if read is not None:
        stimuli["adr"][before:], stimuli["re"][before:] = bench.registers[read], 1
    for time, kind, value in events:
        at = before + time
        stimuli["valid"][at], stimuli["kind"][at], stimuli["value"][at] = 1, kind, value
    for time in silence:
        stimuli["silence"][before + time] = 1
    stimuli["now"][:] = (counter - before + np.arange(total)) & (2**62 - 1)
    found = run_vectors(bench.module, bench.inputs, bench.outputs, stimuli, "generator", cycles=total)
    outputs = {name: values[before:] for name, values in found.items()}
    return outputs | {"samples": np.stack([outputs[part] for part in PARTS], axis=1)}


def random_events(rng: np.random.Generator, cycles: int) -> list[tuple[int, int, int]]:
    """Bursts of events in every cycle and pauses between them: (time, kind, value); half of all events play."""
    kinds = [*[int(Kind.PLAY)] * 5, *map(int, Kind)]
    events, time = [], 0
    while time < cycles:
        kind, value = int(rng.choice(kinds)), int(rng.integers(2**32))
        if kind == Kind.AMP:
            value = int(rng.choice([2**15, value % 2**16]))
        events.append((time, kind, value))
        time += int(rng.choice([1, 1, 1, 2, 3, 12]))
    return events


def compare(found: Mapping[str, npt.NDArray[np.int64]], expected: Channel, fields: Iterable[str]) -> None:
    """Raise AssertionError where a generator's outputs or records (of these fields) are not its model's."""
    for name in ("samples", "saturated", "busy", "collision"):
        np.testing.assert_array_equal(found[name], getattr(expected, name), err_msg=name)
    names = list(fields)
    wanted = [{name: record[name] for name in ("cycle", *names)} for record in expected.played]
    assert records(found, names) == wanted


def loading(
    entries: Sequence[Sequence[int]], envelope: Sequence[int], *, prefix: str = "pulses"
) -> list[tuple[str, int]]:
    """What to write for a pulse table (words of each entry) and an envelope memory (words), from their beginnings."""
    written = [(f"{prefix}_table_index", 0)]
    written += [(f"{prefix}_table_data", word) for entry in entries for word in entry]
    written += [(f"{prefix}_envelope_index", 0)]
    return written + [(f"{prefix}_envelope_data", word) for word in envelope]


def records(outputs: Mapping[str, npt.NDArray[np.int64]], fields: Iterable[str]) -> list[dict[str, int]]:
    """What the `played` tap told, with the cycle of each record."""
    names = list(fields)
    return [
        {"cycle": int(cycle)} | {name: int(outputs[f"played_{name}"][cycle]) for name in names}
        for cycle in np.flatnonzero(outputs["played"])
    ]
