# SPDX-License-Identifier: BSD-2-Clause
"""Syndrome formation under Verilator: every cycle as the model has it, every detection event as Stim has it."""

import os
import random
from pathlib import Path

import cocotb
import numpy as np
import pytest
import stim
from cocotb.triggers import ReadOnly, RisingEdge

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.table import MISMATCH, TRUSTED
from triplane.gateware.syndrome.compile import slots_by_qubit, syndrome_table
from triplane.gateware.syndrome.formation import DOUBLED, OVERRUN, TIMED_OUT, UNTRUSTED, SyndromeFormation
from triplane.gateware.syndrome.layouts import LAST_ROUND, LEAKED, round_record
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.models.syndrome.formation import Inputs, Outputs
from triplane.sim.syndrome.formation import (
    SETTINGS,
    FormationBench,
    FormationDriver,
    FormationShots,
    RoundPlayer,
    mask,
)


def without_reset(rounds: int) -> stim.Circuit:
    """A distance-3 repetition code whose ancillas are measured and left as they are: detectors reach back twice."""
    circuit = stim.Circuit("R 0 1 2 3 4\nX_ERROR(0.2) 0 2 4\nX 2")
    for r in range(rounds):
        circuit += stim.Circuit("X_ERROR(0.1) 0 2 4\nCX 0 1 2 3\nCX 2 1 4 3\nM(0.1) 1 3")
        for k in (1, 2):
            back = "".join(f" rec[-{k + 2 * j}]" for j in ([0] if r < 2 else [0, 2]))
            circuit += stim.Circuit(f"DETECTOR({2 - k}, {r}){back}")
    circuit += stim.Circuit("M 0 2 4")
    for k, (a, b) in enumerate(((3, 2), (2, 1))):
        ancilla = 5 - k
        # The ancillas hold the parity of all syndromes so far; two of them are one syndrome.
        circuit += stim.Circuit(
            f"DETECTOR({k}, {rounds}) rec[-{a}] rec[-{b}] rec[-{ancilla}] rec[-{ancilla + 2}]"
        )
    return circuit + stim.Circuit("OBSERVABLE_INCLUDE(0) rec[-1]")


def circuit_of(name: str) -> stim.Circuit:
    if name == "no_reset":
        return without_reset(5)
    task, distance = {
        "repetition": ("repetition_code:memory", 3),
        "surface_x3": ("surface_code:rotated_memory_x", 3),
        "surface_z3": ("surface_code:rotated_memory_z", 3),
        "surface_x5": ("surface_code:rotated_memory_x", 5),
        "surface_z5": ("surface_code:rotated_memory_z", 5),
        "repetition35": ("repetition_code:memory", 35),
    }[name]
    return stim.Circuit.generated(
        task,
        distance=distance,
        rounds=3,
        before_round_data_depolarization=0.1,
        before_measure_flip_probability=0.1,
    )


def sampled(name: str, shots: int, *, leaks: float = 0.0, seed: int = 3) -> FormationShots:
    """Shots of a circuit as Stim samples them; with leakage the words are left out."""
    circuit = circuit_of(name)
    layout = compile_graph(circuit.detector_error_model(decompose_errors=True))
    slots = slots_by_qubit(circuit)
    held = {slot for slot in slots if slots.count(slot) > 1} if leaks else ()
    table = syndrome_table(circuit, slots, layout, hold=held)
    measurements = circuit.compile_sampler(seed=seed).sample(shots)
    events = circuit.compile_m2d_converter().convert(measurements=measurements, append_observables=False)
    bits = table.by_round(measurements)
    rng = np.random.default_rng(seed)
    none = np.zeros((shots, table.shape.known), dtype=bool)
    return FormationShots(table, bits, rng.random(bits.shape) < leaks, none, layout.pack_events(events))


def recorded(name: str, shots: int) -> FormationShots:
    """Shots of Google's experiment."""
    folder = Path(os.environ["TRIPLANE_SYCAMORE"]) / name
    circuit = stim.Circuit.from_file(folder / "circuit_noisy.stim")
    layout = compile_graph(stim.DetectorErrorModel.from_file(folder / "circuit_detector_error_model.dem"))
    table = syndrome_table(circuit, slots_by_qubit(circuit), layout)

    def read(file: str, **count: int) -> np.ndarray:
        return stim.read_shot_data_file(path=folder / file, format="b8", **count)[:shots]

    bits = table.by_round(read("measurements.b8", num_measurements=circuit.num_measurements))
    events = read("detection_events.b8", num_detectors=circuit.num_detectors)
    sweep = read("sweep.b8", num_measurements=circuit.num_sweep_bits)
    return FormationShots(table, bits, np.zeros_like(bits), sweep, layout.pack_events(events))


