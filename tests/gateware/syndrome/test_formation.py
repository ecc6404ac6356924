# SPDX-License-Identifier: BSD-2-Clause
"""Syndrome formation under Verilator: every cycle as the model has it, every detection event as Stim has it."""

import os
import random
from dataclasses import dataclass
from pathlib import Path

import cocotb
import numpy as np
import pytest
import stim
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.table import CHECKING, MISMATCH, TRUSTED
from triplane.gateware.syndrome.compile import slots_by_qubit, syndrome_table
from triplane.gateware.syndrome.formation import DOUBLED, OVERRUN, TIMED_OUT, UNTRUSTED, SyndromeFormation
from triplane.gateware.syndrome.layouts import LAST_ROUND, LEAKED, round_record
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.gateware.syndrome.table import SyndromeTable
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.models.syndrome.formation import FormationModel, Inputs, Outputs
from triplane.sim.streams import start_clock

PULSES = ("formed", "untrusted", "overrun", "doubled", "timed_out", "held_up", "record_lost", "stopped")
INPUTS = ("valid", "bit", "leaked", "arm", "round_kind", "last", "known", "now", "clear")
STATUSES = (
    "fault_round", "fault_shot", "fault_slot", "rounds", "shots", "held_up", "backlog_max", "stray",
    "records_lost", "table_found",
)  # fmt: skip
SETTINGS = {"ahead": 3, "queue_rounds": 2, "records": 2}
"""Small, so that all of them fill up."""


class Bench(LiteXModule):
    """Formation whose registers are pins."""

    def __init__(self, shape: SyndromeShape) -> None:
        self.core = core = SyndromeFormation(shape, **SETTINGS)
        core._control.finalize(32, "big")  # its bank would do this
        self.submodules += core._control
        pins = {name: getattr(core, name) for name in (*INPUTS, *PULSES, "observables", "last_formed")}
        pins |= {f"{name}_status": getattr(core, f"_{name}").status for name in STATUSES}
        for name in ("table_index", "table_data", "table_crc"):
            pins |= {name: getattr(core, f"_{name}").storage, f"{name}_re": getattr(core, f"_{name}").re}
        pins["timeout"] = core._timeout.storage
        pins |= {name: getattr(core._status.fields, name) for name in ("table", "cause", "busy")}
        for name, signal in pins.items():
            signal.name_override = f"pin_{name}"
        self.pins = set(pins.values()) | endpoint_ios(core.source, "source")
        self.pins |= endpoint_ios(core.records, "records")


@dataclass
class Data:
    """Shots to be fed, and what must come of them."""

    table: SyndromeTable
    bits: np.ndarray
    leaked: np.ndarray
    known: np.ndarray
    words: np.ndarray


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


def sampled(name: str, shots: int, *, leaks: float = 0.0, seed: int = 3) -> Data:
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
    return Data(table, bits, rng.random(bits.shape) < leaks, none, layout.pack_events(events))


def recorded(name: str, shots: int) -> Data:
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
    return Data(table, bits, np.zeros_like(bits), sweep, layout.pack_events(events))


def data_of(p: dict) -> Data:
    if p["code"].startswith("surface_code_b"):
        return recorded(p["code"], p["shots"])
    return sampled(p["code"], p["shots"], leaks=p.get("leaks", 0.0))


def mask(bits) -> int:
    return sum(1 << k for k, bit in enumerate(bits) if bit)


class Player:
    """Arms rounds and delivers their slots in any order, as early as they may come."""

    def __init__(self, data: Data, model: FormationModel, *, idle: float, seed: int) -> None:
        self.data, self.model, self.idle = data, model, idle
        self.random = random.Random(seed)
        kinds = data.table.rounds
        self.rounds = [(shot, r, kind) for shot in range(len(data.bits)) for r, kind in enumerate(kinds)]
        self.armed: list[tuple[int, int, int, set[int]]] = []  # number, shot, round, slots to come
        self.at = 0

    @property
    def done(self) -> bool:
        return self.at == len(self.rounds) and not self.model.armed and not self.model.queue

    def inputs(self) -> Inputs:
        given = Inputs()
        model, chance = self.model, self.random
        oldest = self.at - len(model.armed)  # rounds before it have left
        blocked = set()
        for number, shot, r, slots in self.armed:
            if number >= oldest:
                for slot in sorted(slots - blocked):
                    if chance.random() >= self.idle:
                        given.valid |= 1 << slot
                        given.bit |= int(self.data.bits[shot, r, slot]) << slot
                        given.leaked |= int(self.data.leaked[shot, r, slot]) << slot
                        slots.discard(slot)
                blocked |= self.data.table.kinds[self.data.table.rounds[r]].expected
        self.armed = [entry for entry in self.armed if entry[0] >= oldest]
        if self.at < len(self.rounds) and len(model.armed) < model.ahead and chance.random() >= self.idle:
            shot, r, kind = self.rounds[self.at]
            given.arm, given.kind, given.last = 1, kind, int(r == len(self.data.table.rounds) - 1)
            given.known = mask(self.data.known[shot])
            expected = self.data.table.kinds[kind].expected
            self.armed.append((self.at, shot, r, set(expected)))
            self.at += 1
        return given


