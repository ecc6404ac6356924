# SPDX-License-Identifier: BSD-2-Clause
"""The smallest boards with all that a large one has: for measurements of what does not depend on size."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import stim

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.hal.device import Device

if TYPE_CHECKING:
    from triplane.hal.drivers.sim import SimBoard

DRIVES = 3

SHAPE = FabricShape(
    DRIVES,
    1,
    SyndromeShape(slots=8, events=2, kept=2, history=1, known=0, observables=1, kinds=4),
    pulse_entries=16,
    envelope_clocks=256,
    window_samples=128,
    windows=4,
    trace_samples=128,
    partial_values=64,
    program_words=256,
    groups=32,
    queue_events=32,
    frame_qubits=(0, 1, 2),
)
"""A small fabric, for up to three qubits on one line."""

CABLED = dataclasses.replace(SHAPE, drives=1, lines=2, window_samples=256, trace_samples=512, frame_qubits=())
"""One with two lines, whose converters are cabled to each other: `triplane board --loopback`."""


def shape_of(device: Device) -> FabricShape:
    """The fabric of a simulated board for a device: a drive channel for each qubit, and its readout lines."""
    lines = len(device.lines)
    syndrome = dataclasses.replace(SHAPE.syndrome, slots=8 * lines)
    return dataclasses.replace(
        SHAPE,
        drives=len(device.qubits),
        lines=lines,
        syndrome=syndrome,
        pulse_entries=64,
        envelope_clocks=512,
        windows=16,
        program_words=1024,
        groups=64,
        queue_events=64,
        frame_qubits=(),
    )


def simulated_board(
    device: Device,
    *,
    emulated: Device | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> SimBoard:
    """A board for a device in this process, with the device emulated behind its converters.

    Args:
        device: what the board is for; its fabric has the shape `shape_of(device)`.
        emulated: what is behind it, if that is not the device itself: what calibration has missed.
        seed: of the emulator.
        progress: called with a line of text as the board is built, the first time.
    """
    from triplane.hal.drivers.sim import SimBoard
    from triplane.sim.qpu import Processor

    target = small_target()
    board = hal.connect(
        "sim", graph=target.graph, table=target.shape, fabric=shape_of(device), progress=progress
    )
    assert isinstance(board, SimBoard)
    board.attach(Processor(emulated or device, seed=seed))
    return board


def small_circuit() -> stim.Circuit:
    """What the decoder of boards with the small fabric is for."""
    return stim.Circuit.generated(
        "repetition_code:memory", distance=3, rounds=1, before_round_data_depolarization=0.1
    )


def small_rounds() -> stim.Circuit:
    """The rounds of that decoder, by qubits that are read themselves: what its ancillas would say, then nothing new."""
    return stim.Circuit("""
        M 0 1 2
        DETECTOR(1, 0) rec[-3] rec[-2]
        DETECTOR(3, 0) rec[-2] rec[-1]
        M 0 1 2
        DETECTOR(1, 1)
        DETECTOR(3, 1)
        OBSERVABLE_INCLUDE(0) rec[-1]
    """)


def small_target() -> hal.TableTarget:
    """The decoder of boards with the small fabric; most programs on them give it nothing."""
    graph = compile_graph(small_circuit().detector_error_model(decompose_errors=True))
    return hal.TableTarget(graph, TableShape(observed_detectors(graph), 1))
