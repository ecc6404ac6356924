# SPDX-License-Identifier: BSD-2-Clause
"""The table compiler: what it makes of circuits, and how it refuses those that do not fit."""

import numpy as np
import pytest
import stim

from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.table import table_crc
from triplane.gateware.syndrome.compile import SyndromeError, slots_by_qubit, syndrome_table
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.gateware.syndrome.table import Parity


def memory(rounds: int = 3) -> stim.Circuit:
    return stim.Circuit.generated(
        "repetition_code:memory", distance=3, rounds=rounds, before_round_data_depolarization=0.1
    )


def graph_of(circuit: stim.Circuit) -> DecodingGraph:
    return compile_graph(circuit.detector_error_model(decompose_errors=True))


def layered(*layers: int) -> DecodingGraph:
    """A graph with so many detectors in each layer."""
    lines, d = [], 0
    for t, count in enumerate(layers):
        for k in range(count):
            lines += [f"error(0.1) D{d}", f"detector({k}, {t}) D{d}"]
            d += 1
    return compile_graph(stim.DetectorErrorModel("\n".join(lines)))


def test_rounds_and_kinds_of_a_memory():
    circuit = memory()
    table = syndrome_table(circuit, slots_by_qubit(circuit), graph_of(circuit))
    assert table.rounds == (0, 1, 1, 2)
    assert table.shape == SyndromeShape(slots=5, events=2, kept=2, history=1, observables=1, kinds=4)
    first, again, last = table.kinds
    assert first.events == (Parity(frozenset({(0, 0)})), Parity(frozenset({(1, 0)})))
    assert again.events[1] == Parity(frozenset({(1, 0), (1, 1)}))
    assert last.expected == {2, 3, 4}
    assert last.events[0] == Parity(frozenset({(2, 0), (3, 0), (0, 1)}))
    assert last.observables == (Parity(frozenset({(4, 0)})),)
    assert table.unused == ()


def test_slots_of_repeated_measurements_come_first():
    assert slots_by_qubit(stim.Circuit("M 5 9\nM 2 5 7")) == [0, 3, 1, 0, 2]
    with pytest.raises(SyndromeError, match="'MXX 0 1' does not measure single qubits"):
        slots_by_qubit(stim.Circuit("MXX 0 1"))


def test_other_lengths():
    circuit = memory(5)
    table = syndrome_table(circuit, slots_by_qubit(circuit), graph_of(circuit))
    assert table.schedule(6) == (0, 1, 1, 1, 1, 2)
    assert table.schedule(9) == (0, 1, 1, 1, 1, 1, 1, 1, 2)
    assert table.schedule(3) == (0, 1, 2)
    with pytest.raises(ValueError, match="at least 3 rounds here, not 2"):
        table.schedule(2)
    short = memory(1)
    with pytest.raises(ValueError, match="no round repeats among the 2"):
        syndrome_table(short, slots_by_qubit(short), graph_of(short)).schedule(5)


def test_words_of_larger_hardware():
    circuit = memory()
    table = syndrome_table(circuit, slots_by_qubit(circuit), graph_of(circuit))
    built = SyndromeShape(slots=40, events=20, kept=10, history=2, known=7, observables=2, kinds=8)
    assert len(table.words(built)) == built.words == 8 * (2 + 20 + 2) * 3
    assert table.crc(built) == table_crc(table.words(built))
    row = table.words(built).reshape(8, 24, 3)[1, 2]  # event 0 of the repeating round: slot 0 now and before
    assert row.tolist() == [1, 1 << (40 - 32), 0]
    for name, limit in (("slots", 4), ("events", 1), ("kept", 1), ("history", 0), ("kinds", 2)):
        with pytest.raises(ValueError, match=f"the table needs . {name}, the hardware has {limit}"):
            table.words(SyndromeShape(**{"slots": 5, "events": 2, "kept": 2, "kinds": 4} | {name: limit}))
    with pytest.raises(ValueError, match="takes 1 words a round, the hardware sends 2"):
        table.words(SyndromeShape(slots=5, events=33, kept=2))


def test_flips_of_gates_and_sweep_bits():
    circuit = stim.Circuit("CX sweep[1] 0\nX 0\nM 0\nDETECTOR(0, 0) rec[-1]\nOBSERVABLE_INCLUDE(0) rec[-1]")
    table = syndrome_table(circuit, [0], layered(1))
    parity = Parity(frozenset({(0, 0)}), frozenset({1}), True)
    assert table.kinds[0].events == table.kinds[0].observables == (parity,)
    assert table.shape.known == 2