class Driver:
    """The pins, and the model beside them."""

    def __init__(self, dut, shape: SyndromeShape, words, *, timeout: int = 2**24 - 1) -> None:
        self.dut, self.shape = dut, shape
        self.model = FormationModel(shape, words, timeout=timeout, **SETTINGS)
        self.timeout = timeout
        self.words: list[int] = []
        self.records: list[int] = []

    def put(self, **values: int) -> None:
        for name, value in values.items():
            getattr(self.dut, f"pin_{name}").value = value

    def get(self, name: str) -> int:
        return int(getattr(self.dut, f"pin_{name}").value)

    def offered(self, prefix: str) -> tuple[int, int, int] | None:
        if not int(getattr(self.dut, f"{prefix}_valid").value):
            return None
        return tuple(int(getattr(self.dut, f"{prefix}_{name}").value) for name in ("data", "first", "last"))

    async def start(self) -> None:
        self.put(**dict.fromkeys(INPUTS, 0), timeout=self.timeout)
        for name in ("table_index", "table_data", "table_crc"):
            self.put(**{name: 0, f"{name}_re": 0})
        self.dut.source_ready.value = self.dut.records_ready.value = 0
        await start_clock(self.dut)

    async def write(self, name: str, *values: int) -> None:
        for value in values:
            self.put(**{name: value, f"{name}_re": 1})
            await RisingEdge(self.dut.sys_clk)
        self.put(**{f"{name}_re": 0})

    async def load(self, words, crc: int) -> int:
        """Write a table and have it checked: its state, and the cycles of the check in `checked`."""
        await self.write("table_index", 0)
        await self.write("table_data", *(int(word) for word in words))
        await self.write("table_crc", crc)
        self.checked = 0
        while True:
            await RisingEdge(self.dut.sys_clk)
            if self.get("table") != CHECKING:
                return self.get("table")
            self.checked += 1

    async def cycle(self, given: Inputs) -> Outputs:
        """A cycle; whatever the model says of it must be on the pins."""
        self.put(
            valid=given.valid, bit=given.bit, leaked=given.leaked, arm=given.arm, round_kind=given.kind,
            last=given.last, known=given.known, clear=given.clear, now=self.model.now,
        )  # fmt: skip
        self.dut.source_ready.value = given.ready
        self.dut.records_ready.value = given.records_ready
        await ReadOnly()
        now = self.model.now
        expected = self.model.step(given)
        for name in PULSES:
            assert self.get(name) == getattr(expected, name), f"{name} in cycle {now}"
        if expected.formed:
            assert self.get("observables") == expected.observables, f"cycle {now}"
        for prefix, word, taken, ready in (
            ("source", expected.word, self.words, given.ready),
            ("records", expected.record, self.records, given.records_ready),
        ):
            assert self.offered(prefix) == word, f"{prefix} in cycle {now}"
            if word and ready:
                taken.append(word[0])
        await RisingEdge(self.dut.sys_clk)
        return expected

    async def registers(self) -> None:
        """The model's registers are the hardware's, when all has settled."""
        model, quiet = self.model, 0
        while quiet < 3:
            before = (model.cause, model.rounds, model.backlog_max, model.stray)
            await self.cycle(Inputs(ready=0, records_ready=0))
            quiet = quiet + 1 if before == (model.cause, model.rounds, model.backlog_max, model.stray) else 0
        for name in ("fault_round", "fault_shot", "fault_slot", "rounds", "stray", "backlog_max"):
            assert self.get(f"{name}_status") == getattr(model, name), name
        assert (self.get("cause"), self.get("shots_status")) == (model.cause, model.shot)


async def started(dut, p: dict, **more: int) -> tuple[Driver, Data]:
    data = data_of(p)
    driver = Driver(dut, data.table.shape, data.table.words(), **more)
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
        driver = Driver(dut, shape, words)
        if not number:
            await driver.start()
        assert await driver.load(words, data.table.crc(shape)) == TRUSTED
        await driver.cycle(Inputs(clear=1))
        await play(driver, data, run)


async def play(driver: Driver, data: Data, run: dict) -> None:
    idle, pressure = run.get("idle", 0.0), run.get("pressure", 0.0)
    player = Player(data, driver.model, idle=idle, seed=1)
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


def check_records(driver: Driver, data: Data, lost: int, measured: list[int]) -> None:
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
    bench = Bench(data_of(p | {"shots": 1}).table.shape)
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
        player = Player(data, driver.model, idle=0.3, seed=chance.randrange(2**32))
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
    driver = Driver(dut, data.table.shape, words)
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
