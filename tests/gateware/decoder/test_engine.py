# SPDX-License-Identifier: BSD-2-Clause
"""The decode engine under Verilator: tables and rounds in, every field of every record against the golden model."""

import dataclasses
import functools

import cocotb
import numpy as np
import pytest
import stim
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule
from migen import Signal

from triplane.gateware.decoder.engine import DecodeEngine
from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.layouts import HARD, LATE, RESULT, UNTRUSTED
from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.gateware.decoder.window import NOWHERE, StreamMap, WindowPlan, sliding_window, whole_window
from triplane.gateware.decoder.window.bound import window_bound
from triplane.host.replay.sampling import memory_circuit, without_resets
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.models.decoder.engine import EngineModel
from triplane.sim.streams import StreamDriver, StreamMonitor, start_clock

STORAGES = ("rounds", "deadline", "hard_above", "table_index", "table_data", "table_crc")
STATUSES = (
    "table_active",
    "windows",
    "rounds_in",
    "backlog",
    "backlog_max",
    "stalled_round",
    "late_windows",
    "hard_windows",
)
UNTIMED = [f.name for f in RESULT.fields if f.name not in ("timestamp_lo", "timestamp_hi", "waited")]


class Bench(LiteXModule):
    """An engine whose registers are pins, since no bus is there to write them."""

    def __init__(self, plan: WindowPlan, queue_rounds: int = 8) -> None:
        self.engine = engine = DecodeEngine(plan, queue_rounds=queue_rounds)
        now = Signal(64)
        self.sync += now.eq(now + 1)
        self.comb += engine.now.eq(now)
        engine._control.finalize(32, "big")  # its bank would do this
        self.submodules += engine._control
        pins = {
            f"status_{name}": getattr(engine._status.fields, name)
            for name in ("busy", "table", "trusted", "stalled")
        }
        (mode,) = engine._control.simple_csrs
        pins |= {"control": mode.r, "control_re": mode.re}
        for name in STORAGES:
            register = getattr(engine, f"_{name}")
            pins |= {name: register.storage, f"{name}_re": register.re}
        pins |= {name: getattr(engine, f"_{name}").status for name in STATUSES}
        for name, signal in pins.items():
            signal.name_override = name
        self.pins = (
            endpoint_ios(engine.sink, "sink") | endpoint_ios(engine.source, "source") | set(pins.values())
        )


async def write(dut, register: str, value: int) -> None:
    getattr(dut, register).value = value
    getattr(dut, f"{register}_re").value = 1
    await RisingEdge(dut.sys_clk)
    getattr(dut, f"{register}_re").value = 0
    await RisingEdge(dut.sys_clk)


RESTART, ACTIVATE = 1 << 1, 1 << 2


def mode(p: dict) -> int:
    return int(p["correction"]) | p["passes"] << 4


async def load(dut, words: list[int], crc: int, control: int) -> None:
    """Write a table, have it checked, and ask for it."""
    await write(dut, "table_index", 0)
    for word in words:
        await write(dut, "table_data", word)
    await write(dut, "table_crc", crc)
    while int(dut.status_table.value) == 1:
        await RisingEdge(dut.sys_clk)
    await write(dut, "control", control | ACTIVATE)


async def start(dut, p: dict) -> None:
    """An engine with its table in use."""
    for name in ("control", *STORAGES):
        getattr(dut, name).value = 0
        getattr(dut, f"{name}_re").value = 0
    dut.hard_above.value = p.get("hard_above", 0xFFFF)
    dut.deadline.value = p.get("deadline", 0)
    await start_clock(dut)
    await write(dut, "rounds", p["rounds"])
    await write(dut, "control", mode(p) | RESTART)
    if "table" in p:
        await load(dut, p["table"], p["crc"], mode(p))
        await quiet(dut)
        assert int(dut.table_active.value) == p["crc"]


async def quiet(dut) -> None:
    await ReadOnly()
    while int(dut.status_busy.value):
        await RisingEdge(dut.sys_clk)
        await ReadOnly()
    await RisingEdge(dut.sys_clk)


