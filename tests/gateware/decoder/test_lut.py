# SPDX-License-Identifier: BSD-2-Clause
"""The lookup-table decoder under Verilator: tables loaded word by word and checked, every record against the model."""

import cocotb
import numpy as np
import pytest
import stim
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule
from migen import Signal

from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.layouts import LAST, RESULT, UNTRUSTED
from triplane.gateware.decoder.lut import LookupDecoder
from triplane.gateware.decoder.memory import CHECKING, MISMATCH, TRUSTED, UNCHECKED, CheckedMemory
from triplane.gateware.decoder.table import TableShape, observed_detectors, table_crc
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.models.decoder.lut import LookupTable, fill_table
from triplane.sim.streams import StreamDriver, StreamMonitor, start_clock


class Bench(LiteXModule):
    """A decoder whose registers are pins, since no bus is there to write them."""

    def __init__(self, graph: DecodingGraph, shape: TableShape) -> None:
        self.decoder = decoder = LookupDecoder(graph, shape)
        decoder._control.finalize(32, "big")  # its bank would do this
        self.submodules += decoder._control
        now = Signal(64)
        self.sync += now.eq(now + 1)
        self.comb += decoder.now.eq(now)
        pins = {"found": decoder._table_found.status}
        for name in ("table_index", "table_data", "table_crc"):
            register = getattr(decoder, f"_{name}")
            pins |= {name: register.storage, f"{name}_re": register.re}
        for pin, field in (("trust", "table"), ("busy", "busy")):
            pins[pin] = getattr(decoder._status.fields, field)
        for name, signal in pins.items():
            signal.name_override = name
        self.pins = endpoint_ios(decoder.sink, "sink") | endpoint_ios(decoder.source, "source")
        self.pins |= set(pins.values())


def repetition() -> tuple[DecodingGraph, LookupTable]:
    """Three rounds of four detectors, all in the address: 4,096 syndromes."""
    circuit = stim.Circuit.generated(
        "repetition_code:memory",
        distance=5,
        rounds=2,
        before_round_data_depolarization=0.05,
        before_measure_flip_probability=0.03,
    )
    return filled(circuit)


def surface() -> tuple[DecodingGraph, LookupTable]:
    """Sixteen of 24 detectors in the address."""
    return filled(memory_circuit(distance=3, rounds=3, probability=0.003))


def tiny() -> tuple[DecodingGraph, LookupTable]:
    """Two detectors and two observables; all entries are in one word, and one syndrome is impossible."""
    dem = stim.DetectorErrorModel("error(0.1) D0 D1 L0\nerror(0.2) D0 D1 L1")
    graph = compile_graph(dem)
    return graph, fill_table(dem, TableShape((1, 0), 2, 2))


def wide() -> tuple[DecodingGraph, LookupTable]:
    """An entry fills a word."""
    dem = stim.DetectorErrorModel("error(0.1) D0 L0 L16\nerror(0.2) D1 L3")
    return compile_graph(dem), fill_table(dem, TableShape((0, 1), 17, 3))


def filled(circuit: stim.Circuit) -> tuple[DecodingGraph, LookupTable]:
    dem = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(dem)
    return graph, fill_table(dem, TableShape(observed_detectors(graph), graph.num_observables))


def simulate(testcase: str, made: tuple[DecodingGraph, LookupTable], events: np.ndarray, **more) -> None:
    """Run `testcase` on a decoder of this graph and table."""
    graph, table = made
    bench = Bench(graph, table.shape)
    observables, flags = table.decode(events)
    run_cocotb(
        bench, bench.pins, __file__, "lookup",
        {
            "table": table.words.tolist(), "crc": table.crc,
            "words": graph.pack_events(events).ravel().tolist(), "layers": len(graph.layers),
            "observables": observables.tolist(), "flags": flags.tolist(), **more,
        },
        testcase=testcase,
    )  # fmt: skip


