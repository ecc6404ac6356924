# SPDX-License-Identifier: BSD-2-Clause
"""A whole simulated board around the lookup-table decoder: the table over the bus, shots at a cadence."""

import dataclasses

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.lut import LookupDecoder
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.hal import errors
from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.sim.models.decoder.lut import fill_table

SHOTS = 20_000


class WrongCrc(hal.DecoderProgram):
    """A program that states another CRC than its words have."""

    @property
    def table_crc(self) -> int:
        return super().table_crc ^ 1


@pytest.fixture(scope="module")
def shots():
    circuit = memory_circuit(distance=3, rounds=3, probability=0.005)
    return sample_dataset(circuit, name="lookup", shots=SHOTS, seed=3, properties={})


@pytest.fixture(scope="module")
def graph(shots):
    return compile_graph(shots.model)


@pytest.fixture(scope="module")
def table(shots, graph):
    return fill_table(shots.model, TableShape(observed_detectors(graph), 1))


@pytest.fixture
def board(graph, table):
    with hal.connect("sim", graph=graph, table=table.shape) as board:
        yield board


@pytest.fixture
def program(graph, table):
    return hal.DecoderProgram.from_table(hal.TableTarget(graph, table.shape), table.words)


def test_records_are_those_of_the_table(board, graph, shots, table, program):
    board.load(program)
    assert board.identify().table_hash == program.table_hash
    records = np.concatenate(list(board.run(graph.pack_events(shots.events), round_period_cycles=20)))
    assert board.fault() is None
    observables, flags = table.decode(shots.events)
    np.testing.assert_array_equal(records["observables"], observables)
    np.testing.assert_array_equal(records["frame"], observables)
    np.testing.assert_array_equal(records["flags"], flags)
    assert (records["tables"] == program.table_crc).all()
    assert (records["rounds"] == len(graph.layers)).all()
    assert (records["decode_cycles"] == LookupDecoder.LATENCY).all()
    assert (np.diff(records["timestamp_lo"].astype(int)) == 20 * len(graph.layers)).all()


def test_a_wrong_table_is_not_used(board, graph, shots, program):
    wrong = WrongCrc(program.words, program.structure_hash)
    with pytest.raises(errors.BoardError, match="the table arrived with CRC 0x"):
        board.load(wrong)
    board._program = program  # as if the host had not noticed
    with pytest.raises(
        errors.UntrustedError, match="record 0 was made without a table that passed its check"
    ):
        list(board.run(graph.pack_events(shots.events[:3]), round_period_cycles=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": np.zeros(3, np.uint32)}, r"the table has shape \(3,\), the board takes \d+ words"),
        ({"passes": 2}, "passes is 2; this board takes 1 to 1"),
        ({"correction": True}, "corrections are asked for, but a lookup table holds none"),
    ],
)
def test_what_does_not_fit_is_refused(board, program, change, message):
    with pytest.raises(errors.ProgramError, match=message):
        board.load(dataclasses.replace(program, **change))


def test_one_table_cannot_be_exchanged(board, program):
    board.load(program)
    with pytest.raises(errors.UnsupportedError, match="this decoder has no second table"):
        board.exchange(program)
