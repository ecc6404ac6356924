# SPDX-License-Identifier: BSD-2-Clause
"""The body of `triplane calibrate-decoder`: read, fit, judge, write, load, record."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from triplane import hal
from triplane.gateware.decoder.graph import GraphError, compile_graph
from triplane.gateware.decoder.window import whole_window
from triplane.host.calibration.board import load_model, weights_for
from triplane.host.calibration.estimate import LEAST_SHOTS, CalibrationError, estimate
from triplane.host.calibration.judge import DECODERS, judge
from triplane.host.calibration.pairs import correlate
from triplane.host.calibration.result import Calibration, record
from triplane.host.calibration.structure import Structure
from triplane.host.outputs import write_json, write_whole
from triplane.host.replay.datasets import Dataset, load_dataset
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.shotfiles import DatasetError, read_bytes, read_model

FITS = {"even": 0, "odd": 1, "all": None}
"""What may be fitted -> parity of the shots, counted from 0 in the files."""

MODEL_NAMES = {
    "even": "fitted_from_even_for_odd.dem",
    "odd": "fitted_from_odd_for_even.dem",
    "all": "fitted_from_all.dem",
}
"""What is fitted -> name of the model; replay knows by it which shots the model may decode."""

PUBLISHED = {"even": "pij_from_even_for_odd.dem", "odd": "pij_from_odd_for_even.dem"}
"""What is fitted -> the publisher's model fitted on the same shots, where the data set has one."""

REFERENCE, FITTED, PUBLISHED_NAME = "reference", "fitted", "published fit"


def calibrate(
    dataset: Dataset,
    fit: str = "even",
    *,
    floor: float | None = None,
    weight_bits: int = 5,
    compare: bool = True,
    view: ProgressView | None = None,
) -> Calibration:
    """Estimate a model from one part of a data set's shots and judge it on the other.

    Args:
        dataset: events, and the reference model that gives the structure.
        fit: "even", "odd" or "all".
        floor: see `estimate`.
        weight_bits: of the union-find decoders that judge.
        compare: whether to decode the other part.

    Raises:
        CalibrationError: nothing can be estimated, or `fit` is none of the three.
        DatasetError: the reference is no matching graph.
    """
    if fit not in FITS:
        raise CalibrationError(f"fit must be {', '.join(FITS)}, not {fit!r}")
    view = view or ProgressView(quiet=True)
    try:
        window = whole_window(compile_graph(dataset.model, weight_bits=weight_bits))
    except GraphError as error:
        raise DatasetError(f"{dataset.files.model if dataset.files else dataset.name}: {error}") from error
    parity = FITS[fit]
    fitted = np.ones(dataset.shots, dtype=np.bool_) if parity is None else dataset.indices % 2 == parity
    others = fitted if parity is None else ~fitted
    if not fitted.any() or not others.any():
        lacking = "fit" if not fitted.any() else "judge by"
        if dataset.shots == 1:
            raise CalibrationError(
                f"{dataset.name}: of 1 shot none is left to {lacking}; give at least {2 * LEAST_SHOTS}, better 20000"
            )
        raise CalibrationError(
            f"{dataset.name}: all {dataset.shots} shots are of one half, so none are left to {lacking}; take a "
            "reference that was not fitted on a half, such as circuit_detector_error_model.dem"
        )
    structure = Structure.of(dataset.model)
    events = dataset.events[fitted]
    counter = view.count("estimating", len(events))
    found = estimate(structure, events, floor=floor, progress=lambda done, total: counter.to(done))
    model = structure.model(dataset.model, found.strengths)
    models = {REFERENCE: dataset.model, FITTED: model}
    extra: dict[str, tuple[bytes, str]] = {}
    path = _published(dataset, fit)
    if path is not None:
        data = read_bytes(path)
        extra["published_fit"] = (data, str(path.resolve()))
        models[PUBLISHED_NAME] = read_model(path, data)
    judgements = []
    for name, each in models.items() if compare else ():
        counter = view.count(f"decoding with the {name} model", len(DECODERS) * int(others.sum()))
        judgements.append(
            judge(
                name,
                each,
                dataset.events[others],
                dataset.observables[others],
                weight_bits=weight_bits,
                window=window,
                progress=counter.to,
            )
        )
    return Calibration(
        dataset=dataset,
        fit=fit,
        judged=int(others.sum()),
        estimate=found,
        pairs=correlate(structure, found.strengths, events),
        model=model,
        judgements=tuple(judgements),
        weight_bits=weight_bits,
        floor=floor,
        extra=extra,
    )


def _published(dataset: Dataset, fit: str) -> Path | None:
    if dataset.files is None or fit not in PUBLISHED:
        return None
    path = dataset.files.events.parent / PUBLISHED[fit]
    return path if path.is_file() else None


def try_on_board(url: str, result: Calibration, view: ProgressView) -> dict[str, str]:
    """Load the reference, then the fitted model, into one board built for the reference; what it holds after each.

    Raises CalibrationError where the model does not fit that gateware, BoardError where the board fails.
    """
    plan = whole_window(compile_graph(result.dataset.model, weight_bits=result.weight_bits))
    weights_for(plan, result.model)  # before a build of minutes
    try:
        with hal.connect(url, plan=plan, progress=view.build) as board:
            reference = load_model(board, plan, result.dataset.model)
            fitted = load_model(board, plan, result.model)
            build_hash = str(board.identify().build_hash)
    except ValueError as error:
        if isinstance(error, CalibrationError):
            raise
        raise CalibrationError(str(error)) from error
    return {
        "board": url,
        "structure_hash": plan.structure_hash,
        "reference_table_hash": reference.table_hash,
        "table_hash": fitted.table_hash,
        "table_crc": f"{fitted.table_crc:#010x}",
        "build_hash": build_hash,
    }


def run(
    paths: Sequence[Path],
    *,
    command: Sequence[str],
    model: str | None,
    fit: str,
    out: Path,
    floor: float | None,
    shots: int | None,
    weight_bits: int,
    board: str | None,
    json_file: Path | None,
    plot: Path | None,
) -> Calibration:
    """What the command does. `out`, `json_file` and `plot` are resolved outputs; see `calibrate` for the rest."""
    from triplane.host.calibration.report import plot_calibration, print_report
    from triplane.host.outputs import check_distinct
    from triplane.host.provenance import RunRecorder

    if board is not None and board not in hal.DRIVERS:
        raise CalibrationError(f"no driver for board {board!r}; there are: {', '.join(hal.DRIVERS)}")
    dataset = load_dataset(paths, model=model, shots=shots)
    outputs = {"--out": out, "--json": json_file, "--plot": plot}
    check_distinct(
        [(option, path) for option, path in outputs.items() if path is not None],
        dataset.files.all().values() if dataset.files else (),
    )
    RunRecorder(list(command)).check()
    with ProgressView() as view:
        result = calibrate(dataset, fit, floor=floor, weight_bits=weight_bits, view=view)
        write_whole(out, f"{result.model}\n".encode())
        if board is not None:
            result = dataclasses.replace(result, board=try_on_board(board, result, view))
    try:
        result = record(result, command)
    finally:  # a result that cannot be recorded is shown and written nevertheless, with run null
        print_report(result, Console())
        print(f"model: {out}")
        if json_file is not None:
            write_json(json_file, result.as_json())
            print(f"result: {json_file}")
        if plot is not None:
            plot_calibration(result, plot)
            print(f"figure: {plot}")
    return result