def all_syndromes(graph: DecodingGraph) -> np.ndarray:
    return (np.arange(1 << graph.num_detectors)[:, None] >> np.arange(graph.num_detectors)) & 1 == 1


async def write(dut, register: str, value: int) -> None:
    getattr(dut, register).value = value
    getattr(dut, f"{register}_re").value = 1
    await RisingEdge(dut.sys_clk)
    getattr(dut, f"{register}_re").value = 0


async def load(dut, words: list[int], *, at: int = 0) -> None:
    await write(dut, "table_index", at)
    dut.table_data_re.value = 1
    for word in words:
        dut.table_data.value = word
        await RisingEdge(dut.sys_clk)
    dut.table_data_re.value = 0
    await RisingEdge(dut.sys_clk)


async def check(dut, crc: int) -> tuple[int, int]:
    """State that a check ends in, and the cycles that it took."""
    await write(dut, "table_crc", crc)
    cycles = 0
    while True:
        await RisingEdge(dut.sys_clk)
        if int(dut.trust.value) != CHECKING:
            return int(dut.trust.value), cycles
        assert int(dut.busy.value)
        cycles += 1


async def start(dut) -> None:
    for name in ("table_index", "table_data", "table_crc"):
        getattr(dut, name).value = getattr(dut, f"{name}_re").value = 0
    await start_clock(dut)


async def records(monitor: StreamMonitor, count: int) -> list[list[int]]:
    got = await monitor.get(RESULT.words * count)
    words = [word["data"] for word in got]
    return [words[RESULT.words * k : RESULT.words * (k + 1)] for k in range(count)]


@cocotb.test()
async def records_are_the_models(dut) -> None:
    p = parameters()
    await start(dut)
    await load(dut, p["table"])
    assert (await check(dut, p["crc"]))[0] == TRUSTED
    driver = StreamDriver(dut, "sink", pause=p["idle"], seed=1)
    monitor = StreamMonitor(dut, "source", pause=p["pressure"], seed=2)
    cocotb.start_soon(driver.put(p["words"]))
    stamp = -1
    for shot, (observables, flags) in enumerate(zip(p["observables"], p["flags"], strict=True)):
        (record,) = await records(monitor, 1)
        assert record[1] > stamp, f"shot {shot}: time stamp {record[1]} is not after {stamp}"
        stamp = record[1]
        expected = [shot, p["latency"] | flags << 16, observables, observables, 0, 0, p["layers"], p["crc"]]
        assert record[:1] + record[3:] == expected, f"shot {shot}"


@pytest.mark.parametrize("pressure", [0.0, 0.6])
@pytest.mark.parametrize("idle", [0.0, 0.6])
@pytest.mark.parametrize("code", [repetition, tiny, wide, surface])
def test_records(code, idle, pressure):
    graph, table = code()
    if graph.num_detectors <= 12 and not idle and not pressure:
        events = all_syndromes(graph)
    else:
        rng = np.random.default_rng(7)
        events = rng.random((300, graph.num_detectors)) < rng.choice([0.02, 0.1, 0.5], size=(300, 1))
    simulate(
        "records_are_the_models", (graph, table), events,
        idle=idle, pressure=pressure, latency=LookupDecoder.LATENCY,
    )  # fmt: skip


@cocotb.test()
async def latency_is_counted_from_the_last_word(dut) -> None:
    p = parameters()
    await start(dut)
    await load(dut, p["table"])
    await check(dut, p["crc"])
    driver = StreamDriver(dut, "sink")
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
    ((_, _, _, cycles, observables, *_),) = await records(StreamMonitor(dut, "source"), 1)
    # The record is registered when the observables are valid; its first word is offered two cycles later.
    assert cycles & 0xFFFF == offered - 2 == p["latency"]
    assert observables == p["observables"][0]


def test_latency():
    graph, table = repetition()
    events = all_syndromes(graph)[[137]]
    assert LookupDecoder.LATENCY <= 8
    simulate("latency_is_counted_from_the_last_word", (graph, table), events, latency=LookupDecoder.LATENCY)


