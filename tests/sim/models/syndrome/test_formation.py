# SPDX-License-Identifier: BSD-2-Clause
"""The golden model of syndrome formation against Stim, on simulated and on recorded shots."""

import numpy as np
import pytest
import stim

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window.compile import sliding_window
from triplane.gateware.decoder.window.stream import StreamMap, pack_layers
from triplane.gateware.syndrome.compile import slots_by_qubit, syndrome_table
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.sim.models.syndrome.formation import FormationModel, Inputs, form, matrices

EXPERIMENTS = [
    "surface_code_bX_d3_r01_center_3_5",
    "surface_code_bX_d3_r03_center_3_5",
    "surface_code_bX_d3_r05_center_3_5",
    "surface_code_bX_d5_r01_center_5_5",
    "surface_code_bX_d5_r05_center_5_5",
]


def memory(task: str, distance: int, rounds: int) -> stim.Circuit:
    return stim.Circuit.generated(
        task,
        distance=distance,
        rounds=rounds,
        after_clifford_depolarization=0.02,
        before_measure_flip_probability=0.02,
    )


@pytest.mark.parametrize("distance", [3, 5])
@pytest.mark.parametrize(
    "task",
    ["surface_code:rotated_memory_x", "surface_code:rotated_memory_z", "surface_code:unrotated_memory_z",
     "repetition_code:memory"],
)  # fmt: skip
def test_events_and_observables_are_stims(task, distance):
    circuit = memory(task, distance, distance)
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    table = syndrome_table(circuit, slots_by_qubit(circuit), graph)
    measurements = circuit.compile_sampler(seed=5).sample(500)
    expected, flips = circuit.compile_m2d_converter().convert(
        measurements=measurements, separate_observables=True
    )
    events, observables = form(table.shape, table.words(), table.rounds, table.by_round(measurements))
    assert np.array_equal(pack_layers(events), graph.pack_events(expected))
    assert np.array_equal(observables, flips[:, 0])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_all_recorded_shots(experiment, published_data):
    """All 50,000: detection events as Google published them, and the flips of the observable."""
    folder = published_data("google_sycamore_2022") / experiment
    circuit = stim.Circuit.from_file(folder / "circuit_noisy.stim")
    graph = compile_graph(stim.DetectorErrorModel.from_file(folder / "circuit_detector_error_model.dem"))
    table = syndrome_table(circuit, slots_by_qubit(circuit), graph)

    def read(file: str, **count: int) -> np.ndarray:
        return stim.read_shot_data_file(path=folder / file, format="b8", **count)

    bits = table.by_round(read("measurements.b8", num_measurements=circuit.num_measurements))
    sweep = read("sweep.b8", num_measurements=circuit.num_sweep_bits)
    events, observables = form(table.shape, table.words(), table.rounds, bits, known=sweep)
    expected = read("detection_events.b8", num_detectors=circuit.num_detectors)
    assert len(events) == 50_000
    assert np.array_equal(pack_layers(events), graph.pack_events(expected))
    actual = (folder / "obs_flips_actual.01").read_text().split()
    assert np.array_equal(observables, np.array(actual, dtype=np.uint32))


def test_sliding_windows_have_their_order():
    """Words are `StreamMap.pack`'s, and a table of few rounds does for shots of any length."""
    short, long = (memory("surface_code:rotated_memory_x", 3, rounds) for rounds in (8, 20))
    graphs = [compile_graph(c.detector_error_model(decompose_errors=True)) for c in (short, long)]
    plan = sliding_window(graphs[0], window=5, commit=2)
    tables = [
        syndrome_table(c, slots_by_qubit(c), StreamMap.build(plan, g))
        for c, g in zip((short, long), graphs, strict=True)
    ]
    assert tables[0].kinds == tables[1].kinds
    assert tables[0].schedule(21) == tables[1].rounds
    measurements = long.compile_sampler(seed=6).sample(100)
    expected = long.compile_m2d_converter().convert(measurements=measurements, append_observables=False)
    bits = tables[1].by_round(measurements)
    events, _ = form(tables[0].shape, tables[0].words(), tables[0].schedule(21), bits)
    assert np.array_equal(pack_layers(events), StreamMap.build(plan, graphs[1]).pack(expected))


def test_the_cycle_model_forms_the_same():
    circuit = memory("surface_code:rotated_memory_z", 3, 3)
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    slots = slots_by_qubit(circuit)
    table = syndrome_table(circuit, slots, graph, hold=range(8))
    rng = np.random.default_rng(7)
    bits = rng.random((20, len(table.rounds), table.shape.slots)) < 0.5
    leaked = rng.random(bits.shape) < 0.3
    events, observables = form(table.shape, table.words(), table.rounds, bits, leaked)
    model = FormationModel(table.shape, table.words())
    packed = pack_layers(events)

    def mask(row: np.ndarray) -> int:
        return sum(1 << k for k in np.flatnonzero(row).tolist())

    for shot in range(len(bits)):
        for r, kind in enumerate(table.rounds):
            model.step(Inputs(arm=1, kind=kind, last=int(r == len(table.rounds) - 1)))
            model.step(
                Inputs(valid=model.expected(kind), bit=mask(bits[shot, r]), leaked=mask(leaked[shot, r]))
            )
            assert model.step(Inputs()).word is None
            out = model.step(Inputs())
            assert out.word == (packed[shot, r, 0], 1, 1)
        assert out.observables == observables[shot]


def test_a_leaked_slot_gives_its_last_good_value():
    """One slot against its last value: an event where it changed, none where it leaked."""
    circuit = stim.Circuit("R 0\nREPEAT 6 {\n M 0\n DETECTOR(0, 0) rec[-1]\n SHIFT_COORDS(0, 1)\n}")
    text = str(circuit.flattened())
    for r in range(1, 6):
        text = text.replace(f"DETECTOR(0, {r}) rec[-1]", f"DETECTOR(0, {r}) rec[-1] rec[-2]")
    circuit = stim.Circuit(text)
    layers = stim.DetectorErrorModel("\n".join(f"error(0.1) D{r}\ndetector(0, {r}) D{r}" for r in range(6)))
    table = syndrome_table(circuit, [0] * 6, compile_graph(layers), hold=[0])
    bits = np.array([[1, 0, 0, 1, 1, 0]], dtype=bool)[:, :, None]
    leaked = np.array([[0, 1, 1, 0, 1, 1]], dtype=bool)[:, :, None]
    events, _ = form(table.shape, table.words(), table.rounds, bits, leaked)
    assert events[0, :, 0].tolist() == [True, False, False, False, False, False]
    events, _ = form(table.shape, table.words(), table.rounds, bits)
    assert events[0, :, 0].tolist() == [True, True, False, True, False, True]


def test_foreign_tables_are_refused():
    with pytest.raises(ValueError, match=r"has 14 words, not \(3,\)"):
        matrices(SyndromeShape(slots=2, events=2, observables=3, kinds=2), [1, 2, 3])
