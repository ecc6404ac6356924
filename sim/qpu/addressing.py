# SPDX-License-Identifier: BSD-2-Clause
"""Which transition a pulse meets, and with which phase: by the frequency of the pulse and the channel it is on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from triplane.hal.device import DAC_HZ, Coupling, Device
from triplane.sim.qpu.events import EventError, PulseEvent
from triplane.sim.qpu.transmon import Matrix, cross_propagators, drive_propagator

K = TypeVar("K")
V = TypeVar("V")

MAX_CACHED = 4096
"""Propagators that are kept; a sweep over more begins anew."""


Key = tuple[int, int, float, bytes]
"""Of a propagator: channel's qubit, qubit in whose frame it is, frequency, envelope."""


class Route(NamedTuple):
    """What a channel and a frequency lead to.

    Attributes:
        qubit: whose transition it is: the channel's own, or the target of a cross-resonance.
        coupling: of a cross-resonance; None for a pulse on the channel's own qubit.
        qubits: all that take part, the control first.
        offset_hz: the drive's frequency less the qubit's true one.
        local_hz: the channel's local oscillator less the qubit's true frequency.
        delay_s: of the channel.
        delay_turns: that the qubit's true frequency makes in that time.
        frame: the key's first three parts.
    """

    qubit: int
    coupling: Coupling | None
    qubits: tuple[int, ...]
    offset_hz: float
    local_hz: float
    delay_s: float
    delay_turns: float
    frame: tuple[int, int, float]


class Action(NamedTuple):
    """A pulse as the qubits see it.

    Attributes:
        qubit, coupling, qubits, offset_hz: as of its route.
        key: same key, same propagator in the frame of the drive.
        start_rad: phase of the drive in the qubit's true frame when the pulse reaches it.
        turned_rad: by how much that has grown when the pulse ends.
        begin_s, middle_s, end_s: when it is at the qubit; decoherence is divided in the middle.
    """

    qubit: int
    coupling: Coupling | None
    qubits: tuple[int, ...]
    offset_hz: float
    key: Key
    start_rad: float
    turned_rad: float
    begin_s: float
    middle_s: float
    end_s: float


class Addressing:
    """Finds what pulses act on, and keeps the propagators."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.qubit_of = {qubit.channel: number for number, qubit in enumerate(device.qubits)}
        self._couplings: dict[int, list[Coupling]] = {}
        for coupling in device.couplings:
            self._couplings.setdefault(coupling.control, []).append(coupling)
        self._routes: dict[tuple[int, float], Route] = {}
        self._kept: dict[Key, Matrix] = {}

    def resolve(self, event: PulseEvent) -> Action:
        """What an event acts on.

        A pulse belongs to the nearest transition: 0-1 or 1-2 of the channel's own qubit, or 0-1 of a qubit that
        this one controls by cross-resonance.

        Raises:
            EventError: no qubit is on the channel.
        """
        address = (event.channel, event.frequency_hz)
        route = self._routes.get(address) or kept(self._routes, address, lambda: self._route(*address))
        qubit, coupling, qubits, offset_hz, local_hz, delay_s, delay_turns, frame = route
        start_s = event.start / DAC_HZ
        length_s = len(event.envelope) / DAC_HZ
        begin_s = start_s + delay_s
        return Action(
            qubit,
            coupling,
            qubits,
            offset_hz,
            (*frame, event.key),
            # The difference of large frequencies first: a phase over seconds keeps its digits.
            event.phase_rad + 2 * math.pi * (math.fmod(local_hz * start_s, 1.0) - delay_turns),
            2 * math.pi * offset_hz * length_s,
            begin_s,
            begin_s + length_s / 2,
            begin_s + length_s,
        )

    def propagator(self, action: Action, event: PulseEvent) -> Matrix:
        """In the frame of the drive: complex128 (3, 3), or (3, 3, 3) by the level of a control."""

        def computed() -> Matrix:
            event.check()
            qubit = self.device.qubits[action.qubit]
            if action.coupling is None:
                return drive_propagator(qubit, event.envelope, action.offset_hz)
            return cross_propagators(action.coupling, qubit, event.envelope, action.offset_hz)

        return kept(self._kept, action.key, computed)

    def _route(self, channel: int, frequency_hz: float) -> Route:
        control = self.qubit_of.get(channel)
        if control is None:
            raise EventError(
                f"no qubit is driven by channel {channel}; channels of {self.device.name} are {sorted(self.qubit_of)}"
            )
        own = self.device.qubits[control]
        coupling = self._find(control, own.lo_hz + frequency_hz)
        number = control if coupling is None else coupling.target
        qubit = self.device.qubits[number]
        true_hz = qubit.frequency_hz + qubit.detuning_hz
        delay_s = own.delay_ns * 1e-9
        return Route(
            qubit=number,
            coupling=coupling,
            qubits=(number,) if coupling is None else (control, number),
            offset_hz=own.lo_hz + frequency_hz - true_hz,
            local_hz=own.lo_hz - true_hz,
            delay_s=delay_s,
            delay_turns=math.fmod(true_hz * delay_s, 1.0),
            frame=(control, number, frequency_hz),
        )

    def _find(self, control: int, frequency_hz: float) -> Coupling | None:
        qubit = self.device.qubits[control]
        apart_hz = frequency_hz - qubit.frequency_hz
        own = min(abs(apart_hz), abs(apart_hz - qubit.anharmonicity_hz))

        def distance(coupling: Coupling) -> float:
            return abs(frequency_hz - self.device.qubits[coupling.target].frequency_hz)

        nearest = min(self._couplings.get(control, []), key=distance, default=None)
        return nearest if nearest is not None and distance(nearest) < own else None


def kept(cache: dict[K, V], key: K, compute: Callable[[], V]) -> V:
    """A value from a cache that starts anew when it is full."""
    found = cache.get(key)
    if found is None:
        if len(cache) >= MAX_CACHED:
            cache.clear()
        found = cache[key] = compute()
    return found
