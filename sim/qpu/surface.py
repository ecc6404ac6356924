# SPDX-License-Identifier: BSD-2-Clause
"""Rotated surface codes: devices of their shape, and memory experiments on them as pulses.

Layout and order of the gates are Stim's (`surface_code:rotated_memory_z`). Ancillas are not reset: a round's stabilizer
is the bit of this round and that of the one before, and a detection event takes three rounds' bits.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import stim

from triplane.hal.device import ADC_HZ, Coupling, Device, Line, Qubit, Resonator, dump_device
from triplane.sim.qpu.events import Event
from triplane.sim.qpu.gates import Sequence

SEED = 2026
DISTANCES = (3, 5)

DRIVE_LO_HZ = 4.9e9
READOUT_LO_HZ = 7.1e9
SPACING_HZ = ADC_HZ / 10
"""Between readout tones: orthogonal over any number of tens of clocks."""

# Neighbours of a qubit, and its own transition 1-2, stay apart from each other.
DATA_HZ = (-150e6, -110e6, -70e6, -30e6)
X_ANCILLA_HZ = 35e6
Z_ANCILLA_HZ = (90e6, 130e6)
ANHARMONICITY_HZ = -330e6


@dataclass(frozen=True)
class Layout:
    """Qubits and gates of a rotated code; data qubits come first, ancillas after them.

    Attributes:
        distance: of the code.
        places: coordinates of every qubit.
        data, ancillas: how many there are.
        x_ancillas: those that measure X stabilizers.
        layers: four layers of (control, target).
        supports: ancilla -> data qubits.
        logical: data qubits of the observable.
    """

    distance: int
    places: tuple[tuple[float, float], ...]
    data: int
    ancillas: int
    x_ancillas: tuple[int, ...]
    layers: tuple[tuple[tuple[int, int], ...], ...]
    supports: dict[int, tuple[int, ...]]
    logical: tuple[int, ...]

    @classmethod
    def of(cls, distance: int) -> Layout:
        """Raises ValueError for a distance that is even or below 3."""
        if distance < 3 or distance % 2 == 0:
            raise ValueError(f"distance must be odd and at least 3, not {distance}")
        circuit = stim.Circuit.generated("surface_code:rotated_memory_z", distance=distance, rounds=1)
        places = circuit.get_final_qubit_coordinates()
        data = sorted(qubit for qubit, (x, y) in places.items() if x % 2 == 1)
        ancillas = sorted(qubit for qubit in places if qubit not in data)
        number = {qubit: k for k, qubit in enumerate(data + ancillas)}
        layers = []
        x_ancillas: tuple[int, ...] = ()
        measured: list[int] = []
        observable: list[int] = []
        for instruction in circuit:
            targets = [target.value for target in instruction.targets_copy()]
            if instruction.name == "H" and not x_ancillas:
                x_ancillas = tuple(number[qubit] for qubit in targets)
            elif instruction.name == "CX":
                pairs = [number[qubit] for qubit in targets]
                layers.append(tuple(zip(pairs[::2], pairs[1::2], strict=True)))
            elif instruction.name in ("M", "MR"):
                measured += [number[qubit] for qubit in targets]
            elif instruction.name == "OBSERVABLE_INCLUDE":
                observable += [measured[target] for target in targets]
        supports: dict[int, list[int]] = {number[qubit]: [] for qubit in ancillas}
        for control, target in (pair for layer in layers for pair in layer):
            ancilla = max(control, target)
            supports[ancilla].append(min(control, target))
        return cls(
            distance=distance,
            places=tuple((places[qubit][0], places[qubit][1]) for qubit in data + ancillas),
            data=len(data),
            ancillas=len(ancillas),
            x_ancillas=x_ancillas,
            layers=tuple(layers),
            supports={ancilla: tuple(sorted(qubits)) for ancilla, qubits in supports.items()},
            logical=tuple(sorted(observable)),
        )


def surface_device(distance: int, seed: int = SEED) -> Device:
    """A processor of the shape of a rotated code, its parameters spread as those of fabricated ones are."""
    layout = Layout.of(distance)
    random = np.random.default_rng([seed, distance])

    def spread(mean: float, share: float, digits: int) -> float:
        deviation = float(np.clip(random.standard_normal(), -2.5, 2.5))
        return round(mean * (1 + share * deviation), digits)

    qubits = []
    for number, (x, y) in enumerate(layout.places):
        if number < layout.data:
            offset_hz = DATA_HZ[int(x // 2 % 2 + 2 * (y // 2 % 2))]
        elif number in layout.x_ancillas:
            offset_hz = X_ANCILLA_HZ
        else:
            offset_hz = Z_ANCILLA_HZ[int(y // 2 % 2)]
        t1_us = spread(250, 0.15, 1)
        qubits.append(
            Qubit(
                channel=number,
                frequency_hz=round(DRIVE_LO_HZ + offset_hz + 3e6 * float(random.uniform(-1, 1)), -3),
                detuning_hz=round(300 * float(random.standard_normal()), 0),
                anharmonicity_hz=spread(ANHARMONICITY_HZ, 0.01, -3),
                rabi_hz=spread(30e6, 0.1, -3),
                t1_us=t1_us,
                t2_us=min(spread(220, 0.15, 1), round(1.9 * t1_us, 1)),
                lo_hz=DRIVE_LO_HZ,
                delay_ns=20,
            )
        )
    couplings = [
        Coupling(
            control=control,
            target=target,
            zx_hz=spread(1.6e6, 0.08, -3),
            ix_hz=round(3e3 * float(random.standard_normal()), 0),
            stark_hz=round(150e3 * float(random.standard_normal()), -2),
        )
        for layer in layout.layers
        for control, target in layer
    ]
    groups = _groups(range(layout.data, layout.data + layout.ancillas)) + _groups(range(layout.data))
    lines = []
    for group in groups:
        tones = [
            Resonator(
                qubit=qubit,
                frequency_hz=round(
                    READOUT_LO_HZ
                    + SPACING_HZ * (k - (len(group) - 1) / 2)
                    + 0.3e6 * float(random.uniform(-1, 1)),
                    -3,
                ),
                chi_hz=spread(-1.2e6, 0.05, -3),
                kappa_hz=spread(2.4e6, 0.08, -3),
                amplitude_lsb=spread(1800, 0.05, 0),
                t1_us=round(0.9 * qubits[qubit].t1_us, 1),
            )
            for k, qubit in enumerate(group)
        ]
        crosstalk = tuple(
            tuple(
                1.0 if j == k else round(0.01 / abs(j - k) * float(random.uniform(0.5, 1)), 4)
                for j in range(len(group))
            )
            for k in range(len(group))
        )
        lines.append(
            Line(lo_hz=READOUT_LO_HZ, delay_ns=60, noise_lsb=2400, tones=tuple(tones), crosstalk=crosstalk)
        )
    return Device(
        schema_version=1,
        name=f"surface{len(qubits)}",
        description=f"Rotated code of distance {distance}, {len(qubits)} transmons, by triplane.sim.qpu.surface",
        qubits=tuple(qubits),
        couplings=tuple(couplings),
        lines=tuple(lines),
    )


@dataclass(frozen=True)
class Memory:
    """A memory experiment in Z.

    Attributes:
        schedule: events in the order of time.
        read: qubits in the order of measurement.
        detectors: measurements whose parity is 0 without errors.
        coordinates: of the detectors: x, y, round.
        observable: measurements of the logical Z.
        rounds: of ancilla readouts.
    """

    schedule: tuple[Event, ...]
    read: tuple[int, ...]
    detectors: tuple[tuple[int, ...], ...]
    coordinates: tuple[tuple[float, float, float], ...]
    observable: tuple[int, ...]
    rounds: int

    def annotate(self, circuit: stim.Circuit) -> stim.Circuit:
        """Add detectors and observable behind a circuit that has the measurements, such as that of `noise_model`."""
        annotated = circuit.copy()
        for detector, place in zip(self.detectors, self.coordinates, strict=True):
            annotated.append("DETECTOR", [stim.target_rec(k - len(self.read)) for k in detector], place)
        annotated.append(
            "OBSERVABLE_INCLUDE", [stim.target_rec(k - len(self.read)) for k in self.observable], 0
        )
        return annotated


def memory(device: Device, distance: int, rounds: int, *, start: int = 0) -> Memory:
    """Logical 0, `rounds` rounds, all data qubits measured; raises ValueError for fewer than one round."""
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, not {rounds}")
    layout = Layout.of(distance)
    sequence = Sequence(device, start)
    ancillas = range(layout.data, layout.data + layout.ancillas)
    where: dict[tuple[int, int], int] = {}

    def measure(qubits: range, number: int) -> None:
        before = len(sequence.read)
        sequence.measure(qubits)
        for k in range(before, len(sequence.read)):
            where[sequence.read[k], number] = k

    for number in range(rounds):
        for ancilla in layout.x_ancillas:
            sequence.hadamard(ancilla)
        sequence.barrier()
        for layer in layout.layers:
            for control, target in layer:
                sequence.cnot(control, target)
            sequence.barrier()
        for ancilla in layout.x_ancillas:
            sequence.hadamard(ancilla)
        sequence.barrier()
        measure(ancillas, number)
        sequence.barrier()
    measure(range(layout.data), rounds)

    detectors, coordinates = [], []
    for number in range(rounds):
        for ancilla in ancillas:
            if number or ancilla not in layout.x_ancillas:
                detectors.append([where[ancilla, k] for k in (number, number - 2) if k >= 0])
                coordinates.append((*layout.places[ancilla], float(number)))
    for ancilla in ancillas:
        if ancilla not in layout.x_ancillas:
            bits = [where[qubit, rounds] for qubit in layout.supports[ancilla]]
            detectors.append(bits + [where[ancilla, k] for k in (rounds - 1, rounds - 2) if k >= 0])
            coordinates.append((*layout.places[ancilla], float(rounds)))
    return Memory(
        schedule=tuple(sequence.schedule),
        read=tuple(sequence.read),
        detectors=tuple(tuple(bits) for bits in detectors),
        coordinates=tuple(coordinates),
        observable=tuple(where[qubit, rounds] for qubit in layout.logical),
        rounds=rounds,
    )


def _groups(qubits: range) -> list[list[int]]:
    """Lines of at most eight tones, as even as they go."""
    count = -(-len(qubits) // 8)
    return [list(part) for part in np.array_split(np.array(qubits), count)]


def main(folder: str) -> None:
    """Write the devices' files."""
    for distance in DISTANCES:
        device = surface_device(distance)
        (Path(folder) / f"{device.name}.yaml").write_text(dump_device(device), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
