# SPDX-License-Identifier: BSD-2-Clause
"""The golden model of the Pauli frame against Stim's conjugation, and in a teleportation on Stim's simulator."""

import itertools
import random

import pytest
import stim

from triplane.gateware.frame.layouts import X_BASIS, Operation
from triplane.sim.models.frame.pauli import PauliFrameModel, correction_table

GATES = {
    "X": Operation.X,
    "Y": Operation.Y,
    "Z": Operation.Z,
    "H": Operation.H,
    "S": Operation.S,
    "CX": Operation.CX,
    "CZ": Operation.CZ,
}


def conjugated(x: int, z: int, qubits: int, circuit: stim.Circuit) -> tuple[int, int]:
    """Frame after a circuit of gates, by Stim."""
    letters = "".join("IXZY"[(x >> q & 1) | (z >> q & 1) << 1] for q in range(qubits))
    after = stim.PauliString(letters).after(circuit)
    xs, zs = after.to_numpy()
    return tuple(sum(1 << q for q, bit in enumerate(bits) if bit) for bits in (xs, zs))


@pytest.mark.parametrize("gate", ["H", "S", "CX", "CZ"])
def test_gates_conjugate(gate):
    """Every Pauli of two qubits under every gate, in either direction."""
    pairs = [(0, 1), (1, 0)]
    for a, b in pairs:
        targets = [a, b] if len(gate) == 2 else [a]
        circuit = stim.Circuit()
        circuit.append(gate, targets)
        for x, z in itertools.product(range(4), repeat=2):
            model = PauliFrameModel([0, 1], 2)
            model.x, model.z = x, z
            model.apply(GATES[gate], a, b)
            assert (model.x, model.z) == conjugated(x, z, 2, circuit)


def test_inverse_and_order_do_not_matter_for_s():
    """The frame after S and after its inverse is the same, since signs do not matter."""
    for x, z in itertools.product(range(2), repeat=2):
        assert conjugated(x, z, 1, stim.Circuit("S 0")) == conjugated(x, z, 1, stim.Circuit("S_DAG 0"))


@pytest.mark.parametrize("seed", range(20))
def test_teleportation(seed):
    """A chain of teleportations whose byproducts are never played: the results come out as if they had been."""
    chance = random.Random(seed)
    links = 6
    state = stim.Tableau.random(1)
    simulator = stim.TableauSimulator(seed=seed)
    model = PauliFrameModel(list(range(links + 1)), links + 1)
    simulator.do_tableau(state, [0])
    for q in range(links):
        # Half a teleportation (gate by gate, with S between): the state moves from q to q + 1, with H.
        simulator.reset_x(q + 1)
        simulator.cz(q, q + 1)
        model.apply(Operation.CZ, q, q + 1)
        simulator.h(q)
        model.apply(Operation.H, q)
        bit = model.reinterpreted(int(simulator.measure(q)) << q) >> q & 1
        if bit:
            model.apply(Operation.X, q + 1)  # the byproduct, in the frame
        simulator.h(q + 1)
        model.apply(Operation.H, q + 1)
        if chance.random() < 0.5:
            simulator.s(q + 1)
            model.apply(Operation.S, q + 1)
            simulator.s_dag(q + 1)
            model.apply(Operation.S, q + 1)
    simulator.do_tableau(state.inverse(), [links])
    # The state's inverse takes the frame to what Stim says; what is left must give 0.
    letters = "_XZY"[(model.x >> links & 1) | (model.z >> links & 1) << 1]
    left = state.inverse()(stim.PauliString(letters))
    xs, _ = left.to_numpy()
    assert int(simulator.measure(links)) ^ int(xs[0]) == 0


def test_bases():
    model = PauliFrameModel([0, 0, None, 1], 2)
    model.bases = [0, X_BASIS, 3, 3]
    model.x, model.z = 0b01, 0b10
    assert model.reinterpreted(0) == 0b1000
    model.x, model.z = 0b11, 0b11
    assert model.reinterpreted(0b1111) == 0b1101


def test_tables():
    table = correction_table([(0b101, 0b010, 1), (0, 0b100, 0)], 3, 1, 4)
    assert table.tolist() == [0b1_010_101, 0b100_000, 0, 0]
    assert len(correction_table([], 20, 2, 2)) == 4
    with pytest.raises(ValueError, match="needs 3 entries, the hardware has 2"):
        correction_table([(0, 0, 0)] * 3, 2, 1, 2)
    with pytest.raises(ValueError, match="row 0 names more than 2 qubits or 1 observables"):
        correction_table([(4, 0, 0)], 2, 1, 2)