def data_of(p: dict) -> FormationShots:
    if p["code"].startswith("surface_code_b"):
        return recorded(p["code"], p["shots"])
    return sampled(p["code"], p["shots"], leaks=p.get("leaks", 0.0))


async def started(dut, p: dict, **more: int) -> tuple[FormationDriver, FormationShots]:
    data = data_of(p)
    driver = FormationDriver(dut, data.table.shape, data.table.words(), **more)
    await driver.start()
    assert await driver.load(data.table.words(), data.table.crc()) == TRUSTED
    return driver, data


@cocotb.test()
async def events_are_stims(dut) -> None:
    """Shots with slots in any order, idle cycles, and a decoder that is not always ready; table after table."""
    p = parameters()
    shape = data_of(p["runs"][0]).table.shape
    for number, run in enumerate(p["runs"]):
        data = data_of(run)
        words = data.table.words(shape)
        driver = FormationDriver(dut, shape, words)
        if not number:
            await driver.start()
        assert await driver.load(words, data.table.crc(shape)) == TRUSTED
        await driver.cycle(Inputs(clear=1))
        await play(driver, data, run)


async def play(driver: FormationDriver, data: FormationShots, run: dict) -> None:
    idle, pressure = run.get("idle", 0.0), run.get("pressure", 0.0)
    player = RoundPlayer(data, driver.model, idle=idle, seed=1)
    chance = random.Random(2)
    measured, lost = [], 0
    while not player.done or driver.model.records:
        given = player.inputs()
        given.ready = int(chance.random() >= pressure)
        given.records_ready = int(chance.random() >= pressure)
        out = await driver.cycle(given)
        lost += out.record_lost
        if out.formed and driver.get("last_formed"):
            measured.append(out.observables)
    await driver.registers()
    assert driver.model.cause == 0
    if not run.get("leaks"):
        assert driver.words == data.words.ravel().tolist()
    assert driver.get("records_lost_status") == lost
    check_records(driver, data, lost, measured)


def check_records(driver: FormationDriver, data: FormationShots, lost: int, measured: list[int]) -> None:
    """What was measured, what leaked, what was made of it; gaps where there was no room."""
    record = round_record(driver.shape)
    read = record.parse(np.array(driver.records, dtype=np.uint32).reshape(-1, record.words))
    rounds = len(data.table.rounds)
    assert len(read) + lost == len(data.bits) * rounds
    formed = np.array(driver.words).reshape(len(data.bits), rounds, -1)
    for r in read:
        shot, number = int(r["shot"]), int(r["round"])
        kind = data.table.rounds[number]
        assert (int(r["sequence"]), int(r["kind"])) == (shot * rounds + number, kind)
        here = mask(s in data.table.kinds[kind].expected for s in range(data.table.shape.slots))
        last = number == rounds - 1
        leaked = mask(data.leaked[shot, number]) & here
        assert int(r["flags"]) == LAST_ROUND * last | LEAKED * bool(leaked)
        assert int(r["measured_0"]) == mask(data.bits[shot, number]) & here & 0xFFFFFFFF
        assert int(r["leaked_0"]) == leaked & 0xFFFFFFFF
        assert int(r["events_0"]) == formed[shot, number, 0]
        if last:
            assert int(r["observables"]) == measured[shot]


def simulate(testcase: str, code: str, **more) -> None:
    """Run `testcase` on hardware of just the shape that the code needs."""
    p = {"code": code, "shots": 20, **more}
    bench = FormationBench(data_of(p | {"shots": 1}).table.shape)
    run_cocotb(bench, bench.pins, __file__, "formation", p, testcase=testcase)


def crossed(code: str, shots: int) -> list[dict]:
    return [
        {"code": code, "shots": shots, "idle": idle, "pressure": pressure}
        for idle in (0.0, 0.6)
        for pressure in (0.0, 0.4)
    ]


