# SPDX-License-Identifier: BSD-2-Clause
"""The table loader under Verilator: what is in use changes at once, between shots, and only when it is right."""

import zlib

import cocotb
import numpy as np
import pytest
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule

from triplane.gateware.decoder.memory import CHECKING, MISMATCH, TRUSTED, UNCHECKED
from triplane.gateware.decoder.window.weights import LengthBuses, TableLoader
from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.streams import start_clock

INPUTS = ("write", "write_index", "write_data", "check", "expected", "activate", "between_shots")
OUTPUTS = ("state", "found", "pending", "busy", "trusted", "crc", "first_growth")
TUPLES = ((0, 0, 0), (1, 2, -1), (-1, -1, 3))


class Bench(LiteXModule):
    """A loader of four classes, and buses of edges that differ between kinds of windows."""

    def __init__(self, classes: int, levels: int, weight_bits: int) -> None:
        self.loader = loader = TableLoader(classes, levels, weight_bits)
        self.buses = buses = LengthBuses(loader.weights, TUPLES, weight_bits)
        self.pins = set()
        for name in INPUTS + OUTPUTS:
            signal = getattr(loader, name)
            signal.name_override = name
            self.pins.add(signal)
        for k, length in enumerate(buses.lengths):
            length.name_override = f"length{k}"
            self.pins.add(length)
        buses.kind.name_override, buses.level.name_override = "kind", "level"
        self.pins |= {buses.kind, buses.level}


def table(seed: int, classes: int, levels: int, weight_bits: int) -> list[int]:
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 2**weight_bits, size=(classes, 1 + levels))
    words = [int(rng.integers(1, 2**weight_bits))]
    return words + [sum(int(w) << 8 * k for k, w in enumerate(row)) for row in weights]


def crc(words: list[int]) -> int:
    return zlib.crc32(np.array(words, dtype="<u4").tobytes())


async def start(dut) -> None:
    for name in (*INPUTS, "kind", "level"):
        getattr(dut, name).value = 0
    await start_clock(dut)


async def pulse(dut, name: str) -> None:
    getattr(dut, name).value = 1
    await RisingEdge(dut.sys_clk)
    getattr(dut, name).value = 0


async def write(dut, words: list[int], *, at: int = 0) -> None:
    for index, word in enumerate(words, at):
        dut.write_index.value, dut.write_data.value = index, word
        await pulse(dut, "write")


async def check(dut, expected: int) -> int:
    dut.expected.value = expected
    await pulse(dut, "check")
    await RisingEdge(dut.sys_clk)
    while int(dut.state.value) == CHECKING:
        await RisingEdge(dut.sys_clk)
    return int(dut.state.value)


async def idle(dut) -> int:
    """Cycles until the loader is done."""
    cycles = 0
    await ReadOnly()
    while int(dut.pending.value) or int(dut.busy.value):
        await RisingEdge(dut.sys_clk)
        await ReadOnly()
        cycles += int(dut.busy.value)
    await RisingEdge(dut.sys_clk)
    return cycles


async def in_use(dut, levels: int) -> dict:
    """What the edges would load: [kind][level][bus], and what the records would say."""
    lengths = []
    for kind in range(3):
        lengths.append([])
        for level in range(1 + levels):
            dut.kind.value, dut.level.value = kind, level
            await RisingEdge(dut.sys_clk)
            await RisingEdge(dut.sys_clk)
            lengths[-1].append([int(getattr(dut, f"length{k}").value) for k in range(len(TUPLES))])
    return {
        "lengths": lengths, "crc": int(dut.crc.value), "first": int(dut.first_growth.value),
        "trusted": int(dut.trusted.value),
    }  # fmt: skip


def expected_use(words: list[int], levels: int) -> dict:
    weights = [[word >> 8 * k & 0xFF for k in range(1 + levels)] for word in words[1:]]
    lengths = [
        [[weights[classes[kind]][level] if classes[kind] >= 0 else None for classes in TUPLES]
         for level in range(1 + levels)]
        for kind in range(3)
    ]  # fmt: skip
    return {"lengths": lengths, "crc": crc(words), "first": words[0], "trusted": 1}


