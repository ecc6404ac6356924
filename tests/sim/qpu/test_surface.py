# SPDX-License-Identifier: BSD-2-Clause
"""Rotated codes: the committed devices, memory experiments, and the back end against Stim's own sampling."""

import math

import numpy as np
import pytest

from triplane.gateware.decoder.graph import compile_graph
from triplane.hal.device import DEVICES, dump_device, load_device
from triplane.sim.qpu import Processor, Readout, noise_model
from triplane.sim.qpu.lab import Lab
from triplane.sim.qpu.line import addressed
from triplane.sim.qpu.surface import DISTANCES, Layout, main, memory, surface_device

CODES = {distance: f"surface{2 * distance**2 - 1}" for distance in DISTANCES}
SAMPLED = 20_000


@pytest.fixture(scope="module", params=DISTANCES)
def code(request):
    """Distance, device, experiment, model of its noise."""
    device = load_device(CODES[request.param])
    experiment = memory(device, request.param, request.param)
    return request.param, device, experiment, noise_model(device, experiment.schedule)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_committed_device_is_the_generated_one(distance, tmp_path):
    main(str(tmp_path))
    name = f"{CODES[distance]}.yaml"
    assert (DEVICES / name).read_text() == (tmp_path / name).read_text()
    assert load_device(CODES[distance]) == surface_device(distance)
    assert dump_device(surface_device(distance, seed=1)) != (DEVICES / name).read_text()


@pytest.mark.parametrize("distance", DISTANCES)
def test_neighbours_are_apart(distance):
    """What one channel can drive: its own transitions and its targets, at least 15 MHz from each other."""
    device = surface_device(distance)
    for number, qubit in enumerate(device.qubits):
        targets = [each.target for each in device.couplings if each.control == number]
        lines = [qubit.frequency_hz, qubit.frequency_hz + qubit.anharmonicity_hz]
        lines += [device.qubits[target].frequency_hz for target in targets]
        assert np.diff(sorted(lines)).min() > 15e6
    assert all(len(line.tones) <= 8 for line in device.lines)


def test_odd_distances_only():
    with pytest.raises(ValueError, match="distance must be odd and at least 3, not 4"):
        Layout.of(4)
    with pytest.raises(ValueError, match="rounds must be at least 1, not 0"):
        memory(load_device("surface17"), 3, 0)


def test_layout_is_the_rotated_code(code):
    layout = Layout.of(code[0])
    assert layout.data == code[0] ** 2
    assert layout.ancillas == code[0] ** 2 - 1
    assert len(layout.x_ancillas) == layout.ancillas // 2
    assert sorted(map(len, layout.supports.values())).count(2) == 2 * (code[0] - 1)
    assert len(layout.logical) == code[0]


def test_detectors_are_quiet_without_noise(code):
    distance, _, experiment, circuit = code
    annotated = experiment.annotate(circuit.without_noise())
    events, flips = annotated.compile_detector_sampler(seed=0).sample(100, separate_observables=True)
    assert not events.any()
    assert not flips.any()
    assert annotated.num_detectors == (distance**2 - 1) * distance
    bits = annotated.compile_sampler(seed=0).sample(50)
    assert bits.any()
    assert len(experiment.read) == annotated.num_measurements


def test_the_code_has_its_distance(code):
    distance, _, experiment, circuit = code
    assert len(experiment.annotate(circuit).shortest_graphlike_error()) == distance


def test_the_decoder_takes_the_model(code):
    distance, _, experiment, circuit = code
    model = experiment.annotate(circuit).detector_error_model(
        decompose_errors=True, approximate_disjoint_errors=True
    )
    graph = compile_graph(model)
    assert len(graph.layers) == distance + 1
    assert graph.num_detectors == len(experiment.detectors)


def test_the_tableau_back_end_is_what_the_model_predicts(code):
    """Levels that the back end finds when it plays the events, against 20,000 shots of Stim's sampler."""
    distance, device, experiment, _ = code
    shots = {3: 400, 5: 40}[distance]
    # Levels have no noise of samples.
    exact = noise_model(device, experiment.schedule, overlap=0.0)
    predicted = experiment.annotate(exact).compile_detector_sampler(seed=1).sample(SAMPLED).mean(axis=0)
    processor = Processor(device, backend="stabilizer")
    found = []
    for shot in range(shots):
        processor.reset(shot)
        bits = []
        for event in experiment.schedule:
            processor.run([event])
            if isinstance(event, Readout):
                tones = device.lines[event.line].tones
                bits += [processor.measured[tones[place].qubit] for place, _ in addressed(device, event)]
        found.append(bits)
    rates = np.mean([np.array(found)[:, list(bits)].sum(axis=1) % 2 for bits in experiment.detectors], axis=1)
    # Levels are those at the beginning of the window: a jump in it is not in the bit, in the model half of them are.
    sigma = np.sqrt(predicted * (1 - predicted) / shots) + 1e-3
    assert np.abs(rates - predicted).max() < 4.5 * sigma.max()
    assert rates.mean() == pytest.approx(
        predicted.mean(), abs=4 * sigma.mean() / math.sqrt(len(rates)) + 1e-3
    )


def test_bits_from_samples_are_what_the_model_predicts():
    """The whole way: pulses, samples, discriminator, detectors; d=3."""
    device = load_device("surface17")
    experiment = memory(device, 3, 2)
    circuit = experiment.annotate(noise_model(device, experiment.schedule))
    predicted = circuit.compile_detector_sampler(seed=1).sample(SAMPLED).mean(axis=0)
    shots = 300
    bits = Lab(Processor(device, seed=2, backend="stabilizer")).bits_of(experiment.schedule, shots)
    rates = np.array([bits[:, list(each)].sum(axis=1) % 2 for each in experiment.detectors]).mean(axis=1)
    sigma = np.sqrt(predicted * (1 - predicted) * (1 / shots + 1 / SAMPLED))
    assert np.mean(((rates - predicted) / sigma) ** 2) < 2.2


def test_the_model_is_the_noise_that_formulas_say():
    """An independent circuit of the same gates: idling of each data qubit between its gates, from T1 and T2 alone."""
    device = load_device("surface17")
    experiment = memory(device, 3, 1)
    circuit = noise_model(device, experiment.schedule)
    flips = np.zeros(len(device.qubits))
    for each in circuit.flattened():
        if each.name == "PAULI_CHANNEL_1":
            (target,) = each.targets_copy()
            flips[target.value] += each.gate_args_copy()[0]
    first = min(event.start for event in experiment.schedule)
    last = max(event.start for event in experiment.schedule if isinstance(event, Readout))
    time_us = (last - first) / 491.52
    for number in range(9):
        t1_us = device.qubits[number].t1_us
        # From its first pulse on, which comes with the first layer or later.
        assert 0.3 * time_us / t1_us / 4 < flips[number] < 1.1 * time_us / t1_us / 4
