# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench readout`: recorded three-state shots, a recorded trace and synthetic tones through a readout line.

The recorded shots are integrated values, without the samples that they came from. They are classified twice: put
straight into the discriminator, and as samples that were made for them (`resynthesis`). The judge is the linear
discriminant in float64 on the recorded points; it is fitted to every other shot of a state, and the rest is judged.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triplane.boards.synthesis import XCZU49DR_LUTS, SynthesisError, synthesize
from triplane.gateware.readout.layouts import Discriminant, Window
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.readout.top import line_verilog, with_memories
from triplane.gateware.readout.writes import window_writes
from triplane.host.bench import BenchContext, benchmark
from triplane.host.bench.clouds import Decided, plot_readout
from triplane.host.bench.multiplexed import (
    ALL_TONES,
    differing_shots,
    load_tones,
    model_integrals,
    precision_rows,
    window_starts,
)
from triplane.host.bench.replay import data_folder
from triplane.host.bench.resynthesis import LENGTH, NUM_TONES, SEED, Integers, Recorded, Tones, rounded
from triplane.host.calibration.readout import LinearDiscriminant, confusion, quantise
from triplane.host.replay.progress import ProgressView
from triplane.sim.models.readout.discriminator import discriminate
from triplane.sim.readout import SimulatedDiscriminator, SimulatedLine, build_line

COMMAND = "triplane bench readout"
SHOTS = "delft_iq_readout/data_three_state_calibration.npy"
TRACE = "qm_time_of_flight/arrays.npz"
BATCH_WINDOWS, QUICK_WINDOWS = 2_000, 1_000


@dataclass(frozen=True)
class Outcome:
    """What was decided of shots: state, int64 (shots,), soft value, int8 (shots,), integrals, int64 (shots, 2)."""

    state: Integers
    soft: npt.NDArray[np.int8]
    integrals: Integers

    @classmethod
    def of_model(cls, integrals: Integers, registers: Discriminant) -> Outcome:
        """By the golden model."""
        found = discriminate(integrals[:, 0], integrals[:, 1], registers)
        return cls(np.where(found.leaked, 2, found.bit).astype(np.int64), found.soft, integrals)

    def differing(self, discriminator: SimulatedDiscriminator, registers: Discriminant) -> int:
        """Shots of which the gateware's discriminator says something else."""
        bit, leaked, soft = discriminator(self.integrals[:, 0], self.integrals[:, 1], registers)
        return int(((np.where(leaked, 2, bit) != self.state) | (soft != self.soft)).sum())


@benchmark(
    "readout",
    help="Recorded three-state shots and a trace through a readout line: assignment, latency, SNR, crosstalk.",
    plots=True,
)
def bench_readout(ctx: BenchContext) -> None:
    """Rows of latency, capture, recorded shots as integrals and as samples, and precision."""
    command = COMMAND + (" --quick" if ctx.quick else "")
    ctx.seeds["readout"] = SEED
    with ProgressView() as view:
        view.build("elaborating the readout line")
        build = build_line(ReadoutLine(NUM_TONES), progress=view.build)
        ctx.gateware["readout line"] = {"build_hash": build.hash}
        with SimulatedLine(build) as line:
            latency_row(ctx, line, command)
            trace_row(ctx, line, command)
            drawn = shot_rows(ctx, line, view, command)
            precision_rows(ctx, line, command)
        if not ctx.quick:
            resource_rows(ctx, view, command)
    if ctx.plot is not None and drawn is not None:
        plot_readout(*drawn, ctx.plot)


def latency_row(ctx: BenchContext, line: SimulatedLine, command: str) -> None:
    """Cycles from the last sample, the only one that is not zero, to bits that depend on it."""
    load_tones(line, Tones((0,) * NUM_TONES, Tones.spread().weights), Discriminant(1, 0, 0))
    stream = np.zeros((LENGTH + 50, 2), dtype=np.int16)
    last = line.build.lead + LENGTH - 1
    stream[last, 0] = 100
    start = line.now
    (record,) = line.run(len(stream), stream, [(0, 0)])
    if record["bits"] != ALL_TONES or record["time"] != start + last:
        raise AssertionError("the readout line missed the last sample of its window")
    ctx.row(
        work=f"{NUM_TONES} tones, window of {LENGTH} samples, gateware",
        measure="discriminate: last sample in to bit valid",
        value=int(record["cycle"]) - (start + last),
        unit="cycles",
        goal="<= 8",
        command=command,
    )