def test_rounds_that_must_be_told():
    """All detectors at the end: declarations do not tell where a round ends."""
    circuit = stim.Circuit("M 0\nM 0\nDETECTOR(0, 0) rec[-2]\nDETECTOR(0, 1) rec[-1] rec[-2]")
    with pytest.raises(SyndromeError, match="detectors of layer 1 before anything is measured for it"):
        syndrome_table(circuit, [0, 0], layered(1, 1))
    table = syndrome_table(circuit, [0, 0], layered(1, 1), round_of_measurement=[0, 1])
    assert table.kinds[1].events == (Parity(frozenset({(0, 0), (0, 1)})),)
    with pytest.raises(SyndromeError, match="D0 of layer 0 needs measurement 0, which belongs to round 1"):
        syndrome_table(circuit, [0, 1], layered(1, 1), round_of_measurement=[1, 0])
    with pytest.raises(ValueError, match="a round from 0 to 1 for each of 2 measurements"):
        syndrome_table(circuit, [0, 0], layered(1, 1), round_of_measurement=[0, 2])


def test_what_does_not_fit_is_refused():
    one = layered(1)
    reach = "M 0\nDETECTOR(0, 0) rec[-1]\n"
    far = stim.Circuit(
        reach + reach.replace("0) r", "1) r") + reach.replace("0) r", "2) r")
        + "M 0\nDETECTOR(0, 3) rec[-1] rec[-4]"
    )  # fmt: skip
    with pytest.raises(SyndromeError, match="needs measurement 0, 3 measurements of slot 0 ago; .* holds 2"):
        syndrome_table(far, [0] * 4, layered(1, 1, 1, 1))
    assert syndrome_table(far, [0] * 4, layered(1, 1, 1, 1), history=3).shape.history == 3
    with pytest.raises(SyndromeError, match="detector D0 needs measurement 1, which has no slot"):
        syndrome_table(stim.Circuit("M 0 1\nDETECTOR(0, 0) rec[-1]"), [0, None], one)
    with pytest.raises(SyndromeError, match="slot 0 is measured twice in round 0: measurements 0 and 1"):
        syndrome_table(stim.Circuit("M 0 1\nDETECTOR(0, 0) rec[-1]"), [0, 0], one)
    with pytest.raises(SyndromeError, match="'M !0' inverts a result"):
        syndrome_table(stim.Circuit("M !0\nDETECTOR(0, 0) rec[-1]"), [0], one)
    with pytest.raises(SyndromeError, match="is feedback; compile circuit.with_inlined_feedback"):
        syndrome_table(stim.Circuit("M 0\nCX rec[-1] 1\nDETECTOR(0, 0) rec[-1]"), [0], one)
    with pytest.raises(SyndromeError, match="X1. combines more than measurements"):
        syndrome_table(stim.Circuit("M 0\nDETECTOR(0, 0) rec[-1]\nOBSERVABLE_INCLUDE(0) X1"), [0], one)
    with pytest.raises(ValueError, match="the circuit has 1 detectors, the decoder's layout 2"):
        syndrome_table(stim.Circuit("M 0\nDETECTOR(0, 0) rec[-1]"), [0], layered(2))
    with pytest.raises(ValueError, match="slot 1 is given to measurement 7; the circuit has 1"):
        syndrome_table(stim.Circuit("M 0\nDETECTOR(0, 0) rec[-1]"), {0: 0, 7: 1}, one)
    with pytest.raises(ValueError, match="measurement 0 has slot -1"):
        syndrome_table(stim.Circuit("M 0\nDETECTOR(0, 0) rec[-1]"), [-1], one)
    with pytest.raises(SyndromeError, match="no measurement has a slot"):
        syndrome_table(stim.Circuit("M 0\nDETECTOR(0, 0) rec[-1]"), {}, one)


def test_measurements_by_round():
    circuit = memory()
    table = syndrome_table(circuit, slots_by_qubit(circuit), graph_of(circuit))
    bits = table.by_round(np.arange(9)[None, :] == 3)  # ancilla 1 of round 1
    assert np.argwhere(bits).tolist() == [[0, 1, 1]]
    with pytest.raises(ValueError, match=r"shape \(1, 3\), the circuit makes \(shots, 9\)"):
        table.by_round(np.zeros((1, 3)))