RUNS = {
    "surface_x3": [
        *crossed("surface_x3", 20),
        {"code": "surface_z3", "shots": 30, "idle": 0.3},
        {"code": "repetition", "shots": 30, "idle": 0.3},
        {"code": "surface_x3", "shots": 40, "idle": 0.3, "leaks": 0.2},
    ],
    "no_reset": [
        *crossed("no_reset", 30),
        {"code": "no_reset", "shots": 60, "idle": 0.3, "leaks": 0.2},
    ],
    "surface_x5": [{"code": "surface_x5", "shots": 15}, {"code": "surface_z5", "shots": 15, "idle": 0.3}],
    "repetition35": [{"code": "repetition35", "shots": 15, "idle": 0.3, "pressure": 0.2}],
}


@pytest.mark.parametrize("code", list(RUNS))
def test_events(code):
    simulate("events_are_stims", code, runs=RUNS[code])


@pytest.mark.parametrize(
    ("code", "shots"),
    [("surface_code_bX_d3_r05_center_3_5", 200), ("surface_code_bX_d5_r05_center_5_5", 100)],
)
def test_recorded_shots(code, shots, published_data, monkeypatch):
    monkeypatch.setenv("TRIPLANE_SYCAMORE", str(published_data("google_sycamore_2022")))
    simulate("events_are_stims", code, runs=[{"code": code, "shots": shots}])


@cocotb.test()
async def latency_is_counted_from_the_last_slot(dut) -> None:
    p = parameters()
    driver, data = await started(dut, p)
    kind = data.table.rounds[0]
    expected = mask(s in data.table.kinds[kind].expected for s in range(data.table.shape.slots))
    last = expected & -expected
    await driver.cycle(Inputs(arm=1, kind=kind))
    await driver.cycle(Inputs(valid=expected & ~last))
    for _ in range(5):
        assert (await driver.cycle(Inputs())).word is None
    cycles = 0
    out = await driver.cycle(Inputs(valid=last))
    while out.word is None:
        out = await driver.cycle(Inputs())
        cycles += 1
    assert cycles == SyndromeFormation.LATENCY <= 3
    for k in range(1, data.table.shape.words_per_round):
        word = (await driver.cycle(Inputs())).word
        assert word is not None, f"word {k} does not follow at once"
    assert len(driver.words) == data.table.shape.words_per_round


@pytest.mark.parametrize("code", ["surface_x3", "repetition35"])
def test_latency(code):
    simulate("latency_is_counted_from_the_last_slot", code)


@cocotb.test()
async def anything_goes_as_in_the_model(dut) -> None:
    """Wrong kinds, rounds armed too early, slots twice or never or uncalled for: the same faults in the same cycle."""
    p = parameters()
    driver, data = await started(dut, p, timeout=12)
    chance = random.Random(p["seed"])
    causes = set()
    everything = (1 << data.table.shape.slots) - 1
    for _ in range(60):
        player = RoundPlayer(data, driver.model, idle=0.3, seed=chance.randrange(2**32))
        for _ in range(chance.randrange(150)):
            given = player.inputs()
            given.ready, given.records_ready = int(chance.random() < 0.6), int(chance.random() < 0.5)
            kind = chance.randrange(40)
            if kind == 0:
                given.valid |= chance.randrange(everything + 1)
            elif kind == 1:
                given.valid &= chance.randrange(everything + 1)
            elif kind == 2 and chance.random() < 0.3:
                given.arm, given.kind = 1, chance.randrange(data.table.shape.kinds)
            await driver.cycle(given)
        await driver.registers()
        causes.add(driver.model.cause)
        await driver.cycle(Inputs(clear=1, arm=chance.randrange(2), valid=chance.randrange(everything)))
        await driver.registers()
        driver.words.clear()
    assert causes == {0, UNTRUSTED, OVERRUN, DOUBLED, TIMED_OUT}


def test_faults():
    simulate("anything_goes_as_in_the_model", "surface_x3", seed=1)


