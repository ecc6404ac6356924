# SPDX-License-Identifier: BSD-2-Clause
"""The Pauli frame under Verilator: Stim's conjugation for all frames, and every cycle as the model has it."""

import itertools
import random

import cocotb
import pytest
import stim
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule

from triplane.gateware.decoder.table import table_crc
from triplane.gateware.frame.layouts import NO_BASIS, X_BASIS, Y_BASIS, Z_BASIS, Operation
from triplane.gateware.frame.pauli import PauliFrame
from triplane.gateware.frame.rows import CorrectionRows
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.models.frame.pauli import PauliFrameModel, correction_table
from triplane.sim.streams import start_clock

INPUTS = ("execute", "operation", "first", "second", "flipped", "flips", "bit", "raw", "clear")
OUTPUTS = ("reinterpreted", "corrected", "x", "z", "logical", "settled", "refused")
SIZES = {
    "two": {"slot_qubits": [0, 1], "qubits": 2},
    "five": {
        "slot_qubits": [4, 0, None, 2, 2, 1], "qubits": 5, "observables": 3, "entries": 64,
    },
    "wide": {"slot_qubits": list(range(17)), "qubits": 17, "observables": 1, "entries": 128},
}  # fmt: skip


class Bench(LiteXModule):
    """A frame whose registers are pins."""

    def __init__(self, size: str) -> None:
        self.frame = frame = PauliFrame(**SIZES[size])
        for register in (frame._control, frame._basis):
            register.finalize(32, "big")  # its bank would do this
            self.submodules += register
        (basis,) = frame._basis.simple_csrs
        pins = {name: getattr(frame, name) for name in INPUTS + OUTPUTS}
        pins |= {"basis": basis.r, "basis_re": basis.re, "refused_count": frame._refused.status}
        if frame.rows:
            for name in ("table_index", "table_data", "table_crc"):
                register = getattr(frame.rows, f"_{name}")
                pins |= {name: register.storage, f"{name}_re": register.re}
            pins |= {"trusted": frame.rows._status.fields.trusted, "dropped": frame.rows._dropped.status}
        for name, signal in pins.items():
            signal.name_override = f"pin_{name}"
        self.pins = set(pins.values())
        if frame.rows:
            self.pins |= endpoint_ios(frame.rows.sink, "sink")


def rows_of(size: str) -> list[tuple[int, int, int]]:
    """A row for each observable and for edges, fewer than there is room for."""
    given, chance = SIZES[size], random.Random(size)
    qubits, observables = given["qubits"], given.get("observables", 1)
    count = given.get("entries", 0) - 8
    return [
        (chance.getrandbits(qubits), chance.getrandbits(qubits), chance.getrandbits(observables))
        for _ in range(count)
    ]


