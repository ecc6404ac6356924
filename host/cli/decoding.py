# SPDX-License-Identifier: BSD-2-Clause
"""Commands that decode: the closed loop, sampled shots, recorded shots; and the calibration of the decoder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triplane.host.cli.app import app
from triplane.host.cli.common import Outputs, errors, resolve_outputs
from triplane.host.cli.options import (
    AmendNs,
    AnswerNs,
    BoardUrl,
    DeadlineNs,
    Decoder,
    Escalate,
    HardAbove,
    Json,
    Passes,
    Plot,
    RoundNs,
    Shots,
    Vcd,
    VcdShots,
    WeightBits,
)

if TYPE_CHECKING:
    from triplane.host.replay.datasets import Dataset
    from triplane.host.replay.result import ReplayOptions, ReplayResult

DEMO_DISTANCE, DEMO_SHOTS, DEMO_ROUNDS = 3, 20, 25
SAMPLE_SHOTS = 20_000
MAX_ROUNDS = 100_000
"""Of a memory in the closed loop, which keeps what it has seen in each: a quarter of an hour for a shot."""

SEED, MAX_SEED = 5, 2**62


@app.command(epilog="Example:   triplane demo --shots 50 --plot demo.png --json demo.json")
def demo(
    distance: Annotated[int, typer.Option("--distance", help="Of the code: 3 or 5.")] = DEMO_DISTANCE,
    shots: Annotated[int, typer.Option("--shots", min=1, help="Memories to run.")] = DEMO_SHOTS,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, max=MAX_ROUNDS, help="Rounds of each memory.")
    ] = DEMO_ROUNDS,
    passes: Passes = 2,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, max=MAX_SEED, help="Seed of the emulated processor; kept with the run."
        ),
    ] = SEED,
    board: BoardUrl = "sim",
    json_file: Json = None,
    plot: Plot = None,
) -> None:
    """See the whole machine work, with no files and no hardware.

    A surface code in the closed loop, 17 emulated transmons (49 for distance 5) behind the simulated board's
    converters. The sequencer plays every gate and readout pulse, its readout lines make bits of the samples, syndrome
    formation makes detection events, the decoder corrects as they come, and the Pauli frame gives the logical result.
    Reports logical errors beside PyMatching's and what Stim predicts, latency in clock cycles, and the id of the run.
    The board is compiled the first time, which takes some minutes; that of distance 5 a quarter of an hour.
    """
    print(
        f"triplane demo: d={distance} surface-code memory in the closed loop, {shots:,} shots of {rounds:,} rounds, "
        f"seed {seed}",
        flush=True,
    )
    with errors():
        outputs = resolve_outputs(json_file, plot)
        from triplane.host.demo import run_demo

        run_demo(
            sys.argv,
            shots=shots,
            rounds=rounds,
            passes=passes,
            seed=seed,
            distance=distance,
            url=board,
            json_file=outputs.json_file,
            plot=outputs.plot,
        )


@app.command(
    epilog="Example:   triplane sample --distance 5 --probability 0.002 --passes 2 --plot sample.png"
)
def sample(
    distance: Annotated[int, typer.Option("--distance", min=3, help="Of the code, odd.")] = 5,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, show_default="the distance", help="Rounds of a shot.")
    ] = None,
    probability: Annotated[
        float, typer.Option("--probability", help="Of each error of the circuit.")
    ] = 0.001,
    shots: Annotated[int, typer.Option("--shots", min=1, help="Shots to sample.")] = SAMPLE_SHOTS,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, max=MAX_SEED, help="Seed of the sampler; printed and kept with the run."
        ),
    ] = SEED,
    weight_bits: WeightBits = 5,
    passes: Passes = 1,
    round_ns: RoundNs = None,
    deadline_ns: DeadlineNs = None,
    board: BoardUrl = "sim",
    json_file: Json = None,
    plot: Plot = None,
    vcd: Vcd = None,
    vcd_shots: VcdShots = 4,
) -> None:
    """Decode shots that Stim samples, as `replay` does recorded ones.

    A rotated surface code with the same probability for all errors of its circuit: builds the decoder's gateware for
    it, streams every shot through the simulated board, and reports logical error rate, comparison with PyMatching and
    latency.
    """
    length = distance if rounds is None else rounds
    print(
        f"triplane sample: rotated surface code, distance {distance}, {length} rounds, noise {probability:.2%}, "
        f"{shots:,} shots, seed {seed}",
        flush=True,
    )
    with errors():
        from triplane.host.replay.result import OptionsError, ReplayOptions
        from triplane.host.replay.sampling import memory_circuit, sample_dataset

        outputs = resolve_outputs(json_file, plot, vcd)
        try:
            circuit = memory_circuit(distance=distance, rounds=length, probability=probability)
        except ValueError as error:
            raise OptionsError(str(error)) from error
        dataset = sample_dataset(
            circuit,
            name=f"sampled_d{distance}_r{length}_p{probability:g}",
            shots=shots,
            seed=seed,
            properties={
                "code": "surface_code:rotated_memory_z",
                "distance": distance,
                "rounds": length,
                "probability": probability,
                "seed": seed,
            },
        )
        options = ReplayOptions(
            weight_bits, round_ns, deadline_ns, outputs.vcd, vcd_shots, passes, board=board
        )
        run_replay(
            dataset,
            options,
            outputs,
            seeds={"sampler": seed},
            extra_inputs={"circuit": str(circuit).encode()},
        )


@app.command(
    epilog="Examples:\n\n"
    "triplane replay google_sycamore_2022/surface_code_bX_d5_r05_center_5_5 --json out.json\n\n"
    "triplane replay surface_code_bX_d3_r05_center_3_5 --model pij_from_even_for_odd.dem   "
    "(decodes the odd shots)\n\n"
    "triplane replay model.dem shots.b8   (observables appended to each shot)\n\n"
    "triplane replay circuit.stim events.01 obs_flips.01 --shots 1000 --vcd first.vcd\n\n"
    "triplane replay FOLDER --passes 2 --escalate --shots 2000"
)
def replay(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR | MODEL EVENTS [OBSERVABLES]",
            show_default=False,
            help=(
                "A directory (the published Sycamore layout, or any that holds a .dem or .stim, a .b8, .01 "
                "or .dets file and observables), or those files themselves."
            ),
        ),
    ],
    shots: Shots = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="FILE",
            show_default="circuit_detector_error_model.dem",
            help=(
                "Another error model, by name in the directory or by path. A model fitted on one half of the "
                "shots (pij_from_...) decodes the other half."
            ),
        ),
    ] = None,
    weight_bits: WeightBits = 5,
    passes: Passes = 1,
    decoder: Decoder = "array",
    escalate: Escalate = False,
    hard_above: HardAbove = None,
    answer_ns: AnswerNs = None,
    amend_ns: AmendNs = None,
    round_ns: RoundNs = None,
    deadline_ns: DeadlineNs = None,
    board: BoardUrl = "sim",
    json_file: Json = None,
    plot: Plot = None,
    vcd: Vcd = None,
    vcd_shots: VcdShots = 4,
) -> None:
    """Decode recorded detection events on a board, and compare.

    Every shot goes through the gateware. The report shows the logical error rate with its confidence interval
    beside PyMatching, correlated PyMatching and the data set's own predictions, and the latency of every shot
    in clock cycles.
    """
    with errors():
        outputs = resolve_outputs(json_file, plot, vcd)
        from triplane.host.replay.datasets import load_dataset
        from triplane.host.replay.result import EscalateOptions, ReplayOptions

        options = ReplayOptions(
            weight_bits,
            round_ns,
            deadline_ns,
            outputs.vcd,
            vcd_shots,
            passes,
            decoder,
            EscalateOptions.given(escalate, hard_above=hard_above, answer_ns=answer_ns, amend_ns=amend_ns),
            board,
        )
        dataset = load_dataset(paths, model=model, shots=shots)
        outputs.check(dataset.files.all().values() if dataset.files else ())
        run_replay(dataset, options, outputs)


@app.command(
    name="calibrate-decoder",
    epilog="Examples:\n\n"
    "triplane calibrate-decoder google_sycamore_2022/surface_code_bX_d5_r05_center_5_5\n\n"
    "triplane calibrate-decoder model.dem shots.b8 --fit all --out today.dem --board sim\n\n"
    "triplane replay FOLDER --model $PWD/fitted_from_even_for_odd.dem   (decodes the odd shots)",
)
def calibrate_decoder(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR | MODEL EVENTS [OBSERVABLES]",
            show_default=False,
            help="A data set as replay takes it. Its model says which errors there are, its events how likely.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="FILE",
            show_default="circuit_detector_error_model.dem",
            help="Another reference model, by name in the directory or by path.",
        ),
    ] = None,
    fit: Annotated[
        str,
        typer.Option(
            "--fit",
            metavar="even|odd|all",
            help="Shots to estimate from; the others judge the model. Counted from 0 in the files.",
        ),
    ] = "even",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.dem",
            show_default="fitted_from_even_for_odd.dem or the like",
            help="The fitted model. By the default names replay knows which shots it may decode.",
        ),
    ] = None,
    floor: Annotated[
        float | None,
        typer.Option(
            "--floor",
            metavar="P",
            show_default="a quarter of its error",
            help="Least probability: estimates below it are clipped to it, and listed in the JSON.",
        ),
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option("--shots", min=1, help="Take only the first so many shots.", show_default="all"),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(
            "--board", metavar="sim", show_default="none", help="Load the fitted weights into a board."
        ),
    ] = None,
    weight_bits: WeightBits = 5,
    json_file: Json = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE.png",
            show_default=False,
            help="Draw the correlations of all pairs of detectors, and the probabilities.",
        ),
    ] = None,
) -> None:
    """Estimate an error model from recorded detection events, and judge it on shots it has not seen.

    Every error that the reference model knows gets the probability that correlations of the detection events speak
    for. The fitted model is written as a .dem, and compared with the reference on the other half of the shots.
    """
    with errors():
        from triplane.host.calibration import command
        from triplane.host.calibration.estimate import CalibrationError
        from triplane.host.outputs import check_figure, resolve_output

        if fit not in command.FITS:
            raise CalibrationError(f"--fit must be {', '.join(command.FITS)}, not {fit!r}")
        if out is not None and out.suffix != ".dem":
            raise CalibrationError(f"{out}: error models are .dem; name it {out.with_suffix('.dem').name}")
        if plot is not None:
            check_figure(plot)
        command.run(
            paths,
            command=sys.argv,
            model=model,
            fit=fit,
            out=resolve_output(Path(command.MODEL_NAMES[fit]) if out is None else out),
            floor=floor,
            shots=shots,
            weight_bits=weight_bits,
            board=board,
            json_file=None if json_file is None else resolve_output(json_file),
            plot=None if plot is None else resolve_output(plot),
        )


def run_replay(
    dataset: Dataset,
    options: ReplayOptions,
    outputs: Outputs,
    *,
    seeds: dict[str, int] | None = None,
    extra_inputs: dict[str, bytes] | None = None,
) -> ReplayResult:
    """Replay a data set, file the run, and show and write its result."""
    from rich.console import Console

    from triplane.host.outputs import write_json
    from triplane.host.provenance import RunRecorder
    from triplane.host.replay import session
    from triplane.host.replay.progress import ProgressView
    from triplane.host.replay.report import print_report
    from triplane.host.replay.result import record

    RunRecorder(sys.argv).check()
    with ProgressView() as view:
        result = session.replay(dataset, options, view=view)
    try:
        result = record(result, sys.argv, seeds=seeds, extra_inputs=extra_inputs)
    finally:  # a result that cannot be recorded is shown and written nevertheless, with run null
        print_report(result, Console())
        if outputs.json_file is not None:
            write_json(outputs.json_file, result.as_json())
            print(f"result: {outputs.json_file}")
        if outputs.plot is not None:
            from triplane.host.plots import plot_replay

            plot_replay(result, outputs.plot)
            print(f"figure: {outputs.plot}")
    return result
