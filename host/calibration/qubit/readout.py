# SPDX-License-Identifier: BSD-2-Clause
"""Readout of a qubit, set up from what comes back: weights of mean traces, a discriminant of single shots."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.layouts import INTEGRAL_SHIFT, TRACE_SHIFT, Discriminant
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.sequencer.expression import TURN
from triplane.hal.board import Board
from triplane.host.calibration.experiments import Fit, fit_blobs
from triplane.host.calibration.qubit.station import PATIENCE, Station
from triplane.host.calibration.readout import (
    LinearDiscriminant,
    fit_discriminant,
    matched_weights,
    quantise,
    quantise_weights,
)
from triplane.host.compiler.device import CHAINED

TRACES = 64
"""Of each state, for the weights."""

SHOTS = 512
"""Of each state, for the discriminant."""

MOST_ERROR = 0.2
"""Share of shots that may be read wrongly before the readout is not worth its name."""

LIMIT_CYCLES = 60_000
"""That a shot takes at the most, with the waits of its resets."""


@dataclass(frozen=True)
class ReadoutResult:
    """How well a qubit is read, and by what.

    Attributes:
        qubit: number.
        zero, one: float64 (shots, 2), integrals of shots prepared in 0 and in 1, i and q, in the gateware's units.
        fit: of both blobs along the axis that tells them apart.
        discriminant: in the gateware's registers now.
        found: `readout_error0`, `readout_error1` -> (share, standard deviation).
        complaints: why not to believe it.
    """

    qubit: int
    zero: npt.NDArray[np.float64]
    one: npt.NDArray[np.float64]
    fit: Fit
    discriminant: LinearDiscriminant
    found: dict[str, tuple[float, float]]
    complaints: tuple[str, ...]
    routine: str = "readout"

    @property
    def good(self) -> bool:
        """Whether to believe it."""
        return not self.complaints

    def _repr_html_(self) -> str:
        from triplane.host.calibration.qubit.drawing import shown

        return shown(self)

    def as_json(self) -> dict[str, Any]:
        """For the store."""
        return {
            "routine": self.routine,
            "qubit": self.qubit,
            "zero": self.zero.tolist(),
            "one": self.one.tolist(),
            "fit": {"values": self.fit.values, "errors": self.fit.errors},
            "found": {name: list(value) for name, value in self.found.items()},
            "complaints": list(self.complaints),
        }


def calibrate_readout(
    station: Station, qubit: int, *, traces: int = TRACES, shots: int = SHOTS
) -> ReadoutResult:
    """Set up a qubit's readout; the station uses it from then on.

    Half of the shots give the discriminant, the other half is judged by it.

    Raises:
        ReadoutCalibrationError: both states look the same, or too few shots were asked for.
        BoardError: of the board.
    """
    line, tone = station.place(qubit)
    done, total = itertools.count(1), 2 * (traces + shots)

    def shot() -> None:
        station.progress(next(done), total)

    means = [_mean_trace(station, qubit, excited, traces, shot) for excited in (False, True)]
    weights = matched_weights(means[0], means[1])
    _use(station, line, tone, weights=quantise_weights(weights))
    clouds = [_integrals(station, qubit, excited, shots, shot) for excited in (False, True)]
    half = shots // 2
    points = np.concatenate([cloud[:half] for cloud in clouds])
    fit = fit_discriminant(points, np.repeat([0, 1], half), priors=[0.5, 0.5])
    _use(station, line, tone, discriminant=quantise(fit))
    axis = fit.coefficients[0] / np.linalg.norm(fit.coefficients[0])
    blobs = fit_blobs(clouds[0] @ axis, clouds[1] @ axis)
    wrong = [float((fit.decide(cloud[half:]) != state).mean()) for state, cloud in enumerate(clouds)]
    judged = shots - half
    found = {
        # A count more, so that no error in a few hundred shots is not taken for none at all.
        f"readout_error{state}": (share, float(np.sqrt((share + 1 / judged) / judged)))
        for state, share in enumerate(wrong)
    }
    station.floors[qubit] = wrong[0]
    complaints = tuple(
        f"{share:.0%} of the shots prepared in {state} are read wrongly: check the tone and the pulse"
        for state, share in enumerate(wrong)
        if share > MOST_ERROR
    )
    return ReadoutResult(qubit, clouds[0], clouds[1], blobs, fit, found, complaints)


def _use(
    station: Station,
    line: int,
    tone: int,
    *,
    weights: npt.NDArray[np.int64] | None = None,
    discriminant: Discriminant | None = None,
) -> None:
    """Put weights or a discriminant of one tone in the place of those that are known."""
    known = station.demodulation(line, 1)
    if weights is not None:
        table = known.weights.copy()
        table[tone] = weights
        known = replace(known, weights=table)
    if discriminant is not None:
        discriminants = list(known.discriminants)
        discriminants[tone] = discriminant
        known = replace(known, discriminants=tuple(discriminants))
    station.demodulations[line] = known


def _mean_trace(
    station: Station, qubit: int, excited: bool, traces: int, done: Callable[[], None]
) -> npt.NDArray[np.complex128]:
    """Mean trace of a state, mixed down to the tone: complex128 (samples,), in steps of the ADC."""
    line, tone = station.place(qubit)
    window = station.window(line)
    frequency = station.demodulation(line, 1).frequencies[tone]
    pulse = f"    x_{qubit}\n" if excited else ""
    # The time of the capture and that in which the line's phases are 0.
    text = f"""
    prepare
    sync
    wait 40
{pulse}    cursor r2
    measure
    emit r2
    emit r31
    halt 0"""
    board = station.board
    board.load_control(station.program(qubit, text))
    total = np.zeros(window.length, np.complex128)
    for _ in range(traces):
        _set(board, f"line{line}_trace_length", window.length)
        _pulse(board, f"line{line}_trace_control", "arm")
        ended = board.execute(limit_cycles=LIMIT_CYCLES, records=True)
        captured, epoch = (int(word) for word in ended.outcomes)
        first = captured - epoch + CHAINED + ReadoutLine.LEAD + window.delay
        cycles = first + np.arange(window.length)
        turns = (frequency * cycles % TURN) / TURN
        total += _samples(board, line, window.length) * np.exp(-2j * np.pi * turns)
        done()
    return np.asarray(total / traces)


def _integrals(
    station: Station, qubit: int, excited: bool, shots: int, done: Callable[[], None]
) -> npt.NDArray[np.float64]:
    """Integrals of single shots: float64 (shots, 2)."""
    line, tone = station.place(qubit)
    window = station.window(line)
    board, room = station.board, station.shape.partial_values
    pulse = f"    x_{qubit}\n" if excited else ""
    text = f"""