def trace_row(ctx: BenchContext, line: SimulatedLine, command: str) -> None:
    """The recorded trace as samples, captured by an event, read back over the bus."""
    path, work = data_folder() / TRACE, "qm_time_of_flight, single run, through capture, gateware"
    if not path.exists():
        _skip(ctx, work, path, command)
        return
    ctx.add_input(TRACE, path)
    with np.load(path) as arrays:
        recorded = np.stack([arrays[f"raw_data.adc_single_run{c}1"] for c in "IQ"], axis=1)
    samples = recorded.astype(np.int16)
    if (samples != recorded).any():
        raise AssertionError(f"{path}: samples have more than 16 bits")
    delay = 100
    line.apply(window_writes(1, Window(0, 1, delay=delay, trace=True)))
    line.write("trace_length", len(samples))
    line.write("trace_control", 1)
    around = np.zeros((line.build.lead + delay, 2), dtype=np.int16)
    stream = np.concatenate([around, samples, around])
    line.run(len(stream), stream, [(0, 1)])
    captured = line.read_trace()
    whole = len(captured) == len(samples)
    ctx.row(
        work=f"{work}, {len(samples):,} samples",
        measure="samples that differ from the recording",
        value=int((captured != samples).any(axis=1).sum()) if whole else len(samples),
        unit="samples",
        goal="== 0",
        command=command,
    )


def shot_rows(
    ctx: BenchContext, line: SimulatedLine, view: ProgressView, command: str
) -> tuple[Recorded, LinearDiscriminant, dict[str, Decided]] | None:
    """Assignment of recorded shots, fed as integrals and as samples, beside the float64 discriminant."""
    path = data_folder() / SHOTS
    if not path.exists():
        _skip(ctx, "delft_iq_readout", path, command)
        return None
    ctx.add_input(SHOTS, path)
    shots = Recorded.load(path)
    discriminator = SimulatedDiscriminator(progress=view.build)
    fits = {states: shots.fit(states) for states in (3, 2)}
    registers = {states: quantise(fit) for states, fit in fits.items()}
    sampled, differing, in_gateware, at_end = _through_line(ctx, line, shots, registers[3], view)
    drawn: dict[str, Decided] = {}
    for title, points in (("as integrals", np.rint(shots.points).astype(np.int64)), ("as samples", sampled)):
        for states, loaded in registers.items():
            outcome = Outcome.of_model(points, loaded)
            drawn.setdefault(f"fed {title}", (points, outcome.state))
            wrong, where = outcome.differing(discriminator, loaded), "in the gateware's discriminator"
            if title == "as samples" and states == 3:
                wrong, where = differing, f"in the model, {in_gateware:,} of them in the gateware of the line"
            elif title == "as samples":
                where = "integrals of the line's model in the gateware's discriminator"
            work = f"delft_iq_readout {title}, {states} states"
            ctx.row(
                work=work,
                measure=f"gateware against model: shots that differ; {len(points):,} shots {where}",
                value=wrong,
                unit="shots",
                goal="== 0",
                command=command,
            )
            _assignment_rows(ctx, work, shots, fits[states], outcome, command)
    row = functools.partial(
        ctx.row, work=f"delft_iq_readout as samples of {NUM_TONES} tones", command=command
    )
    row(measure="samples at an end of the converter's range", value=at_end, unit="samples", goal="== 0")
    away = np.sqrt(((sampled - shots.points) ** 2).mean())
    narrowest = np.sqrt(np.linalg.eigvalsh(fits[3].covariance)[0])
    row(
        measure="integral less recorded point, rms, of the narrowest deviation of a cloud",
        value=100 * away / narrowest,
        unit="%",
        goal=None,
    )
    return shots, fits[3], drawn


