# SPDX-License-Identifier: BSD-2-Clause
"""Detection events through the gateware of a simulated board, for benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane import hal
from triplane.gateware.decoder.window import WindowPlan, pack_layers
from triplane.gateware.decoder.window.bound import window_bound
from triplane.host.bench import BenchContext
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.session import BACK_TO_BACK
from triplane.sim.models.decoder.window import WindowResult

COMPARED = (
    ("decode_cycles", "cycles"),
    ("observables", "observables"),
    ("grow_steps", "grow_steps"),
    ("merge_steps", "merge_steps"),
)
"""Field of a record -> the golden model's."""

Fields = Mapping[str, npt.NDArray[np.unsignedinteger]]
"""Field of a record -> its value in each window of each shot, (shots, windows)."""


@dataclass(frozen=True)
class GatewareRun:
    """What the board said.

    Attributes:
        records: structured (windows of all shots,), see `layouts.RESULT`.
        bound: worst-case decode cycles with these passes.
        pacing: how well the rounds kept to their cadence.
        cycles: of the whole run.
        backlog_max: most rounds that waited in the decoder's queue.
        corrections: bool (windows, edges), or None where not asked for.
    """

    records: npt.NDArray[np.void]
    bound: int
    pacing: hal.Pacing
    cycles: int
    backlog_max: int
    corrections: npt.NDArray[np.bool_] | None


def stream(
    ctx: BenchContext,
    name: str,
    plan: WindowPlan,
    layers: npt.NDArray[np.bool_],
    *,
    passes: int,
    view: ProgressView,
    period: int = BACK_TO_BACK,
    correction: bool = False,
) -> GatewareRun:
    """Decodes shots on a simulated board, detection events bool (shots, layers, slots); keeps hashes under `name`."""
    words = pack_layers(layers)
    chunks, bits = [], []
    counter = view.count(
        f"gateware, {name}", len(layers) * len(plan.schedule(layers.shape[1])), unit="windows"
    )
    done = 0
    with hal.connect("sim", plan=plan, correction=correction, progress=view.build) as board:
        program = hal.DecoderProgram.from_plan(plan, passes=passes, correction=correction)
        board.load(program)
        ctx.tables[name] = {"structure_hash": program.structure_hash, "table_hash": program.table_hash}
        ctx.gateware[name] = {"build_hash": board.identify().build_hash}
        run = board.run(words, round_period_cycles=period)
        for chunk in run:
            chunks.append(np.asarray(chunk))
            if chunk.corrections is not None:
                bits.append(chunk.corrections)
            done += len(chunk)
            counter.to(done)
        fault = board.fault()
        if fault is not None:
            raise hal.errors.BoardError(f"{name}: the board reports a fault: {fault}")
        return GatewareRun(
            np.concatenate(chunks),
            window_bound(plan, passes),
            run.pacing,
            run.cycles,
            board.read(board.registers["decoder_backlog_max"].address),
            np.concatenate(bits) if bits else None,
        )


def window_fields(expected: WindowResult) -> Fields:
    """What the golden model says of the records: the compared fields, and the frame."""
    fields = {field: getattr(expected, attribute) for field, attribute in COMPARED}
    return fields | {"frame": np.bitwise_xor.accumulate(expected.observables, axis=1)}


def differing_records(records: npt.NDArray[np.void], expected: Fields) -> int:
    """Records of which any of these fields is another."""
    wrong = np.zeros(len(records), dtype=bool)
    for field, values in expected.items():
        wrong |= records[field] != values.reshape(-1)
    return int(wrong.sum())


def differing_windows(records: npt.NDArray[np.void], expected: WindowResult) -> int:
    """Records of which any field, or the frame, is not the golden model's."""
    return differing_records(records, window_fields(expected))