class Driver:
    """The pins, and the model beside them."""

    def __init__(self, dut, size: str) -> None:
        self.dut, self.given = dut, SIZES[size]
        self.rows = rows_of(size) if "entries" in self.given else None
        self.model = PauliFrameModel(**{**self.given, "rows": self.rows})

    def put(self, **values: int) -> None:
        for name, value in values.items():
            getattr(self.dut, f"pin_{name}").value = value

    def get(self, name: str) -> int:
        return int(getattr(self.dut, f"pin_{name}").value)

    async def start(self) -> None:
        self.put(**dict.fromkeys(INPUTS, 0), basis=0, basis_re=0)
        if self.rows is not None:
            for name in ("table_index", "table_data", "table_crc"):
                self.put(**{name: 0, f"{name}_re": 0})
            self.dut.sink_valid.value = 0
        await start_clock(self.dut)

    async def load(self, *, spoilt: bool = False) -> bool:
        words = correction_table(
            self.rows, self.given["qubits"], self.given.get("observables", 1), self.given["entries"]
        )
        for name, values in (
            ("table_index", [0]),
            ("table_data", words.tolist()),
            ("table_crc", [table_crc(words) ^ spoilt]),
        ):
            for value in values:
                self.put(**{name: value, f"{name}_re": 1})
                await RisingEdge(self.dut.sys_clk)
            self.put(**{f"{name}_re": 0})
        for _ in range(len(words) + 5):
            await RisingEdge(self.dut.sys_clk)
        return bool(self.get("trusted"))

    async def set_basis(self, slot: int, basis: int) -> None:
        self.put(basis=slot | basis << 16, basis_re=1)
        await RisingEdge(self.dut.sys_clk)
        self.put(basis_re=0)
        await RisingEdge(self.dut.sys_clk)
        await RisingEdge(self.dut.sys_clk)
        self.model.bases[slot] = basis

    async def cycle(
        self,
        execute: tuple[int, int, int] | None = None,
        *,
        flips: int | None = None,
        word: tuple[int, bool] | None = None,
        bits: int = 0,
        raw: int = 0,
        clear: bool = False,
    ) -> bool:
        """A cycle; all that the model has must be on the pins. Whether the word was taken."""
        operation, first, second = execute or (0, 0, 0)
        self.put(execute=int(execute is not None), operation=operation, first=first, second=second)
        self.put(flipped=int(flips is not None), flips=flips or 0, bit=bits, raw=raw, clear=int(clear))
        model = self.model
        if self.rows is not None:
            self.dut.sink_valid.value = int(word is not None)
            self.dut.sink_data.value, self.dut.sink_first.value = word or (0, 0)
        await ReadOnly()
        assert (self.get("x"), self.get("z"), self.get("logical")) == (model.x, model.z, model.logical)
        assert self.get("reinterpreted") == model.reinterpreted(bits)
        assert self.get("corrected") == model.corrected(raw)
        assert self.get("refused") == model.refused
        taken = False
        if self.rows is not None:
            assert int(self.dut.sink_ready.value) == (model.word_ready and not clear)
            taken = word is not None and bool(int(self.dut.sink_ready.value))
        model.step(execute=execute, flips=flips, word=word, clear=clear)
        await RisingEdge(self.dut.sys_clk)
        return taken


@cocotb.test()
async def gates_conjugate_as_stim_has_it(dut) -> None:
    """Every Pauli of two qubits under every gate in either direction."""
    driver = Driver(dut, "two")
    await driver.start()
    paulis = (None, Operation.X, Operation.Z, Operation.Y)
    for gate in (Operation.H, Operation.S, Operation.CX, Operation.CZ):
        for (a, b), x, z in itertools.product([(0, 1), (1, 0)], range(4), range(4)):
            await driver.cycle(clear=True)
            for q in (0, 1):
                pauli = paulis[(x >> q & 1) | (z >> q & 1) << 1]
                if pauli is not None:
                    await driver.cycle((pauli, q, 0))
            await driver.cycle((gate, a, b))
            await driver.cycle()
            await ReadOnly()
            letters = "".join("IXZY"[(x >> q & 1) | (z >> q & 1) << 1] for q in (0, 1))
            circuit = stim.Circuit()
            circuit.append(gate.name, [a, b] if gate in (Operation.CX, Operation.CZ) else [a])
            xs, zs = stim.PauliString(letters).after(circuit).to_numpy()
            found = [[driver.get(name) >> q & 1 for q in (0, 1)] for name in ("x", "z")]
            assert found == [xs.astype(int).tolist(), zs.astype(int).tolist()], (
                f"{gate.name} {a} {b} {letters}"
            )
            await RisingEdge(dut.sys_clk)
            driver.model.step()


def test_gates():
    simulate("gates_conjugate_as_stim_has_it", "two")


