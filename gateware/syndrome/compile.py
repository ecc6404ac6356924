# SPDX-License-Identifier: BSD-2-Clause
"""Table compiler: a Stim circuit in, the syndrome table out, in the order in which the decoder takes its events."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import stim

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.gateware.syndrome.table import Parity, RoundTable, SyndromeTable

if TYPE_CHECKING:
    from triplane.gateware.decoder.window.stream import StreamMap

MAX_HISTORY = 2
"""How far a detector may reach back unless told otherwise, in measurements of a slot."""


class SyndromeError(ValueError):
    """A circuit whose detectors no syndrome table forms."""


def slots_by_qubit(circuit: stim.Circuit) -> list[int]:
    """A slot for each measured qubit: measurement -> slot.

    Qubits that are measured more than once come first, so that only they need a history; among themselves they are
    ascending, and so are the others.

    Raises:
        SyndromeError: a measurement is of more than one qubit.
    """
    qubits: list[int] = []
    for instruction in circuit.flattened():
        if not instruction.num_measurements:
            continue
        if not stim.gate_data(instruction.name).is_single_qubit_gate:
            raise SyndromeError(
                f"'{instruction}' does not measure single qubits; give a slot for each of its measurements"
            )
        qubits += [target.value for target in instruction.targets_copy()]
    once = {q for q in qubits if qubits.count(q) == 1}
    order = sorted(set(qubits), key=lambda q: (q in once, q))
    slot = {q: number for number, q in enumerate(order)}
    return [slot[q] for q in qubits]


def syndrome_table(
    circuit: stim.Circuit,
    slot_of_measurement: Sequence[int | None] | Mapping[int, int],
    layout: DecodingGraph | StreamMap,
    *,
    round_of_measurement: Sequence[int] | None = None,
    history: int = MAX_HISTORY,
    hold: Iterable[int] = (),
) -> SyndromeTable:
    """Compiles the detectors of a circuit into tables for its rounds.

    Round r is what layer r of the decoding graph needs. Its measurements are those between the last detector that
    the circuit declares for the layer before and the last of its own, unless `round_of_measurement` says otherwise.
    Flips that the circuit's gates make of a noiseless run, and sweep bits, are taken from Stim's own converter.

    Args:
        circuit: as Stim has it; noise does not matter.
        slot_of_measurement: measurement (index in the circuit's record) -> slot in which readout delivers its bit; None
            or absent where no slot does.
        layout: where the decoder expects each detector: the graph of a window of whole shots, or the map of a
            sliding window.
        round_of_measurement: measurement -> round, where declarations do not tell.
        history: how many earlier values of a slot the hardware keeps.
        hold: slots that are given their last value where they leak.

    Raises:
        SyndromeError: a detector needs a measurement that has no slot, is not there yet, or is too far back; rounds
            cannot be told apart, or have a slot twice; the circuit has feedback or inverted results.
        ValueError: the layout belongs to another circuit, or a number is out of range.
    """
    detectors, declared, observables = _declarations(circuit)
    total = circuit.num_measurements
    layers, places = _places(layout)
    if len(places) != len(detectors):
        raise ValueError(
            f"the circuit has {len(detectors)} detectors, the decoder's layout {len(places)}; "
            "compile both from the same circuit"
        )
    if round_of_measurement is None:
        round_of = _rounds(total, layers, [layer for layer, _ in places], declared)
    else:
        round_of = list(round_of_measurement)
        if len(round_of) != total or not all(0 <= r < layers for r in round_of):
            raise ValueError(
                f"round_of_measurement must name a round from 0 to {layers - 1} for each of "
                f"{total} measurements"
            )
    slot_of = _slots(slot_of_measurement, total)
    held = frozenset(hold)
    used = set().union(*detectors, *observables)
    visits = _visits(slot_of, round_of)
    constant, sweeps = _references(circuit)

    # Detectors: which value of which slot
    events: list[dict[int, Parity]] = [{} for _ in range(layers)]
    for number, ((layer, bit), records) in enumerate(zip(places, detectors, strict=True)):
        what = f"detector D{number}"
        terms = []
        for m in sorted(records):
            slot = _slot(slot_of, m, what)
            if round_of[m] > layer:
                raise SyndromeError(
                    f"{what} of layer {layer} needs measurement {m}, which belongs to round {round_of[m]}"
                )
            seen = visits[slot]
            age = bisect_left(seen, layer) - bisect_left(seen, round_of[m]) if round_of[m] < layer else 0
            if age > history:
                raise SyndromeError(
                    f"{what} of layer {layer} needs measurement {m}, {age} measurements of slot {slot} ago; "
                    f"the history holds {history}"
                )
            terms.append((slot, age))
        events[layer][bit] = Parity(
            frozenset(terms), frozenset(np.flatnonzero(sweeps[:, number]).tolist()), bool(constant[number])
        )

    # Observables: each measurement in its own round, flips in the last
    raw: list[list[set[int]]] = [[set() for _ in observables] for _ in range(layers)]
    for number, records in enumerate(observables):
        for m in records:
            raw[round_of[m]][number] ^= {_slot(slot_of, m, f"observable L{number}")}

    width = 1 + max(bit for _, bit in places)
    kinds: dict[RoundTable, int] = {}
    schedule = []
    for r in range(layers):
        expected = frozenset(s for m, s in slot_of.items() if round_of[m] == r)
        final = r == layers - 1
        table = RoundTable(
            expected,
            tuple(events[r].get(bit, Parity()) for bit in range(width)),
            tuple(
                Parity(
                    frozenset((slot, 0) for slot in slots),
                    frozenset(np.flatnonzero(sweeps[:, len(detectors) + k]).tolist() if final else ()),
                    final and bool(constant[len(detectors) + k]),
                )
                for k, slots in enumerate(raw[r])
            ),
        )
        schedule.append(kinds.setdefault(table, len(kinds)))
    ages = [(age, slot) for table in kinds for parity in table.events for slot, age in parity.slots if age]
    shape = SyndromeShape(
        slots=1 + max(slot_of.values()),
        events=width,
        kept=1 + max([slot for _, slot in ages] + sorted(held), default=-1),
        history=max([age for age, _ in ages] + ([1] if held else []), default=0),
        known=circuit.num_sweep_bits,
        observables=len(observables),
        kinds=max(2, 1 << (len(kinds) - 1).bit_length()),
    )
    unused = [m for m in slot_of if m not in used]
    return SyndromeTable(shape, tuple(kinds), tuple(schedule), held, slot_of, tuple(round_of), tuple(unused))


def _declarations(circuit: stim.Circuit) -> tuple[list[set[int]], list[int], list[set[int]]]:
    """Detectors, how many measurements had been made when each was declared, and observables."""
    detectors: list[set[int]] = []
    declared: list[int] = []
    observables: list[set[int]] = [set() for _ in range(circuit.num_observables)]
    measured = 0
    for instruction in circuit.flattened():
        targets = instruction.targets_copy()
        if instruction.name in ("DETECTOR", "OBSERVABLE_INCLUDE"):
            records: set[int] = set()
            for target in targets:
                if not target.is_measurement_record_target:
                    raise SyndromeError(f"'{instruction}' combines more than measurements")
                records ^= {measured + target.value}
            if instruction.name == "DETECTOR":
                detectors.append(records)
                declared.append(measured)
            else:
                observables[int(instruction.gate_args_copy()[0])] ^= records
            continue
        if any(target.is_measurement_record_target for target in targets):
            raise SyndromeError(f"'{instruction}' is feedback; compile circuit.with_inlined_feedback()")
        if instruction.num_measurements and any(target.is_inverted_result_target for target in targets):
            raise SyndromeError(
                f"'{instruction}' inverts a result, readout does not; put X before and after it instead"
            )
        measured += instruction.num_measurements
    return detectors, declared, observables


def _places(layout: DecodingGraph | StreamMap) -> tuple[int, list[tuple[int, int]]]:
    """Number of layers, and layer and bit of each detector."""
    if isinstance(layout, DecodingGraph):
        found = {d: (r, k) for r, layer in enumerate(layout.layers) for k, d in enumerate(layer)}
        return len(layout.layers), [found[d] for d in range(layout.num_detectors)]
    return layout.num_layers, [divmod(int(p), layout.width) for p in layout.positions]


def _rounds(total: int, layers: int, layer_of: Sequence[int], declared: Sequence[int]) -> list[int]:
    """Round of each measurement, by where the circuit declares the detectors of each layer."""
    ends = [0] * layers
    for layer, when in zip(layer_of, declared, strict=True):
        ends[layer] = max(ends[layer], when)
    ends[-1] = total
    for layer, (before, end) in enumerate(pairwise([0, *ends])):
        if end <= before:
            raise SyndromeError(
                f"the circuit declares the detectors of layer {layer} before anything is measured for it "
                f"({before} measurements so far); give round_of_measurement"
            )
    return [bisect_right(ends, m) for m in range(total)]


def _slots(given: Sequence[int | None] | Mapping[int, int], total: int) -> dict[int, int]:
    """Slot of each measurement that has one."""
    pairs = given.items() if isinstance(given, Mapping) else enumerate(given)
    slots = {m: s for m, s in pairs if s is not None}
    for m, s in slots.items():
        if not 0 <= m < total:
            raise ValueError(f"slot {s} is given to measurement {m}; the circuit has {total}")
        if s < 0:
            raise ValueError(f"measurement {m} has slot {s}; slots are counted from 0")
    if not slots:
        raise SyndromeError("no measurement has a slot; there is nothing to form events from")
    return slots


def _slot(slot_of: Mapping[int, int], measurement: int, what: str) -> int:
    if measurement not in slot_of:
        raise SyndromeError(f"{what} needs measurement {measurement}, which has no slot")
    return slot_of[measurement]


def _visits(slot_of: Mapping[int, int], round_of: Sequence[int]) -> dict[int, list[int]]:
    """Slot -> rounds in which it is measured, ascending."""
    visits: dict[int, dict[int, int]] = {}
    for m, slot in sorted(slot_of.items()):
        seen = visits.setdefault(slot, {})
        r = round_of[m]
        if r in seen:
            raise SyndromeError(
                f"slot {slot} is measured twice in round {r}: measurements {seen[r]} and {m}; give each a slot, "
                "or tell the rounds apart with round_of_measurement"
            )
        seen[r] = m
    return {slot: sorted(seen) for slot, seen in visits.items()}


def _references(circuit: stim.Circuit) -> tuple[np.ndarray, np.ndarray]:
    """What detectors and observables are when every measurement gives 0: bool (D + L,); and which of them each sweep
    bit flips: bool (sweep bits, D + L).
    """
    sweeps = circuit.num_sweep_bits
    settings = np.concatenate([np.zeros((1, sweeps), dtype=np.bool_), np.eye(sweeps, dtype=np.bool_)])
    zeros = np.zeros((1 + sweeps, circuit.num_measurements), dtype=np.bool_)
    converter = circuit.compile_m2d_converter()
    flips = converter.convert(measurements=zeros, sweep_bits=settings, append_observables=True)
    return flips[0], flips[1:] ^ flips[0]