next_shot:
    sync
    wait 16
    prepare
{pulse}    measure
    read r4, qubit, {PATIENCE}
    loop r1, next_shot
    halt 0"""
    board.load_control(station.program(qubit, text))
    partial = board.registers[f"line{line}_settings_partial"].fields
    choice = tone << partial["tone"].offset | (window.length - 1) << partial["decimation"].offset
    parts = []
    for start in range(0, shots, room):
        count = min(room, shots - start)
        _set(board, f"line{line}_settings_partial", choice)
        _set(board, f"line{line}_decimated_length", count)
        _pulse(board, f"line{line}_decimated_control", "arm")
        board.execute({1: count}, limit_cycles=count * LIMIT_CYCLES)
        _set(board, f"line{line}_decimated_index", 0)
        values = [
            [_read(board, f"line{line}_decimated_{name}") for name in ("data0", "data1")]
            for _ in range(count)
        ]
        parts.append(np.array(values, np.uint32).astype(np.int32))
        for _ in range(count):
            done()
    # A value of the trace has more bits below the point than an integral.
    return np.asarray(np.concatenate(parts) / 2.0 ** (INTEGRAL_SHIFT - TRACE_SHIFT), dtype=np.float64)


def _samples(board: Board, line: int, count: int) -> npt.NDArray[np.complex128]:
    """A raw trace: complex128 (count,), in steps of the ADC."""
    _set(board, f"line{line}_trace_index", 0)
    words = board.burst_read(board.registers[f"line{line}_trace_data"].address, count, increment=False)
    parts = words.astype("<u4").view("<i2").reshape(-1, 2).astype(np.float64)
    return np.asarray(parts[:, 0] + 1j * parts[:, 1])


def _set(board: Board, name: str, value: int) -> None:
    board.write(board.registers[name].address, value)


def _read(board: Board, name: str) -> int:
    return board.read(board.registers[name].address)


def _pulse(board: Board, name: str, field: str) -> None:
    _set(board, name, 1 << board.registers[name].fields[field].offset)