def same(found: dict, wanted: dict) -> bool:
    """Where the class is absent, the bus may hold anything."""
    got, want = np.ravel(np.array(found["lengths"])), np.ravel(np.array(wanted["lengths"], object))
    if any(w is not None and g != w for g, w in zip(got, want, strict=True)):
        return False
    return all(found[key] == wanted[key] for key in ("crc", "first", "trusted"))


@cocotb.test()
async def tables_take_their_place(dut) -> None:
    p = parameters()
    levels, first, second = p["levels"], p["first"], p["second"]
    await start(dut)
    before = await in_use(dut, levels)
    assert (before["trusted"], before["crc"]) == (0, 0)

    # Not checked, and wrong: nothing is taken over.
    dut.between_shots.value = 1
    await write(dut, first)
    await pulse(dut, "activate")
    await idle(dut)
    assert int(dut.state.value) == UNCHECKED
    assert await check(dut, crc(first) ^ 1) == MISMATCH
    await pulse(dut, "activate")
    await idle(dut)
    assert await in_use(dut, levels) == before

    # Right, but a shot is under way
    dut.between_shots.value = 0
    assert await check(dut, crc(first)) == TRUSTED
    await pulse(dut, "activate")
    for _ in range(20):
        await RisingEdge(dut.sys_clk)
        assert (int(dut.pending.value), int(dut.busy.value)) == (1, 0)
    assert await in_use(dut, levels) == before
    dut.between_shots.value = 1
    assert await idle(dut) == p["load_cycles"]
    assert same(await in_use(dut, levels), expected_use(first, levels))

    # Asked for while the check is still going on; until it takes its place the old table is in force.
    await write(dut, second)
    assert same(await in_use(dut, levels), expected_use(first, levels))
    dut.expected.value = crc(second)
    await pulse(dut, "check")
    await pulse(dut, "activate")
    while int(dut.state.value) != TRUSTED:
        assert same({**expected_use(first, levels), "crc": int(dut.crc.value)}, expected_use(first, levels))
        await RisingEdge(dut.sys_clk)
    await idle(dut)
    assert same(await in_use(dut, levels), expected_use(second, levels))

    # A word that is written while a table takes its place is refused, and missed at the next check.
    await pulse(dut, "activate")
    while not int(dut.busy.value):
        await RisingEdge(dut.sys_clk)
    await write(dut, [first[-1]], at=len(first) - 1)
    await idle(dut)
    assert same(await in_use(dut, levels), expected_use(second, levels))
    await write(dut, first[:-1])
    assert await check(dut, crc(first)) == MISMATCH

    # A word that is written while a table waits takes the trust away.
    assert await check(dut, crc(first[:-1] + second[-1:])) == TRUSTED
    dut.between_shots.value = 0
    await pulse(dut, "activate")
    await write(dut, first[:1])
    dut.between_shots.value = 1
    await idle(dut)
    assert same(await in_use(dut, levels), expected_use(second, levels))


@pytest.mark.parametrize(("levels", "weight_bits"), [(3, 5), (3, 8), (0, 4)])
def test_tables(levels, weight_bits):
    bench = Bench(4, levels, weight_bits)
    first, second = (table(seed, 4, levels, weight_bits) for seed in (1, 2))
    parameters = {"levels": levels, "first": first, "second": second, "load_cycles": bench.loader.load_cycles}
    run_cocotb(bench, bench.pins, __file__, "loader", parameters, testcase="tables_take_their_place")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((4, 3, 9), "a weight has 1 to 8 bits here, not 9"), ((4, 4, 5), "0 to 3 alternative weights, not 4")],
)
def test_what_does_not_fit_a_word_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TableLoader(*arguments)
