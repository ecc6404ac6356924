# SPDX-License-Identifier: BSD-2-Clause
"""What a board's gateware is built around: windows of a surface code, and as much fabric as its converters feed."""

from __future__ import annotations

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import WindowPlan, default_window, sliding_window
from triplane.gateware.dsp.layouts import NUM_TONES
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.hal.descriptor import Descriptor
from triplane.host.replay.sampling import memory_circuit

PROBABILITY = 0.001
"""Of the circuit noise that gives the graph; weights are loaded, so the hardware does not depend on it."""

KNOWN_BITS = 8
"""Bits that a program may give with a round: prepared states, or bits of a sweep."""

HISTORY = 2
"""Earlier rounds that detection events may need: 2, for ancillas that are not reset."""

Channels = tuple[int, int]
"""Drive channels and readout lines."""


class DesignError(ValueError):
    """A board cannot be built like this; the text names the value and what to do."""


def window_plan(distance: int) -> WindowPlan:
    """Sliding window of the default size over the rotated surface code, both bases.

    Raises:
        DesignError: no such code.
    """
    try:
        window, commit = default_window(distance)
        # The shortest memory that has a repeating round and both ends.
        circuit = memory_circuit(distance=distance, rounds=window + 4, probability=PROBABILITY)
    except ValueError as error:
        raise DesignError(str(error)) from error
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    return sliding_window(graph, window=window, commit=commit)


def channels(descriptor: Descriptor, distance: int) -> Channels:
    """How the converters are shared: lines for as many of the code's qubits as can be read, the rest for drives.

    A line takes an ADC and a DAC, a drive a DAC. One DAC is left for a drive. (0, 0) for a board without converters.
    """
    dacs, adcs = descriptor.control.dac_channels, descriptor.control.adc_channels
    wanted = -(-(2 * distance**2 - 1) // NUM_TONES)
    lines = min(wanted, adcs, dacs - 1)
    return (dacs - lines, lines) if lines > 0 else (0, 0)


def fabric_shape(descriptor: Descriptor, distance: int, plan: WindowPlan) -> FabricShape | None:
    """The fabric of a board around a decoder; None for a board without converters."""
    drives, lines = channels(descriptor, distance)
    if not lines:
        return None
    slots = lines * NUM_TONES
    qubits = min(2 * distance**2 - 1, slots)
    syndrome = SyndromeShape(
        slots=slots,
        events=max(map(len, plan.slots)),
        kept=slots,
        history=HISTORY,
        known=KNOWN_BITS,
        observables=max(plan.num_observables, 1),
    )
    return FabricShape(drives, lines, syndrome, frame_qubits=tuple(range(qubits)))