@cocotb.test()
async def faults_name_their_place(dut) -> None:
    """The round, the shot, the slot and the cycle of each; what was complete goes out, nothing after it does."""
    p = parameters()
    driver, data = await started(dut, p, timeout=20)
    first, again = data.table.rounds[0], data.table.rounds[1]
    slots = [
        mask(s in data.table.kinds[k].expected for s in range(data.table.shape.slots)) for k in (first, again)
    ]

    async def a_round(kind: int, **more: int) -> None:
        await driver.cycle(Inputs(arm=1, kind=kind, **more))
        await driver.cycle(Inputs(valid=slots[kind == again], **more))

    # Slot 2 does not come. The round before it goes out, one armed later does not begin.
    await a_round(first)
    await driver.cycle(Inputs(arm=1, kind=again))
    opened = driver.model.now
    await driver.cycle(Inputs(valid=slots[1] & ~0b100))
    out = Outputs()
    while not out.timed_out:
        out = await driver.cycle(Inputs())
    assert driver.model.now - 1 - opened == 20
    await driver.cycle(Inputs(arm=1, kind=again))
    await driver.cycle(Inputs(valid=0b100))
    await driver.registers()
    found = [driver.get(n) for n in ("cause", "fault_shot_status", "fault_round_status", "fault_slot_status")]
    assert found == [TIMED_OUT, 0, 1, 2]
    assert len(driver.words) == 1
    await driver.cycle(Inputs(clear=1))

    # Slot 1 comes twice, in the second shot
    await a_round(first, last=1)
    await driver.cycle(Inputs(arm=1, kind=first))
    await driver.cycle(Inputs(valid=0b10))
    assert (await driver.cycle(Inputs(valid=0b11))).doubled
    await driver.registers()
    found = [driver.get(n) for n in ("cause", "fault_shot_status", "fault_round_status", "fault_slot_status")]
    assert found == [DOUBLED, 1, 0, 1]
    await driver.cycle(Inputs(clear=1))

    # The decoder does not take anything: one more round than the queue holds waits, and is not lost.
    driver.words.clear()
    held = 0
    for _ in range(SETTINGS["queue_rounds"] + 1):
        await driver.cycle(Inputs(arm=1, kind=first, ready=0))
        held += (await driver.cycle(Inputs(valid=slots[0], ready=0))).held_up
    for _ in range(3):
        held += (await driver.cycle(Inputs(ready=0))).held_up
    assert held == driver.get("held_up_status") == 1
    for _ in range(6):
        await driver.cycle(Inputs())
    assert len(driver.words) == SETTINGS["queue_rounds"] + 1
    assert not driver.get("cause")
    assert not driver.get("busy")


def test_faults_name_their_place():
    simulate("faults_name_their_place", "surface_x3")


@cocotb.test()
async def only_trusted_tables_form_rounds(dut) -> None:
    p = parameters()
    data = data_of(p)
    words, crc = data.table.words(), data.table.crc()
    driver = FormationDriver(dut, data.table.shape, words)
    await driver.start()

    async def refused() -> bool:
        driver.put(arm=1, round_kind=0)
        await ReadOnly()
        pulse = driver.get("untrusted")
        await RisingEdge(dut.sys_clk)
        driver.put(arm=0, clear=1)
        await ReadOnly()
        assert driver.get("stopped") == pulse
        await RisingEdge(dut.sys_clk)
        driver.put(clear=0)
        return bool(pulse)

    assert await refused()
    assert await driver.load(words, crc ^ 1) == MISMATCH
    assert driver.checked == p["check_cycles"]
    assert driver.get("table_found_status") == crc
    assert await refused()
    assert await driver.load(words, crc) == TRUSTED
    assert not await refused()

    # A table that is rewritten under an open round stops it.
    driver.put(arm=1, round_kind=0)
    await RisingEdge(dut.sys_clk)
    driver.put(arm=0)
    await driver.write("table_index", 0)
    await driver.write("table_data", int(words[0]))
    await ReadOnly()
    assert driver.get("untrusted")
    await RisingEdge(dut.sys_clk)
    await RisingEdge(dut.sys_clk)
    assert driver.get("cause") == UNTRUSTED


def test_tables():
    shape = data_of({"code": "surface_x3", "shots": 1}).table.shape
    simulate(
        "only_trusted_tables_form_rounds", "surface_x3",
        check_cycles=SyndromeFormation(shape).check_cycles,
    )  # fmt: skip


def test_parameters_are_checked():
    shape = SyndromeShape(slots=2, events=2)
    with pytest.raises(ValueError, match="at least 1 round must be armed at a time, not 0"):
        SyndromeFormation(shape, ahead=0)
    with pytest.raises(ValueError, match="at least 1 round must have a place, not 0"):
        SyndromeFormation(shape, queue_rounds=0)
    with pytest.raises(ValueError, match="at least 2 records must have room, not 1"):
        SyndromeFormation(shape, records=1)
    with pytest.raises(ValueError, match="kinds must be a power of two, not 3"):
        SyndromeShape(slots=2, events=2, kinds=3)
    with pytest.raises(ValueError, match="kept must be 0 to 2, not 3"):
        SyndromeShape(slots=2, events=2, kept=3)
