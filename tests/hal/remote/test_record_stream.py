# SPDX-License-Identifier: BSD-2-Clause
"""The record stream of a simulated board on real UDP sockets: what it brings is what the result FIFO holds."""

import threading

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.faults import CONDITIONS
from triplane.gateware.link.records.layouts import FAULT, Kind
from triplane.hal.datagrams import StreamSocket
from triplane.hal.stream import StreamReceiver
from triplane.host.provenance.store import Store
from triplane.host.runtime.streaming import record_stream
from triplane.sim.weather import BadSource

SHOTS = 150

LINGER_CYCLES = 6_000
"""So that the ring holds all packets of a run: a slow machine loses nothing."""


@pytest.fixture
def board(code, served):
    with hal.connect(served.urls["udp"], graph=code.graph) as board:
        yield board


def run(board, code, receiver, correction=False):
    """Words of all results, as the FIFO gives them and as the stream brings them, and the packets."""
    board.load(hal.DecoderProgram.from_graph(code.graph, correction=correction))
    chunks, packets = [], []
    for chunk in board.run(code.rounds[:SHOTS], round_period_cycles=400):
        chunks.append(chunk)
        packets += receiver.take()
    packets += receiver.finish()
    streamed = [record for packet in packets for record in packet.of(Kind.RESULT)]
    assert len(streamed) == SHOTS
    return chunks, np.stack([record.words for record in streamed]), packets


@pytest.mark.parametrize("weather", ["fair", "bad", "nothing arrives"])
def test_the_stream_brings_what_the_fifo_holds(board, code, weather):
    source = None if weather == "nothing arrives" else StreamSocket("127.0.0.1")
    if weather == "bad":
        source = BadSource(source, seed=4)
    with StreamReceiver(board, source, linger_cycles=LINGER_CYCLES) as receiver:
        chunks, streamed, packets = run(board, code, receiver)
        assert np.array_equal(RESULT.parse(streamed), np.concatenate(chunks).view(np.ndarray))
        assert [packet.sequence for packet in packets] == list(range(len(packets)))
        assert not any(receiver.lost_on_board().values())
        assert {f"{packet.build:08x}" for packet in packets} == {board.identify().build_hash[:8]}
        if weather == "fair":
            assert receiver.counts["fetched"] <= len(packets) // 2
        elif weather == "bad":
            assert source.counts["lost"] > 0
            assert receiver.counts["fetched"] > 0
        else:
            assert receiver.counts["fetched"] == len(packets)


def test_corrections_are_in_the_stream(board, code):
    with StreamReceiver(board, StreamSocket("127.0.0.1")) as receiver:
        chunks, streamed, _ = run(board, code, receiver, correction=True)
    found = hal.Records.from_words(streamed, len(code.plan.edges))
    assert np.array_equal(found.corrections, np.concatenate([chunk.corrections for chunk in chunks]))


def test_faults_are_in_the_stream(board):
    with StreamReceiver(board, StreamSocket("127.0.0.1")) as receiver:
        before = board.now()
        board.read(board.registers["results_data"].address)  # there is none
        after = board.now()
        (record,) = [record for packet in receiver.finish() for record in packet.of(Kind.FAULT)]
    fault = FAULT.parse(record.words[None])[0]
    assert fault["conditions"] == 1 << list(CONDITIONS).index("empty_read")
    time = int(fault["timestamp_lo"]) | int(fault["timestamp_hi"]) << 32
    assert before < time < after
    assert board.fault().cycle == time


def test_records_that_found_no_room_are_counted(board, code):
    """Nobody takes anything; the run itself is not held up."""
    with StreamReceiver(board, StreamSocket("127.0.0.1"), linger_cycles=1) as receiver:
        board.load(hal.DecoderProgram.from_graph(code.graph))
        chunks = list(board.run(code.rounds[:SHOTS], round_period_cycles=400))
        packets = receiver.finish()
        found = [record for packet in packets for record in packet.of(Kind.RESULT)]
        lost = receiver.lost_on_board()[Kind.RESULT]
    assert sum(map(len, chunks)) == SHOTS == len(found) + lost
    assert lost > 0
    sequences = [int(RESULT.parse(record.words[None])["sequence"][0]) for record in found]
    assert sequences == sorted(set(sequences))


def test_another_host_records_a_run(board, code, served, tmp_path):
    """Its registers by the serial line, its packets by the network, while this one runs the board."""
    h5py = pytest.importorskip("h5py", reason="recordings need h5py (extra record)")
    path, results, begun = tmp_path / "run.h5", [], threading.Event()

    class Source(StreamSocket):
        def receive(self, timeout_s):
            begun.set()
            return super().receive(timeout_s)

    def work():
        with hal.connect(served.urls["uart"], graph=code.graph, observe=True) as observed:
            results.append(
                record_stream(
                    observed,
                    Source("127.0.0.1"),
                    path,
                    command=["triplane", "record"],
                    records=SHOTS,
                    store=Store(tmp_path / "store"),
                )
            )

    board.load(hal.DecoderProgram.from_graph(code.graph))
    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    records = np.concatenate(list(board.run(code.rounds[:SHOTS], round_period_cycles=400)))
    thread.join(60)
    assert not thread.is_alive()
    (result,) = results
    assert result["records"] == {"result": SHOTS}
    assert not any(result["lost"].values())
    with h5py.File(path) as file:
        assert file.attrs["build_hash"] == board.identify().build_hash
        for name in RESULT.dtype.names:
            assert np.array_equal(file["result"][name], records[name]), name
