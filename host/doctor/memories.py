# SPDX-License-Identifier: BSD-2-Clause
"""Patterns through the bus into the board's memories, which the gateware reads back and checks itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from triplane.gateware.sequencer.opcodes import WORD_BITS
from triplane.gateware.sequencer.program import bank_crcs, banks
from triplane.gateware.shape import FabricShape
from triplane.hal.errors import BoardError
from triplane.hal.program import DecoderProgram
from triplane.hal.target import ArrayTarget, TableTarget
from triplane.host.doctor.finding import Finding, failed, ok
from triplane.host.doctor.patient import Patient

CHECK_S = 10.0
"""For the gateware to read a table back, a row a cycle; a simulated board needs some of it."""

SCRATCH = "identification_scratch"

FIX = (
    "power the board up again and repeat; if the same place fails again, the device or its supply is at fault: the "
    "board cannot be used, since tables cannot be trusted"
)


def memories(patient: Patient) -> Finding:
    """A word that is written is read as it was written, in registers and in every table."""
    wrong = _scratch(patient)
    if wrong is not None:
        return wrong
    written = 0
    tables = dict(_tables(patient.fabric)) if patient.fabric else {}
    for name, (depth, width) in tables.items():
        for pattern, rows in _patterns(depth, width, patient.rng):
            if not _holds(patient, name, banks(rows, depth, width)):
                return failed(f"the memory {name} does not hold {pattern}", FIX, table=name, pattern=pattern)
            written += depth * -(-width // 32)
    try:
        for table in _programs(patient):
            patient.board.load(table)
    except BoardError as error:
        return failed(f"the decoder's table: {error}", FIX, table="decoder")
    return ok(
        f"the scratch register holds all 64 patterns; {len(tables) + 1} tables hold what is written to them",
        tables=len(tables) + 1,
        words=written + patient.target.table_words,
    )


def _scratch(patient: Patient) -> Finding | None:
    """Walking ones and zeros through a register."""
    register = patient.board.registers[SCRATCH].address
    for bit in range(32):
        for value in (1 << bit, ~(1 << bit) & 0xFFFF_FFFF):
            patient.board.write(register, value)
            found = patient.board.read(register)
            if found != value:
                return failed(
                    f"the scratch register reads {found:#010x} after {value:#010x} was written: bits "
                    f"{', '.join(str(k) for k in range(32) if (found ^ value) >> k & 1)} are wrong",
                    "check the link to the board; if its checksums are right, the bus in the device is at fault: load "
                    "the gateware again",
                    written=value,
                    read=found,
                )
    return None


def _tables(shape: FabricShape) -> Iterator[tuple[str, tuple[int, int]]]:
    """Tables that take any content: name -> rows, bits of a row."""
    yield "sequencer_program", (shape.program_words, WORD_BITS)
    yield "sequencer_dispatcher_groups", (shape.groups, shape.channels)
    yield "sequencer_dispatcher_arms", (shape.groups, shape.slots)


def _patterns(depth: int, width: int, rng: np.random.Generator) -> Iterator[tuple[str, list[int]]]:
    """Rows that differ in every bit, from row to row, and at random."""
    ones = (1 << width) - 1
    yield "ones and zeros in turn", [ones * (row & 1) for row in range(depth)]
    # Every row something else: an address line that is stuck makes two of them one.
    yield "its own addresses", [row * 0x9E37_79B9_7F4A_7C15 & ones for row in range(1, depth + 1)]
    chunks = rng.integers(2**32, size=(depth, -(-width // 32)), dtype=np.uint64).tolist()
    yield (
        "random words",
        [sum(word << 32 * k for k, word in enumerate(row)) & ones for row in chunks],
    )


def _holds(patient: Patient, name: str, table: npt.NDArray[np.uint32]) -> bool:
    """Write a table, and let the gateware read it back."""
    patient.put(f"{name}_index", 0)
    patient.put(f"{name}_data", *table.reshape(-1).tolist())
    patient.put(f"{name}_crc", *bank_crcs(table))
    patient.wait(lambda: not patient.fields(f"{name}_status")["checking"], CHECK_S)
    return bool(patient.fields(f"{name}_status")["trusted"])


def _programs(patient: Patient) -> Iterator[DecoderProgram]:
    """What the decoder's table has to hold; of a lookup table every bit both ways."""
    table = any_program(patient)
    yield table
    if isinstance(patient.target, TableTarget):
        yield replace(table, words=~table.words)


def any_program(patient: Patient) -> DecoderProgram:
    """A table for the board's decoder: weights of its plan, or random entries of a lookup table."""
    target = patient.target
    if isinstance(target, ArrayTarget):
        return DecoderProgram.from_plan(target.plan)
    assert isinstance(target, TableTarget)
    words = patient.rng.integers(2**32, size=target.table_words, dtype=np.uint64).astype(np.uint32)
    return DecoderProgram.from_table(target, words)
