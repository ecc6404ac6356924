# SPDX-License-Identifier: BSD-2-Clause
"""Control programs as payloads of jobs: source alone, or with all that the board is loaded with, as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from triplane import hal
from triplane.gateware.dsp.layouts import PULSE, TONES, EntryField
from triplane.gateware.readout.layouts import Discriminant, Window
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.disassembler import disassemble
from triplane.gateware.shape import FabricShape
from triplane.host.scheduler.contracts import Part, told
from triplane.host.scheduler.errors import ContractError

MAX_PROGRAM_BYTES = 8 * 1024 * 1024
"""Of a program with its tables; those of the largest board have 2 MiB."""

Int16 = Annotated[int, Field(ge=-(2**15), lt=2**15)]
Word = Annotated[int, Field(ge=0, lt=2**32)]
Sample = tuple[Int16, Int16]
"""i and q, or real and imaginary part."""

Fields = dict[str, int]
Made = TypeVar("Made")


class DriveTables(Part):
    """`hal.Pulses`."""

    entries: tuple[Fields, ...] = ()
    envelope: tuple[Sample, ...] = ()


class ToneTables(Part):
    """`hal.Tones`."""

    entries: tuple[Fields, ...] = ()
    envelope: tuple[Sample, ...] = ()
    amplitudes: tuple[int, ...] = ()


class ReadoutTables(Part):
    """`hal.Demodulation`."""

    frequencies: tuple[int, ...] = ()
    weights: tuple[tuple[Sample, ...], ...] = ()
    discriminants: tuple[Fields, ...] = ()
    windows: tuple[Fields, ...] = ()


class ProgramFile(Part):
    """`hal.ControlProgram`; the sequence is its source, line by line."""

    version: Annotated[int, Field(ge=1, le=1)] = 1
    sequence: tuple[str, ...]
    drives: tuple[DriveTables, ...] = ()
    tones: tuple[ToneTables, ...] = ()
    demodulation: tuple[ReadoutTables, ...] = ()
    syndrome: tuple[Word, ...] | None = None
    watchdog_cycles: int = 0
    rounds: int = 0
    epoch_register: int | None = None


def packed_program(program: hal.ControlProgram) -> bytes:
    """A control program with its tables as bytes, for a job of kind "program" or a file that `triplane submit` takes.

    Args:
        program: its sequence is kept as the disassembler has it: the same words, without macros and comments.

    Raises:
        ContractError: they are more than MAX_PROGRAM_BYTES.
    """
    made = ProgramFile(
        sequence=tuple(disassemble(program.sequence).splitlines()),
        drives=tuple(
            DriveTables(entries=_dicts(each.entries), envelope=each.envelope.tolist())
            for each in program.drives
        ),
        tones=tuple(
            ToneTables(
                entries=_dicts(each.entries), envelope=each.envelope.tolist(), amplitudes=each.amplitudes
            )
            for each in program.tones
        ),
        demodulation=tuple(
            ReadoutTables(
                frequencies=each.frequencies,
                weights=each.weights.tolist(),
                discriminants=tuple(dataclasses.asdict(one) for one in each.discriminants),
                windows=tuple(dataclasses.asdict(one) for one in each.windows),
            )
            for each in program.demodulation
        ),
        syndrome=None if program.syndrome is None else tuple(program.syndrome.tolist()),
        watchdog_cycles=program.watchdog_cycles,
        rounds=program.rounds,
        epoch_register=program.epoch_register,
    )
    return _limited(made.model_dump_json(exclude_defaults=True).encode())


def program_of(kind: str, payload: bytes) -> hal.ControlProgram:
    """The control program of a job of kind "control" or "program". Whether it fits a board is for the board to say.

    Raises:
        ContractError: it is too large, or a field is missing, unknown or out of range; the text names it.
        AssemblyError: there are errors in the sequence; the text has line and column.
    """
    if kind == "control":
        return hal.ControlProgram(assemble(payload.decode("utf-8", "replace"), file="program"))
    try:
        found = ProgramFile.model_validate_json(_limited(payload))
    except ValidationError as error:
        raise ContractError(told("program", error)) from error
    return hal.ControlProgram(
        assemble("\n".join(found.sequence) + "\n", file="program"),
        drives=tuple(hal.Pulses(each.entries, _samples(each.envelope)) for each in found.drives),
        tones=tuple(
            hal.Tones(each.entries, _samples(each.envelope), each.amplitudes) for each in found.tones
        ),
        demodulation=tuple(_demodulation(number, each) for number, each in enumerate(found.demodulation)),
        syndrome=None if found.syndrome is None else np.array(found.syndrome, dtype=np.uint32),
        watchdog_cycles=found.watchdog_cycles,
        rounds=found.rounds,
        epoch_register=found.epoch_register,
    )


def alone(program: hal.ControlProgram, shape: FabricShape) -> hal.ControlProgram:
    """The same with all tables full, so that nothing is left of what an earlier job has loaded.

    Entries that the program does not name play nothing, and windows give nothing. What does not fit the shape stays so.
    """
    drives = _filled(program.drives, shape.drives, hal.Pulses())
    tones = _filled(program.tones, shape.lines, hal.Tones())
    lines = _filled(program.demodulation, shape.lines, hal.Demodulation())
    return dataclasses.replace(
        program,
        drives=tuple(
            dataclasses.replace(each, entries=_filled(each.entries, shape.pulse_entries, _silent(PULSE)))
            for each in drives
        ),
        tones=tuple(
            dataclasses.replace(each, entries=_filled(each.entries, shape.pulse_entries, _silent(TONES)))
            for each in tones
        ),
        demodulation=tuple(
            dataclasses.replace(each, windows=_filled(each.windows, shape.windows, Window(0, 1)))
            for each in lines
        ),
    )


def table_hashes(program: hal.ControlProgram, shape: FabricShape) -> dict[str, str]:
    """SHA-256 (hex) of what each part of a fabric is loaded with: register names and their words, in order.

    Args:
        program: that fits the shape.
        shape: of the fabric.
    """
    digests: dict[str, Any] = {}
    for name, words in program.writes(shape):
        digest = digests.setdefault(name.partition("_")[0], hashlib.sha256())
        digest.update(f"{name} {' '.join(map(str, words))}\n".encode())
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _demodulation(line: int, tables: ReadoutTables) -> hal.Demodulation:
    where = f"program: demodulation.{line}"
    if len({len(row) for row in tables.weights}) > 1:
        raise ContractError(f"{where}.weights: all tones have as many samples")
    count = len(tables.weights)
    weights = np.array(tables.weights, dtype=np.int16).reshape(count, -1, 2) if count else None
    made = hal.Demodulation(
        tables.frequencies,
        **({} if weights is None else {"weights": weights}),
        discriminants=_made(Discriminant, tables.discriminants, f"{where}.discriminants"),
        windows=_made(Window, tables.windows, f"{where}.windows"),
    )
    _check_windows(where, made)
    return made


def _check_windows(where: str, line: hal.Demodulation) -> None:
    """A window reads with what is in the same program, not with what was loaded before."""
    tones = min(len(line.frequencies), len(line.weights), len(line.discriminants))
    for number, window in enumerate(line.windows):
        if window.tones.bit_length() > tones or window.first_weight + window.length > line.weights.shape[1]:
            raise ContractError(
                f"{where}.windows.{number} reads tones or samples that have no frequency, weight or discriminant here"
            )


def _filled(rows: Sequence[Made], count: int, filling: Made) -> tuple[Made, ...]:
    return (*rows, *[filling] * (count - len(rows)))


def _silent(fields: Sequence[EntryField]) -> Mapping[str, int]:
    return dict.fromkeys((field.name for field in fields), 0)


def _made(make: Callable[..., Made], rows: Sequence[Fields], where: str) -> tuple[Made, ...]:
    try:
        return tuple(make(**row) for row in rows)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{where}: {error}") from error


def _samples(rows: Sequence[Sample]) -> npt.NDArray[np.int16]:
    return np.array(rows, dtype=np.int16).reshape(-1, 2)


def _dicts(entries: Sequence[Any]) -> tuple[Fields, ...]:
    return tuple(dict(each) for each in entries)


def _limited(data: bytes) -> bytes:
    if len(data) > MAX_PROGRAM_BYTES:
        raise ContractError(f"a program has {len(data)} bytes; {MAX_PROGRAM_BYTES} are the most")
    return data
