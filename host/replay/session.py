# SPDX-License-Identifier: BSD-2-Clause
"""The replay itself: compile, connect, load, stream every shot, check every record, keep the evidence.

Each record that comes back is checked before it counts: its sequence number, the unmatched flag, and its
decode cycles against the bound that was computed when the gateware was built. A replay that finishes has seen
all three hold for every shot.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from triplane import hal
from triplane.boards import descriptor_path
from triplane.gateware.decoder.graph import DecodingGraph, GraphError, compile_graph
from triplane.gateware.decoder.layouts import UNMATCHED
from triplane.gateware.decoder.table import LOOKUP_CYCLES, TableShape, observed_detectors
from triplane.gateware.decoder.window import whole_window
from triplane.gateware.decoder.window.bound import window_bound
from triplane.hal.barrier import MAX_AMEND_CYCLES
from triplane.host.outputs import OutputError, explain, is_live
from triplane.host.replay.datasets import Dataset, DatasetError
from triplane.host.replay.ledger import LatencyLedger, Stage, ns_to_cycles, whole_cycles_within
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.references import compare, logical_error_rate
from triplane.host.replay.result import EscalateOptions, OptionsError, ReplayOptions, ReplayResult
from triplane.host.runtime.escalation import EscalatedRun, Escalation, run_escalated
from triplane.host.runtime.outer import OuterDecoder

BACK_TO_BACK = 0
"""Round period in cycles that stands for: the next round as soon as the decoder takes it."""


RUN_UP_CYCLES = 1_000
"""Cycles of bus traffic between the start of a waveform and the first round."""

OTHER_TABLE = "was decoded with the table of CRC {tables:#010x}, not with the one that was loaded"
LOST = "carries sequence number {sequence}: a record was lost or doubled"
OVER_BOUND = (
    "took {decode_cycles} cycles to decode, above the bound of {bound} computed at build time: "
    "gateware and bound disagree, do not trust either"
)
UNEXPLAINED = (
    "has detection events that neither a partner nor a boundary explains: "
    "the model lacks edges that the data needs, or the array is at fault"
)


class ReplayError(RuntimeError):
    """The board did not do what it promised; the message names the shot, the value and what to look at."""


def replay(
    dataset: Dataset,
    options: ReplayOptions | None = None,
    *,
    view: ProgressView | None = None,
    connect: Callable[..., hal.Board] | None = None,
) -> ReplayResult:
    """Decode every shot of a data set on a board and compare with other decoders.

    The result's `run` is empty: `record` files it. connect stands in for `triplane.hal.connect`.

    Raises:
        DatasetError: the model cannot become a decoding graph.
        OptionsError: rounds are further apart, or a barrier is to wait longer, than the board can count.
        OuterDecoderError: hard shots are to be escalated, and PyMatching cannot take the model.
        ReplayError: a record breaks the sequence, exceeds the bound or reports unmatched detection events.
    """
    options = options or ReplayOptions()
    if options.round_ns is not None:
        check_round(options.round_ns)
    if options.escalate is not None:
        check_amend(options.escalate.amend_ns)
    view = view or ProgressView(quiet=True)
    try:
        graph = compile_graph(dataset.model, weight_bits=options.weight_bits)
    except GraphError as error:
        raise DatasetError(f"{dataset.files.model if dataset.files else dataset.name}: {error}") from error
    decoder = _table(dataset, graph) if options.decoder == "table" else _arrays(graph, options.passes)
    view.step(
        f"graph: {graph.num_detectors} detectors in {len(graph.layers)} rounds, {len(graph.edges)} edges; "
        f"{decoder.account}"
    )

    started = time.monotonic()
    try:
        found = (connect or hal.connect)(options.board, **decoder.built_from, progress=view.build)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ReplayError(
            f"the cached build of the board is damaged ({error}); delete it from Triplane's cache and run again"
        ) from error
    except ValueError as error:
        raise ReplayError(f"{dataset.name}: no board can decode this model: {error}") from error
    with found as board:
        connect_s = time.monotonic() - started
        board.load(decoder.program)
        identity = board.identify()
        _check_bound(board, decoder)
        bound, crc = decoder.bound, decoder.program.table_crc
        clock_hz = int(identity.clock_hz)
        rounds = graph.pack_events(dataset.events)
        period = (
            BACK_TO_BACK if options.round_ns is None else max(1, ns_to_cycles(options.round_ns, clock_hz))
        )
        if options.vcd is not None:
            _trace(board, options.vcd, rounds[: options.vcd_shots], period, bound)
            view.step(f"waveform of {min(options.vcd_shots, dataset.shots)} shots: {options.vcd}")
        escalated: EscalatedRun | None = None
        if options.escalate is None:
            records, cycles, pacing, stream_s = _stream(board, rounds, period, bound, crc, dataset, view)
        else:
            escalated, stream_s = _escalate(
                board, rounds, period, bound, crc, dataset, options.escalate, clock_hz, view
            )
            records, cycles, pacing = escalated.records[:, 0], escalated.cycles, escalated.pacing

    predicted = unpack_observables(
        records["observables"] if escalated is None else escalated.frames, graph.num_observables
    )
    by_fabric = unpack_observables(records["observables"], graph.num_observables)
    counter = view.count("PyMatching", 2 * dataset.shots)
    seen = [0, 0]

    def matched(done: int, total: int) -> None:
        seen[0] = seen[0] + total if done < seen[1] else seen[0]
        seen[1] = done
        counter.to(seen[0] + done)

    references = compare(dataset, progress=matched)
    deadline = None if options.deadline_ns is None else whole_cycles_within(options.deadline_ns, clock_hz)
    stage = Stage("decode", records["decode_cycles"], bound, deadline, clock_hz, options.deadline_ns)
    ledger = LatencyLedger((stage,))
    return ReplayResult(
        dataset=dataset,
        graph=graph,
        records=records,
        rate=logical_error_rate(predicted, dataset.observables),
        references=tuple(references),
        ledger=ledger,
        clock_hz=clock_hz,
        simulated=True,
        cycles=cycles,
        pacing=pacing,
        stream_s=stream_s,
        connect_s=connect_s,
        build_hash=str(identity.build_hash),
        structure_hash=decoder.program.structure_hash,
        table_hash=decoder.program.table_hash,
        options=options,
        escalation=escalated,
        fabric_rate=None if escalated is None else logical_error_rate(by_fabric, dataset.observables),
    )


def check_round(round_ns: float) -> None:
    """Refuse rounds further apart than the board's pacer can count, before a board is built or opened."""
    descriptor = hal.load_descriptor(descriptor_path("sim"))
    clock_hz, longest = descriptor.timing.clock_hz, descriptor.qec.max_round_period_cycles
    if ns_to_cycles(round_ns, clock_hz) > longest:
        limit = int(longest * 10**9 // clock_hz)
        raise OptionsError(
            f"round_ns must be at most {limit} ns on this board ({longest} cycles at {clock_hz / 1e6:g} MHz), "
            f"not {round_ns:.12g}"
        )


def check_amend(amend_ns: float) -> None:
    """Refuse a time-out of the barrier that the board cannot count, before a board is built or opened."""
    descriptor = hal.load_descriptor(descriptor_path("sim"))
    clock_hz = descriptor.timing.clock_hz
    if not 1 <= whole_cycles_within(amend_ns, clock_hz) <= MAX_AMEND_CYCLES:
        raise OptionsError(
            f"amend_ns must be {10**9 // clock_hz + 1} to {MAX_AMEND_CYCLES * 10**9 // clock_hz} ns on this board "
            f"(1 to {MAX_AMEND_CYCLES} cycles at {clock_hz / 1e6:g} MHz), not {amend_ns:.12g}"
        )


def unpack_observables(words: npt.NDArray[np.uint32], count: int) -> npt.NDArray[np.bool_]:
    """Observable words of records, uint32 (shots,), as bool (shots, count): bit k is observable k."""
    return (words[:, None] >> np.arange(count, dtype=np.uint32) & 1).astype(np.bool_)


def _stream(
    board: hal.Board,
    rounds: npt.NDArray[np.uint32],
    period: int,
    bound: int,
    crc: int,
    dataset: Dataset,
    view: ProgressView,
) -> tuple[npt.NDArray[np.void], int, hal.Pacing, float]:
    counter = view.count("streaming", len(rounds))
    chunks: list[npt.NDArray[np.void]] = []
    done = 0
    started = time.monotonic()
    run = board.run(rounds, round_period_cycles=period)
    for chunk in run:
        check_records(chunk, done, bound, crc, dataset)
        chunks.append(chunk)
        done += len(chunk)
        counter.to(done)
    stream_s = time.monotonic() - started
    fault = board.fault()
    if fault is not None:
        raise ReplayError(f"the board reports a fault after shot {done - 1}: {fault}")
    if done != len(rounds):
        raise ReplayError(f"the board answered {done} of {len(rounds)} shots; the record stream ended early")
    return np.concatenate(chunks), int(run.cycles), run.pacing, stream_s


def _escalate(
    board: hal.Board,
    rounds: npt.NDArray[np.uint32],
    period: int,
    bound: int,
    crc: int,
    dataset: Dataset,
    options: EscalateOptions,
    clock_hz: int,
    view: ProgressView,
) -> tuple[EscalatedRun, float]:
    counter = view.count("streaming, shot by shot", len(rounds))

    def check(records: npt.NDArray[np.void], first: int) -> None:
        check_records(records, first, bound, crc, dataset)
        counter.to(first + len(records))

    escalation = Escalation(
        answer_cycles=ns_to_cycles(options.answer_ns, clock_hz),
        amend_within_cycles=whole_cycles_within(options.amend_ns, clock_hz),
        hard_above=options.hard_above,
    )
    outer = OuterDecoder(dataset.model)
    started = time.monotonic()
    found = run_escalated(
        board, outer, dataset.events, rounds, escalation, round_period_cycles=period, check=check
    )
    stream_s = time.monotonic() - started
    fault = board.fault()
    if fault is not None:
        raise ReplayError(f"the board reports a fault after the last shot: {fault}")
    return found, stream_s


def check_records(records: npt.NDArray[np.void], first: int, bound: int, crc: int, dataset: Dataset) -> None:
    """Check records of the shots from `first` on; raises ReplayError naming the first shot at fault."""
    if first + len(records) > dataset.shots:
        raise ReplayError(
            f"the board sent {first + len(records)} records for {dataset.shots} shots; "
            "records are left of an earlier run, or doubled"
        )
    expected = np.arange(first, first + len(records), dtype=np.uint32)
    for wrong, complaint in (
        (records["sequence"] != expected, LOST),
        (records["tables"] != crc, OTHER_TABLE),
        (records["decode_cycles"] > bound, OVER_BOUND),
        (records["flags"] & UNMATCHED != 0, UNEXPLAINED),
    ):
        (at,) = np.nonzero(wrong)
        if at.size:
            record = records[at[0]]
            shot = first + int(at[0])
            detail = complaint.format(
                sequence=record["sequence"],
                decode_cycles=record["decode_cycles"],
                bound=bound,
                tables=int(record["tables"]),
            )
            raise ReplayError(
                f"{dataset.name}: record of shot {shot} (index {dataset.indices[shot]} in the file) {detail}"
            )


def _trace(board: hal.Board, path: Path, rounds: npt.NDArray[np.uint32], period: int, bound: int) -> None:
    """Stream a few shots with the waveform on; the file appears whole or not at all."""
    shots, layers, words = rounds.shape
    straight = is_live(path)  # a device or a pipe is written to, never replaced
    target = path if straight else path.resolve()
    partial = path if straight else target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        board.trace(partial, RUN_UP_CYCLES + shots * (layers * max(period, words) + bound))
        for _ in board.run(rounds, round_period_cycles=period):
            pass
        board.trace(None, 0)
        if not straight:
            partial.replace(target)
    except OSError as error:
        if isinstance(error, hal.errors.BoardError):
            raise
        raise OutputError(explain(error, path)) from error
    finally:
        if not straight:
            partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Decoder:
    """What decodes a data set.

    Attributes:
        program: what is loaded.
        built_from: arguments of `hal.connect`.
        bound, built_bound: worst-case decode cycles of this run, and of all that the gateware can be asked for.
        account: what it is, in a few words.
    """

    program: hal.DecoderProgram
    built_from: dict[str, Any]
    bound: int
    built_bound: int
    account: str


def _arrays(graph: DecodingGraph, passes: int) -> _Decoder:
    plan = whole_window(graph)
    target = hal.ArrayTarget(plan)
    return _Decoder(
        hal.DecoderProgram.from_plan(plan, passes=passes),
        {"graph": graph},
        window_bound(plan, passes),
        window_bound(plan, target.max_passes),
        f"{len(plan.components)} arrays, {plan.num_classes} weights of {plan.weight_bits} bits, "
        + ("1 pass" if passes == 1 else f"{passes} passes"),
    )


def _table(dataset: Dataset, graph: DecodingGraph) -> _Decoder:
    from triplane.sim.models.decoder.lut import fill_table

    try:
        shape = TableShape(observed_detectors(graph), graph.num_observables)
        table = fill_table(dataset.model, shape)
    except ValueError as error:
        raise DatasetError(f"{dataset.name}: no lookup table for this model: {error}") from error
    return _Decoder(
        hal.DecoderProgram.from_table(hal.TableTarget(graph, shape), table.words),
        {"graph": graph, "table": shape},
        LOOKUP_CYCLES,
        LOOKUP_CYCLES,
        f"a table of {shape.entries:,} entries",
    )


def _check_bound(board: hal.Board, decoder: _Decoder) -> None:
    """The worst-case decode cycles that the gateware states must be those that follow from the graph."""
    status = board.registers["decoder_status"]
    stated = status.fields["bound"].of(board.read(status.address))
    if stated != decoder.built_bound:
        raise ReplayError(
            f"the gateware states a bound of {stated} cycles, the graph's is {decoder.built_bound}: it was built for "
            "another graph or by another version; delete the cached build"
        )