async def get(monitor: StreamMonitor, p: dict, count: int) -> np.ndarray:
    """The next records as words: (count, words)."""
    words = [word["data"] for word in await monitor.get(count * p["record_words"])]
    return np.array(words, dtype=np.uint32).reshape(count, p["record_words"])


def compare(got: np.ndarray, expected: list, first: int = 0) -> None:
    """Every field but those of arrival, and the correction, word by word."""
    wanted = np.array(expected, dtype=np.uint32).reshape(len(got), -1)
    found, model = RESULT.parse(got), RESULT.parse(wanted)
    for row in range(len(got)):
        for name in UNTIMED:
            assert found[row][name] == model[row][name], (
                f"record {first + row}: {name} is {found[row][name]}, the model's {model[row][name]}; "
                f"{found[row]} {model[row]}"
            )
    assert (got[:, RESULT.words :] == wanted[:, RESULT.words :]).all()


def expectation(
    plan: WindowPlan, layers: np.ndarray, *, correction: bool, **options
) -> tuple[np.ndarray, list]:
    """Records of the model, and the words that they travel in."""
    records, used = EngineModel(plan, correction=correction, **options).decode(layers)
    words = records.view("<u4").reshape(len(records), RESULT.words)
    if correction:
        bits = np.packbits(used, axis=1, bitorder="little")
        padded = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 4)))
        words = np.concatenate([words, padded.view("<u4")], axis=1)
    return records, words.tolist()


@cocotb.test()
async def records_are_the_models(dut) -> None:
    p = parameters()
    await start(dut, p)
    driver = StreamDriver(dut, "sink", pause=p["idle"], seed=1)
    monitor = StreamMonitor(dut, "source", pause=p["pressure"], seed=2)
    cocotb.start_soon(driver.put(p["words"]))
    stamp = -1
    for number, expected in enumerate(p["expected"]):
        got = await get(monitor, p, 1)
        compare(got, [expected], number)
        assert got[0, 1] > stamp
        stamp = got[0, 1]
    await quiet(dut)
    assert int(dut.windows.value) == len(p["expected"])
    assert int(dut.rounds_in.value) * p["words_per_round"] == len(p["words"])
    assert int(dut.backlog.value) == 0


def simulate(
    testcase: str, plan: WindowPlan, stream: StreamMap, events: np.ndarray, *,
    passes: int = 1, correction: bool = False, deadline: int = 0, hard_above: int = 0xFFFF,
    queue_rounds: int = 8, **more,
) -> np.ndarray:  # fmt: skip
    """Run a test on an engine of this plan; returns the records that the model expects."""
    records, expected = expectation(
        plan,
        stream.layers(events),
        passes=passes,
        correction=correction,
        deadline=deadline,
        hard_above=hard_above,
    )
    bench = Bench(plan, queue_rounds)
    run_cocotb(
        bench, bench.pins, __file__, "engine",
        {
            "table": plan.table.tolist(), "crc": plan.table_crc, "rounds": stream.num_layers if plan.sliding else 0,
            "words": stream.pack(events).ravel().tolist(), "words_per_round": plan.words_per_round,
            "expected": expected, "record_words": RESULT.words + correction * bench.engine.correction_words,
            "passes": passes, "correction": correction, "deadline": deadline, "hard_above": hard_above,
            "queue_rounds": queue_rounds, **more,
        },
        testcase=testcase,
    )  # fmt: skip
    return records


@functools.cache
def surface(rounds: int, probability: float = 0.01, distance: int = 3) -> DecodingGraph:
    circuit = memory_circuit(distance=distance, rounds=rounds, probability=probability)
    return compile_graph(circuit.detector_error_model(decompose_errors=True))


def sample(rounds: int, shots: int, probability: float = 0.01, distance: int = 3) -> np.ndarray:
    circuit = memory_circuit(distance=distance, rounds=rounds, probability=probability)
    return circuit.compile_detector_sampler(seed=11).sample(shots)


def whole(rounds: int = 3) -> tuple[WindowPlan, StreamMap]:
    plan = whole_window(surface(rounds))
    return plan, StreamMap.build(plan, surface(rounds))