def _assignment_rows(
    ctx: BenchContext, work: str, shots: Recorded, fit: LinearDiscriminant, outcome: Outcome, command: str
) -> None:
    states = len(fit.means)
    test = ~shots.train & (shots.states < states)
    prepared = shots.states[test]
    ours = np.diag(confusion(prepared, outcome.state[test], states))
    reference = np.diag(confusion(prepared, fit.decide(shots.points[test]), states))
    row = functools.partial(ctx.row, work=work, command=command)
    for k in range(states):
        of = f"assignment error, state {k}, {int((prepared == k).sum()):,} shots"
        row(measure=of, value=100 * (1 - ours[k]), unit="%", goal=None)
        row(measure=f"{of}, off-line float64", value=100 * (1 - reference[k]), unit="%", goal=None)
    away = 100 * np.abs(ours - reference)
    row(measure="states 0 and 1 against off-line", value=away[:2].max(), unit="points", goal="<= 0.1")
    if states == 3:
        row(measure="state 2 against off-line", value=away[2], unit="points", goal="<= 0.5")


def _through_line(
    ctx: BenchContext, line: SimulatedLine, shots: Recorded, registers: Discriminant, view: ProgressView
) -> tuple[Integers, int, int, int]:
    """Integrals by the model, (shots, 2); shots that differ in gateware; shots in gateware; samples at an end."""
    tones = Tones.spread()
    targets = (shots.points[:, 0] + 1j * shots.points[:, 1]).reshape(-1, NUM_TONES)
    in_gateware = min(QUICK_WINDOWS, len(targets)) if ctx.quick else len(targets)
    # Noise that has the clouds' width when it is integrated, were its part under the tones not replaced.
    deviation = 2 * np.sqrt(np.linalg.eigvalsh(shots.fit(3).covariance).mean() / LENGTH)
    rng = np.random.default_rng(SEED)
    load_tones(line, tones, registers)
    integrals = np.zeros((len(targets), NUM_TONES, 2), dtype=np.int64)
    differing = at_end = 0
    counter = view.count(f"windows of {NUM_TONES} shots", len(targets), unit="windows")
    for part in _batches(len(targets), in_gateware):
        starts = window_starts(line, part.stop - part.start)
        samples = rounded(tones.resynthesise(targets[part], starts, deviation, rng))
        at_end += int(((samples == -32768) | (samples == 32767)).any(axis=-1).sum())
        integrals[part] = model_integrals(tones, samples, starts)
        if part.start < in_gateware:
            differing += differing_shots(line, samples, integrals[part], registers)
        counter.to(part.stop)
    return integrals.reshape(-1, 2), differing, in_gateware * NUM_TONES, at_end


def _batches(total: int, first: int) -> Iterator[slice]:
    """Windows up to `first`, then the others, at most BATCH_WINDOWS at a time."""
    for low, high in ((0, first), (first, total)):
        for start in range(low, high, BATCH_WINDOWS):
            yield slice(start, min(start + BATCH_WINDOWS, high))


def resource_rows(ctx: BenchContext, view: ProgressView, command: str) -> None:
    """Area and depth of a line for UltraScale+, by synthesis without placement."""
    for num_tones in (1, NUM_TONES):
        work = f"line of {num_tones} tones, windows of 1,024 and a trace of 8,192 samples, synthesised"
        row = functools.partial(ctx.row, work=work, command=command)
        verilog, memories, _ = line_verilog(ReadoutLine(num_tones))
        try:
            found = synthesize(with_memories(verilog, memories), label=work, report=view.step)
        except SynthesisError as error:
            ctx.skip(work=work, reason=str(error), command=command)
            return
        for measure, value, unit in (
            ("LUTs", found.luts, "LUTs"),
            ("share of the XCZU49DR", 100 * found.luts / XCZU49DR_LUTS, "% of LUTs"),
            ("registers", found.registers, "FFs"),
            ("block RAM", found.brams, "BRAM36"),
            ("DSP", found.dsps, "DSP48"),
        ):
            row(measure=measure, value=value, unit=unit, goal=None)
        path = found.paths[0]
        measure = f"longest path, {path.start} to {path.end}, {path.luts} LUTs, {path.carries} carries"
        row(measure=measure, value=path.levels, unit="levels", goal="<= 8")


def _skip(ctx: BenchContext, work: str, path: Path, command: str) -> None:
    reason = f"{path} is absent; set TRIPLANE_DATA to the folder of published data"
    ctx.skip(work=work, reason=reason, command=command)