@cocotb.test()
async def wrong_tables_answer_nothing(dut) -> None:
    """Not checked, half loaded, a bit wrong, right, changed afterwards: only the right one is looked up."""
    p = parameters()
    await start(dut)
    driver, monitor = StreamDriver(dut, "sink"), StreamMonitor(dut, "source")
    shot = 0

    async def answer() -> tuple[int, int]:
        nonlocal shot
        await driver.put(p["words"])
        ((number, _, _, timing, observables, *_, tables),) = await records(monitor, 1)
        assert number == shot
        shot += 1
        assert tables == (0 if timing >> 16 & UNTRUSTED else p["crc"])
        return timing >> 16, observables

    refused = (UNTRUSTED | LAST, 0)
    table, crc = p["table"], p["crc"]
    assert int(dut.trust.value) == UNCHECKED
    assert await answer() == refused

    await load(dut, [0] * len(table))
    await load(dut, table[: len(table) // 2])
    assert await answer() == refused
    assert (await check(dut, crc))[0] == MISMATCH
    assert await answer() == refused

    await load(dut, table)
    spoilt = len(table) - 1
    await load(dut, [table[spoilt] ^ 0x80000000], at=spoilt)
    assert (await check(dut, crc))[0] == MISMATCH
    assert int(dut.found.value) == p["spoilt_crc"]

    await load(dut, table[spoilt:], at=spoilt)
    assert (await check(dut, crc ^ 1))[0] == MISMATCH
    assert await check(dut, crc) == (TRUSTED, p["check_cycles"])
    assert int(dut.found.value) == crc
    assert await answer() == (p["flags"][0], p["observables"][0])

    await load(dut, table[:1])
    assert int(dut.trust.value) == UNCHECKED
    assert await answer() == refused


def test_wrong_tables():
    graph, table = repetition()
    (certain,) = np.flatnonzero(table.observables == 1)[:1]
    spoilt = table.words.copy()
    spoilt[-1] ^= 0x80000000
    simulate(
        "wrong_tables_answer_nothing", (graph, table), all_syndromes(graph)[[certain]],
        check_cycles=CheckedMemory(table.shape.words).check_cycles, spoilt_crc=table_crc(spoilt),
    )  # fmt: skip


@cocotb.test()
async def nothing_starts_during_a_check(dut) -> None:
    """The last word waits for the check; a word written meanwhile ends it without trust."""
    p = parameters()
    await start(dut)
    await load(dut, p["table"])
    driver, monitor = StreamDriver(dut, "sink"), StreamMonitor(dut, "source")
    await write(dut, "table_crc", p["crc"])
    await driver.put(p["words"])
    assert int(dut.trust.value) == TRUSTED
    ((_, _, _, _, observables, *_),) = await records(monitor, 1)
    assert observables == p["observables"][0]
    await write(dut, "table_crc", p["crc"])
    await RisingEdge(dut.sys_clk)
    assert int(dut.trust.value) == CHECKING
    await load(dut, p["table"][:1])
    for _ in range(p["check_cycles"] + 2):
        await RisingEdge(dut.sys_clk)
    assert int(dut.trust.value) == UNCHECKED


def test_check_and_shot():
    graph, table = repetition()
    simulate(
        "nothing_starts_during_a_check", (graph, table), all_syndromes(graph)[[9]],
        check_cycles=CheckedMemory(table.shape.words).check_cycles,
    )  # fmt: skip


def test_foreign_shapes_are_refused():
    graph, table = repetition()
    with pytest.raises(ValueError, match="names detector 12, the graph has 12"):
        LookupDecoder(graph, TableShape((0, 12), 1))
    with pytest.raises(ValueError, match="predicts 2 observables, the graph has 1"):
        LookupDecoder(graph, TableShape(table.shape.detectors, 2))
    with pytest.raises(ValueError, match="at least 2 words, not 1"):
        CheckedMemory(1)