@pytest.mark.parametrize(
    ("passes", "correction", "idle", "pressure"),
    [
        (1, False, 0.0, 0.0),
        (1, True, 0.6, 0.6),
        (2, False, 0.0, 0.6),
        (2, True, 0.6, 0.0),
        (3, True, 0.0, 0.0),
    ],
)
def test_whole_shots(passes, correction, idle, pressure):
    plan, stream = whole()
    records = simulate(
        "records_are_the_models", plan, stream, sample(3, 100, 0.02),
        passes=passes, correction=correction, idle=idle, pressure=pressure,
    )  # fmt: skip
    assert len(set(records["observables"])) == 2


@functools.cache
def sliding() -> WindowPlan:
    return sliding_window(surface(12), window=4, commit=2)


@pytest.mark.parametrize(
    ("rounds", "passes", "correction", "idle", "pressure"),
    [
        (30, 1, False, 0.0, 0.0),
        (31, 2, True, 0.5, 0.5),
        (5, 2, True, 0.0, 0.6),
        (6, 1, True, 0.6, 0.0),
        (33, 3, False, 0.0, 0.0),
    ],
)  # fmt: skip
def test_sliding_windows(rounds, passes, correction, idle, pressure):
    plan = sliding()
    stream = StreamMap.build(plan, surface(rounds - 1))
    assert stream.num_layers == rounds
    records = simulate(
        "records_are_the_models", plan, stream, sample(rounds - 1, 240 // rounds, 0.01),
        passes=passes, correction=correction, idle=idle, pressure=pressure,
    )  # fmt: skip
    assert (records["observables"] != 0).any()


@pytest.mark.parametrize(("rounds", "passes"), [(30, 2), (6, 1)])
def test_edges_that_span_two_layers(rounds, passes):
    """Ancillas that are not reset: what is settled changes both layers after the window."""

    def experiment(rounds: int) -> stim.Circuit:
        return without_resets(memory_circuit(distance=3, rounds=rounds, probability=0.01))

    def graph_of(circuit: stim.Circuit) -> DecodingGraph:
        return compile_graph(circuit.detector_error_model(decompose_errors=True))

    plan = sliding_window(graph_of(experiment(12)), window=5, commit=2)
    assert plan.reach == 2
    circuit = experiment(rounds - 1)
    records = simulate(
        "records_are_the_models", plan, StreamMap.build(plan, graph_of(circuit)),
        circuit.compile_detector_sampler(seed=12).sample(500 // rounds), passes=passes, correction=True,
        idle=0.0, pressure=0.0,
    )  # fmt: skip
    assert (records["observables"] != 0).any()


def test_committed_edges_still_relieve_their_partners():
    plan = sliding()
    stream, events = StreamMap.build(plan, surface(40)), sample(40, 12, 0.03)
    records = simulate(
        "records_are_the_models", plan, stream, events, passes=2, correction=True, idle=0.0, pressure=0.0
    )
    # These shots would show an engine that forgets.
    forgetful = dataclasses.replace(plan)
    vars(forgetful)["older"] = (NOWHERE,) * len(plan.edges)
    other, _ = EngineModel(forgetful, 2).decode(stream.layers(events))
    assert (records["observables"] != other["observables"]).any()
    assert (records["decode_cycles"] != other["decode_cycles"]).any()


@pytest.mark.parametrize(("passes", "deadline"), [(1, 5), (1, 9), (2, 14), (2, 24), (3, 40)])
def test_deadline_of_whole_shots(passes, deadline):
    plan, stream = whole()
    records = simulate(
        "records_are_the_models", plan, stream, sample(3, 90, 0.005),
        passes=passes, deadline=deadline, hard_above=2, idle=0.0, pressure=0.0,
    )  # fmt: skip
    late = records["flags"] & LATE != 0
    assert 0 < late.sum() < len(records)
    # An act and a merge may lie between the deadline and the last look, and relief is not cut short.
    assert (records["decode_cycles"] <= deadline + 4 + plan.levels).all()
    assert ((records["flags"] & HARD != 0) == (records["hardness"] > 2)).all()


@pytest.mark.parametrize(
    ("passes", "correction", "deadline"), [(1, False, 12), (2, False, 30), (2, True, 30)]
)
def test_deadline_of_sliding_windows(passes, correction, deadline):
    plan = sliding()
    stream = StreamMap.build(plan, surface(11))
    records = simulate(
        "records_are_the_models", plan, stream, sample(11, 18, 0.01),
        passes=passes, correction=correction, deadline=deadline, idle=0.0, pressure=0.0,
    )  # fmt: skip
    late = records["flags"] & LATE != 0
    assert 0 < late.sum() < len(records)


@cocotb.test()
async def an_overload_stalls_and_loses_nothing(dut) -> None:
    """Nobody takes records: rounds fill window and queue, then wait outside; all come out when the reader returns."""
    p = parameters()
    await start(dut, p)
    driver, monitor = StreamDriver(dut, "sink"), StreamMonitor(dut, "source")
    cocotb.start_soon(driver.put(p["words"]))
    for _ in range(600):
        await RisingEdge(dut.sys_clk)
    assert int(dut.backlog.value) == int(dut.backlog_max.value) == p["queue_rounds"]
    assert int(dut.status_stalled.value)
    assert int(dut.stalled_round.value) == int(dut.rounds_in.value)
    assert int(dut.windows.value) == 1
    got = await get(monitor, p, len(p["expected"]))
    compare(got, p["expected"])
    waited = RESULT.parse(got)["waited"]
    assert waited[0] == 0
    assert waited.max() > 500
    stalled = int(dut.stalled_round.value)
    assert int(dut.rounds_in.value) * p["words_per_round"] == len(p["words"])
    await write(dut, "control", mode(p) | RESTART)
    await RisingEdge(dut.sys_clk)
    assert (int(dut.status_stalled.value), int(dut.backlog_max.value), int(dut.rounds_in.value)) == (0, 0, 0)
    # A restart empties a queue that is full.
    cocotb.start_soon(driver.put(p["words"][: p["words_per_round"] * (p["layers"] + 4)]))
    for _ in range(200):
        await RisingEdge(dut.sys_clk)
    assert int(dut.backlog.value) > 0
    await write(dut, "control", mode(p) | RESTART)
    await get(monitor, p, 1)
    await quiet(dut)
    assert (int(dut.backlog.value), int(dut.rounds_in.value)) == (0, 0)
    # The window and the queue were full when the first round was refused.
    assert stalled == p["layers"] + p["queue_rounds"] + p["drawn"]


def test_overload():
    plan = sliding()
    stream = StreamMap.build(plan, surface(30))
    # The first window settles one or two layers, and as many more rounds are drawn before the second waits.
    drawn = plan.schedule(31)[0].commit - 1
    simulate(
        "an_overload_stalls_and_loses_nothing", plan, stream, sample(30, 3),
        queue_rounds=8, layers=plan.num_layers, drawn=drawn,
    )  # fmt: skip


@cocotb.test()
async def without_a_table_nothing_is_predicted(dut) -> None:
    p = parameters()
    table, crc = p.pop("table"), p["crc"]
    await start(dut, p)
    driver, monitor = StreamDriver(dut, "sink"), StreamMonitor(dut, "source")
    shot = p["words"][: len(p["words"]) // len(p["expected"])]
    await driver.put(shot)
    (record,) = RESULT.parse(await get(monitor, p, 1))
    assert record["flags"] & UNTRUSTED
    assert (record["observables"], record["frame"], record["tables"]) == (0, 0, 0)
    # A table that fails its check leaves that as it is, and does not hold the next shot up.
    await load(dut, table, crc ^ 1, mode(p))
    await driver.put(shot)
    (record,) = RESULT.parse(await get(monitor, p, 1))
    assert record["flags"] & UNTRUSTED
    await load(dut, table, crc, mode(p))
    await write(dut, "control", mode(p) | RESTART)
    cocotb.start_soon(driver.put(p["words"]))
    compare(await get(monitor, p, len(p["expected"])), p["expected"])


def test_without_a_table():
    plan, stream = whole()
    events = sample(3, 50, 0.02)
    events[0] = sample(3, 1, 0.05)[0]
    simulate("without_a_table_nothing_is_predicted", plan, stream, events)


@cocotb.test()
async def tables_change_between_shots(dut) -> None:
    """In the middle of a shot a table is written, checked and asked for: the shot ends with what it began with."""
    p = parameters()
    await start(dut, p)
    driver, monitor = (
        StreamDriver(dut, "sink", pause=0.3, seed=4),
        StreamMonitor(dut, "source", pause=0.3, seed=5),
    )
    shots, windows = p["shots"], len(p["expected"]) // p["shots"]
    size = len(p["words"]) // shots
    tables = [(p["table"], p["crc"], p["expected"]), (p["other"], p["other_crc"], p["other_expected"])]
    for shot in range(shots):
        words = p["words"][shot * size : (shot + 1) * size]
        table, crc, _ = tables[(shot + 1) % 2]
        cut = 1 + shot * 3 % (size - 1)
        await driver.put(words[:cut])
        await load(dut, table, crc, mode(p))
        for _ in range(40):  # rounds that come later find the table waiting
            await RisingEdge(dut.sys_clk)
        assert int(dut.table_active.value) == tables[shot % 2][1]
        cocotb.start_soon(driver.put(words[cut:]))
        compare(
            await get(monitor, p, windows), tables[shot % 2][2][shot * windows : (shot + 1) * windows], shot
        )
        await quiet(dut)
        assert int(dut.table_active.value) == crc


@pytest.mark.parametrize(("kind", "passes"), [("whole", 1), ("sliding", 2)])
def test_tables_change(kind, passes):
    plan, stream = whole() if kind == "whole" else (sliding(), StreamMap.build(sliding(), surface(11)))
    rounds = 3 if kind == "whole" else 11
    weights = np.maximum(plan.weights // 2, 1).astype(np.uint16)
    other = dataclasses.replace(plan, weights=weights)
    events = sample(rounds, 10, 0.03)
    _, expected = expectation(other, stream.layers(events), passes=passes, correction=False)
    simulate(
        "tables_change_between_shots", plan, stream, events, passes=passes, shots=len(events),
        other=other.table.tolist(), other_crc=other.table_crc, other_expected=expected,
    )  # fmt: skip


@cocotb.test()
async def latency_is_counted_from_the_last_word(dut) -> None:
    """The record's figure is what a counter beside the engine sees."""
    p = parameters()
    await start(dut, p)
    driver, monitor = StreamDriver(dut, "sink"), StreamMonitor(dut, "source")
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
    (record,) = RESULT.parse(await get(monitor, p, 1))
    # The record is registered when the observables are valid; its first word is offered two cycles later.
    assert record["decode_cycles"] == offered - 2
    assert record["waited"] == 0


@pytest.mark.parametrize("passes", [1, 2])
def test_latency(passes):
    plan, stream = whole()
    events = sample(3, 1, 0.05)
    assert events.any()
    simulate("latency_is_counted_from_the_last_word", plan, stream, events, passes=passes)


def test_an_empty_shot_takes_two_cycles():
    plan, stream = whole()
    records, _ = EngineModel(plan).decode(np.zeros((1, stream.num_layers, stream.width), dtype=bool))
    assert records["decode_cycles"][0] == UnionFindArray.LATENCY_EMPTY == 2


def test_records_stay_below_the_bound():
    plan, stream = whole()
    rng = np.random.default_rng(5)
    for passes in (1, 2, 3):
        records, _ = EngineModel(plan, passes).decode(
            rng.random((300, stream.num_layers, stream.width)) < 0.4
        )
        assert records["decode_cycles"].max() <= window_bound(plan, passes)


def test_a_worst_case_beyond_the_record_is_refused():
    circuit = stim.Circuit.generated(
        "repetition_code:memory", distance=31, rounds=100,
        before_round_data_depolarization=0.01, before_measure_flip_probability=0.01,
    )  # fmt: skip
    with pytest.raises(ValueError, match="does not fit the result record"):
        DecodeEngine(whole_window(compile_graph(circuit.detector_error_model(decompose_errors=True))))
