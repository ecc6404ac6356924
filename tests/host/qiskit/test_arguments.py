# SPDX-License-Identifier: BSD-2-Clause
"""What people hand to backends and primitives by mistake: refused at once, with the value and what to give."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.primitives import StatevectorEstimator, StatevectorSampler

from triplane.hal.descriptor import DescriptorError
from triplane.host.compiler.circuits import CircuitError
from triplane.host.provenance import Store
from triplane.host.qiskit import EstimatorV2, SamplerV2, TriplaneBackend


def plain():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    return circuit


def measured():
    circuit = plain()
    circuit.measure_all()
    return circuit


def turned(*, measure):
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("theta"), 0)
    if measure:
        circuit.measure_all()
    return circuit


@pytest.fixture
def quiet(ideal, tmp_path):
    """A backend whose board nobody has built: what is refused needs none."""
    with TriplaneBackend(ideal, store=Store(tmp_path)) as backend:
        yield backend
        assert backend.jobs() == []
        assert backend.origin == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("text", r"run\(\) takes a circuit or a list of circuits, such as run\(\[circuit\]\), not 'text'"),
        (None, "not None"),
        ([measured(), 3], "entry 1 of the circuits is 3, not a QuantumCircuit"),
        (["OPENQASM 3.0;"], "entry 0 of the circuits is 'OPENQASM 3.0;'.*qasm.loads"),
    ],
)  # fmt: skip
def test_what_is_no_circuit(quiet, given, message):
    with pytest.raises(CircuitError, match=message):
        quiet.run(given)


@pytest.mark.parametrize("option", ["shot", "noise_model", "parameter_binds"])
def test_an_option_that_there_is_not(quiet, option):
    with pytest.raises(
        CircuitError, match=f"no option '{option}'; there are shots, memory and seed_simulator"
    ):
        quiet.run(measured(), **{option: 3})


SEEDS = [-1, "a", 2.5, True]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_that_is_none(quiet, seed):
    calls = [
        lambda: quiet.run(measured(), seed_simulator=seed),
        lambda: SamplerV2(quiet, options={"seed_simulator": seed}).run([measured()]),
        lambda: EstimatorV2(quiet, options={"seed_simulator": seed}).run([(plain(), "Z")]),
        lambda: TriplaneBackend(seed=seed),
    ]
    for call in calls:
        with pytest.raises(CircuitError, match=f"a seed must be a whole number of 0 or more, not {seed!r}"):
            call()


@pytest.mark.parametrize("shots", [True, 0, -1, 2.5, "a", 10**9])
def test_shots_that_are_none(quiet, shots):
    for call in (quiet.run, SamplerV2(quiet).run):
        with pytest.raises(
            CircuitError, match=f"shots must be a whole number from 1 to 10000000, not {shots!r}"
        ):
            call([measured()], shots=shots)


def test_numbers_of_numpy_are_numbers(backend):
    one = backend.run(measured(), shots=np.int32(7), memory=np.True_, seed_simulator=np.int64(3)).result()
    two = backend.run(measured(), shots=7, memory=True, seed_simulator=3).result()
    assert one.get_memory() == two.get_memory()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_parameter_that_is_no_number(quiet, value):
    sweep = np.array([[0.1, value]])
    calls = [
        lambda: SamplerV2(quiet).run([(turned(measure=True), sweep.T)]),
        lambda: EstimatorV2(quiet).run([(turned(measure=False), "Z", sweep.T)]),
    ]
    for call in calls:
        with pytest.raises(
            CircuitError, match=f"parameter 'theta' is {value} at point 1; give it a finite number"
        ):
            call()


def test_a_parameter_that_has_no_value(quiet):
    for pub in (turned(measure=True), {"phi": 1}), (turned(measure=False), "Z", {"phi": 1}):
        primitive = (SamplerV2 if len(pub) == 2 else EstimatorV2)(quiet)
        with pytest.raises(CircuitError, match="not of the circuit's parameters, theta: .*'theta'|.*'phi'"):
            primitive.run([pub])


@pytest.mark.parametrize("given", ["text", None, 3, measured()])
def test_what_is_no_list_of_pubs(quiet, given):
    for primitive in (SamplerV2(quiet), EstimatorV2(quiet)):
        with pytest.raises(
            CircuitError, match=r"run\(\) takes a list of PUBs, such as run\(\[circuit\]\), not "
        ):
            primitive.run(given)


def test_a_pub_that_qiskit_does_not_take_has_its_number(quiet):
    for pub in (
        3,
        "text",
        (measured(), None, 0),
        (turned(measure=True), ["a"]),
        (turned(measure=True), {"theta": "a"}),
    ):
        with pytest.raises(CircuitError, match="PUB 1, .*, cannot be run: "):
            SamplerV2(quiet).run([measured(), pub])
    for pub in (3, measured(), (plain(), "ZZ"), (plain(), "Q"), (plain(), "Z", None, "a")):
        with pytest.raises(CircuitError, match="PUB 1, .*, cannot be run: "):
            EstimatorV2(quiet).run([(plain(), "Z"), pub])


def test_an_option_of_a_primitive_that_there_is_not(quiet):
    with pytest.raises(
        CircuitError, match="SamplerOptions has no 'shots'; there are default_shots, seed_simulator"
    ):
        SamplerV2(quiet, options={"shots": 3})
    with pytest.raises(
        CircuitError, match="EstimatorOptions has no 'precision'; there are default_precision, "
    ):
        EstimatorV2(quiet, options={"precision": 0.1})


def test_a_gate_that_nobody_knows(quiet):
    circuit = QuantumCircuit(1, 1)
    circuit.append(Gate("wobble", 1, []), [0])
    calls = [lambda: quiet.run(circuit), lambda: SamplerV2(quiet).run([circuit])]
    for call in [*calls, lambda: EstimatorV2(quiet).run([(circuit, "Z")])]:
        with pytest.raises(CircuitError, match="wobble"):
            call()


def test_of_nothing_the_result_is_empty_as_qiskits_own(backend):
    assert len(SamplerV2(backend).run([]).result()) == len(StatevectorSampler().run([]).result()) == 0
    assert len(EstimatorV2(backend).run([]).result()) == len(StatevectorEstimator().run([]).result()) == 0
    assert backend.run([]).result().results == []  # as BasicSimulator has it


@pytest.mark.parametrize("device", ["line7", 3])
def test_a_device_that_there_is_not(device):
    with pytest.raises(DescriptorError, match=f"no device named '{device}'; there are: line5"):
        TriplaneBackend(device)
