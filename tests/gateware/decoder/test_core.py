# SPDX-License-Identifier: BSD-2-Clause
"""The decoder core under Verilator: rounds in, records out, with pauses and back-pressure, against the golden model."""

import cocotb
import numpy as np
import pytest
import stim
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule
from migen import Signal

from triplane.gateware.decoder.core import Decoder
from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.models.decoder.unionfind import UnionFindModel
from triplane.sim.streams import StreamDriver, StreamMonitor, start_clock


class Bench(LiteXModule):
    """A decoder whose registers hold their values from reset, since no bus is there to write them."""

    def __init__(self, graph: DecodingGraph, correction: bool) -> None:
        self.decoder = decoder = Decoder(graph)
        decoder._first_growth.storage.reset = graph.first_growth
        decoder._control.storage.reset = int(correction)
        decoder._control.finalize(32, "big")  # its bank would do this
        self.submodules += decoder._control
        for register, weight in zip(decoder.weights, graph.weights, strict=True):
            register.reset = int(weight)
        now = Signal(64)
        self.sync += now.eq(now + 1)
        self.comb += decoder.now.eq(now)
        self.pins = endpoint_ios(decoder.sink, "sink") | endpoint_ios(decoder.source, "source")


def model(circuit: stim.Circuit) -> DecodingGraph:
    return compile_graph(circuit.detector_error_model(decompose_errors=True))


def repetition() -> stim.Circuit:
    return stim.Circuit.generated(
        "repetition_code:memory",
        distance=5,
        rounds=3,
        before_round_data_depolarization=0.05,
        before_measure_flip_probability=0.05,
    )


def surface() -> stim.Circuit:
    return stim.Circuit.generated(
        "surface_code:rotated_memory_z",
        distance=3,
        rounds=3,
        after_clifford_depolarization=0.01,
        before_measure_flip_probability=0.02,
    )


def expected_words(graph: DecodingGraph, events: np.ndarray, correction: bool) -> list[list[int]]:
    """Words of each record, without the time stamp."""
    result = UnionFindModel(graph).decode(events, correction=True)
    assert result.correction is not None
    records = []
    for shot in range(len(events)):
        words = [
            shot,
            int(result.cycles[shot]) | int(result.flags[shot]) << 16,
            int(result.observables[shot]),
            int(result.grow_steps[shot]) | int(result.merge_steps[shot]) << 16,
        ]
        if correction:
            bits = np.packbits(result.correction[shot], bitorder="little").tobytes()
            words += np.frombuffer(bits + bytes(-len(bits) % 4), dtype="<u4").tolist()
        records.append(words)
    return records


@cocotb.test()
async def records_are_the_models(dut) -> None:
    p = parameters()
    await start_clock(dut)
    driver = StreamDriver(dut, "sink", pause=p["idle"], seed=1)
    monitor = StreamMonitor(dut, "source", pause=p["pressure"], seed=2)
    cocotb.start_soon(driver.put(p["words"]))
    length = p["record_words"]
    stamp = -1
    for shot, expected in enumerate(p["expected"]):
        got = await monitor.get(length)
        words = [word["data"] for word in got]
        assert words[1] > stamp, f"shot {shot}: time stamp {words[1]} is not after {stamp}"
        stamp = words[1]
        assert words[:1] + words[3:] == expected, f"shot {shot}"


@pytest.mark.parametrize("correction", [False, True])
@pytest.mark.parametrize("pressure", [0.0, 0.6])
@pytest.mark.parametrize("idle", [0.0, 0.6])
@pytest.mark.parametrize("circuit", [repetition, surface])
def test_records(circuit, idle, pressure, correction):
    graph = model(circuit())
    rng = np.random.default_rng(7)
    events = rng.random((40, graph.num_detectors)) < rng.choice([0.02, 0.1, 0.4], size=(40, 1))
    bench = Bench(graph, correction)
    run_cocotb(
        bench, bench.pins, __file__, circuit.__name__,
        {
            "words": graph.pack_events(events).ravel().tolist(),
            "expected": expected_words(graph, events, correction),
            "record_words": RESULT.words + correction * bench.decoder.correction_words,
            "idle": idle, "pressure": pressure,
        },
        testcase="records_are_the_models",
    )  # fmt: skip


@cocotb.test()
async def latency_is_counted_from_the_last_word(dut) -> None:
    """The record's figure is what a counter beside the decoder sees, and an empty shot takes its constant."""
    p = parameters()
    await start_clock(dut)
    driver = StreamDriver(dut, "sink")
    monitor = StreamMonitor(dut, "source")
    await driver.put(p["words"][:-1])
    dut.sink_data.value = p["words"][-1]
    dut.sink_valid.value = 1
    await ReadOnly()
    assert int(dut.sink_ready.value)
    await RisingEdge(dut.sys_clk)
    dut.sink_valid.value = 0
    offered = 1  # cycles since the one in which the last word was taken
    await ReadOnly()
    while not int(dut.source_valid.value):
        await RisingEdge(dut.sys_clk)
        await ReadOnly()
        offered += 1
    await RisingEdge(dut.sys_clk)
    words = [word["data"] for word in await monitor.get(p["record_words"])]
    # The record is registered when the observables are valid; its first word is offered two cycles later.
    assert words[3] & 0xFFFF == offered - 2 == p["cycles"]


@pytest.mark.parametrize("empty", [True, False])
def test_latency(empty):
    graph = model(repetition())
    events = np.zeros((1, graph.num_detectors), dtype=bool)
    if not empty:
        events[0, [1, 2, 7]] = True
    cycles = int(UnionFindModel(graph).decode(events).cycles[0])
    assert (cycles == UnionFindArray.LATENCY_EMPTY) is empty
    bench = Bench(graph, False)
    run_cocotb(
        bench, bench.pins, __file__, "repetition",
        {"words": graph.pack_events(events).ravel().tolist(), "record_words": RESULT.words, "cycles": cycles},
        testcase="latency_is_counted_from_the_last_word",
    )  # fmt: skip


def test_a_worst_case_beyond_the_record_is_refused():
    circuit = stim.Circuit.generated(
        "repetition_code:memory",
        distance=31,
        rounds=400,
        before_round_data_depolarization=0.01,
        before_measure_flip_probability=0.01,
    )
    with pytest.raises(ValueError, match="does not fit the result record"):
        Decoder(model(circuit))