@cocotb.test()
async def every_cycle_is_the_models(dut) -> None:
    """Operations, flips, words of corrections, bases and restarts, all at once, among them some that are refused."""
    p = parameters()
    driver = Driver(dut, p["size"])
    chance = random.Random(p["seed"])
    await driver.start()
    given = driver.given
    qubits, observables, slots = given["qubits"], given.get("observables", 1), len(given["slot_qubits"])
    if driver.rows is not None:
        assert not await driver.load(spoilt=True)
        assert await driver.load()
    width = max(qubits, observables, 2).bit_length() if qubits & (qubits - 1) else 1
    word, at = None, 0
    for _ in range(p["cycles"]):
        execute = None
        if chance.random() < 0.7:
            limit = min(1 << width, 2 * qubits)
            execute = (chance.randrange(12), chance.randrange(limit), chance.randrange(limit))
        flips = chance.getrandbits(observables) if chance.random() < 0.1 else None
        if driver.rows is not None and word is None and chance.random() < 0.2:
            bits = sum(1 << k for k in range(32) if chance.random() < chance.choice([0.0, 0.1]))
            first = at == 0 or chance.random() < 0.3
            at = 1 if first else at + 1
            word = (bits, first)
        if await driver.cycle(
            execute, flips=flips, word=word, bits=chance.getrandbits(slots),
            raw=chance.getrandbits(observables), clear=chance.random() < 0.01,
        ):  # fmt: skip
            word = None
        if chance.random() < 0.02:
            while word is not None:
                if await driver.cycle(word=word):
                    word = None
            for _ in range(80):
                await driver.cycle()
            assert driver.get("settled")
            await driver.set_basis(
                chance.randrange(slots), chance.choice([NO_BASIS, Z_BASIS, X_BASIS, Y_BASIS])
            )
            assert driver.get("refused_count") == driver.model.refused_count
            if driver.rows is not None:
                assert driver.get("dropped") == driver.model.dropped


@pytest.mark.parametrize("size", ["two", "five", "wide"])
def test_cycles(size):
    simulate("every_cycle_is_the_models", size, seed=5, cycles=3000)


@cocotb.test()
async def latencies_are_counted(dut) -> None:
    driver = Driver(dut, "five")
    await driver.start()
    assert await driver.load()

    async def until(what, **given) -> int:
        """Cycles from a cycle with these inputs to the first in which `what` has changed."""
        before = what()
        await driver.cycle(**given)
        cycles = 0  # what is read after a cycle is what there was in it
        while what() == before:
            await driver.cycle()
            cycles += 1
        return cycles

    def state() -> tuple[int, int]:
        return driver.get("x"), driver.get("z")

    assert await until(state, execute=(Operation.X, 2, 0)) == PauliFrame.GATE_LATENCY
    assert await until(lambda: driver.get("logical"), flips=0b001) == PauliFrame.FLIP_LATENCY
    for _ in range(10):
        await driver.cycle()
    assert await until(state, word=(1 << 3, True)) == CorrectionRows.LATENCY


def test_latency():
    simulate("latencies_are_counted", "five")


@cocotb.test()
async def nothing_is_taken_from_a_wrong_table(dut) -> None:
    driver = Driver(dut, "five")
    await driver.start()
    assert not await driver.load(spoilt=True)
    driver.put(flipped=1, flips=0b101)
    await RisingEdge(dut.sys_clk)
    driver.put(flipped=0)
    for _ in range(8):
        await RisingEdge(dut.sys_clk)
    assert (driver.get("x"), driver.get("z"), driver.get("logical")) == (0, 0, 0b101)
    assert driver.get("dropped") == 2
    assert driver.get("settled")


def test_wrong_tables():
    simulate("nothing_is_taken_from_a_wrong_table", "five")


def simulate(testcase: str, size: str, **more: int) -> None:
    """Run a test on a frame."""
    bench = Bench(size)
    run_cocotb(bench, bench.pins, __file__, "pauli", {"size": size, **more}, testcase=testcase)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="at least 1 qubit must be tracked, not 0"):
        PauliFrame([None], 0)
    with pytest.raises(ValueError, match="observables must be 1 to 32, not 33"):
        PauliFrame([0], 1, observables=33)
    with pytest.raises(ValueError, match="slot 1 reads qubit 2; there are 2"):
        PauliFrame([0, 2], 2)
    with pytest.raises(ValueError, match="at least one slot"):
        PauliFrame([], 2)
    with pytest.raises(ValueError, match="more than the 4 observables, not 4"):
        PauliFrame([0], 1, observables=4, entries=4)
    with pytest.raises(ValueError, match="entries must be a power of two, not 6"):
        PauliFrame([0], 1, observables=4, entries=6)
