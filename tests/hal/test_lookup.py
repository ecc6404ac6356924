# SPDX-License-Identifier: BSD-2-Clause
"""A whole simulated board around the lookup-table decoder: the table over the bus, shots at a cadence."""

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.layouts import UNTRUSTED
from triplane.gateware.decoder.lut import LookupDecoder
from triplane.gateware.decoder.memory import MISMATCH, TRUSTED
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.hal.drivers.sim import SimBoard
from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.sim.board import Design
from triplane.sim.models.decoder.lut import fill_table

SHOTS = 20_000


class LookupBoard(SimBoard):
    """A board whose tables are loaded by the test: its programs hold weights."""

    def load(self, program: hal.DecoderProgram) -> None:
        self._program = program

    def load_table(self, words: np.ndarray, crc: int) -> int:
        """Load a table, let the board check it, and return the state that it ends in."""
        self.set("decoder_table_index", 0)
        self.burst_write(self.registers["decoder_table_data"].address, words, increment=False)
        self.set("decoder_table_crc", crc)
        fields = self.registers["decoder_status"].fields
        status = self.get("decoder_status")
        while fields["busy"].of(status):
            status = self.get("decoder_status")
        return fields["table"].of(status)


@pytest.fixture(scope="module")
def shots():
    circuit = memory_circuit(distance=3, rounds=3, probability=0.005)
    return sample_dataset(circuit, name="lookup", shots=SHOTS, seed=3, properties={})


def test_records_are_those_of_the_table(shots):
    graph = compile_graph(shots.model)
    table = fill_table(shots.model, TableShape(observed_detectors(graph), 1))
    design = Design.for_graph(graph, LookupDecoder)
    rounds = graph.pack_events(shots.events)
    with LookupBoard(graph, design=design) as board:
        board.load(hal.DecoderProgram.from_graph(graph))
        assert board.load_table(table.words[:-1], table.crc) == MISMATCH
        (refused,) = board.run(rounds[:3], round_period_cycles=0)
        assert (refused["flags"] == UNTRUSTED).all()
        assert not refused["observables"].any()

        assert board.load_table(table.words, table.crc) == TRUSTED
        assert board.get("decoder_table_found") == table.crc
        records = np.concatenate(list(board.run(rounds, round_period_cycles=20)))
        assert board.fault() is None
    observables, flags = table.decode(shots.events)
    np.testing.assert_array_equal(records["observables"], observables)
    np.testing.assert_array_equal(records["flags"], flags)
    assert (records["decode_cycles"] == LookupDecoder.LATENCY).all()
    assert (np.diff(records["timestamp_lo"].astype(int)) == 20 * len(graph.layers)).all()
