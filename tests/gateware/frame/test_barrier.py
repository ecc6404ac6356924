# SPDX-License-Identifier: BSD-2-Clause
"""The frame and its barrier: released when the rounds are in, not before; amended in time, or not at all."""

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule

from triplane.gateware.frame.barrier import FrameBarrier
from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.streams import start_clock

INPUTS = ("finish", "flips", "last", "hard", "rounds", "latency", "now", "restart", "wait", "shot", "round")
OUTPUTS = ("ready", "timed_out", "waiting", "holding", "frame")
STORAGES = ("shot", "round", "amend", "timeout", "bound")
STATUSES = ("reaction", "released", "amended", "expired", "refused")
ESCALATE = 2


class Bench(LiteXModule):
    """A barrier whose registers are pins."""

    def __init__(self) -> None:
        self.barrier = barrier = FrameBarrier()
        barrier._control.finalize(32, "big")  # its bank would do this
        self.submodules += barrier._control
        (control,) = barrier._control.simple_csrs
        pins = {name: getattr(barrier, name) for name in INPUTS + OUTPUTS}
        pins |= {"control": control.r, "control_re": control.re, "open": barrier._state.fields.open}
        pins |= {name: getattr(barrier, f"_{name}").status for name in STATUSES}
        for name in STORAGES:
            pins |= {f"{name}_value": getattr(barrier, f"_{name}").storage}
        pins |= {"amend_re": barrier._amend.re, "given_up": barrier._timed_out.status}
        for name, signal in pins.items():
            signal.name_override = f"pin_{name}"
        self.pins = set(pins.values())


class Driver:
    """The barrier's pins, and the frame as it ought to be."""

    def __init__(self, dut) -> None:
        self.dut = dut
        self.now = self.frame_then = 0
        self.ready_at: list[int] = []
        self.timed_out_at: list[int] = []

    def put(self, **values: int) -> None:
        for name, value in values.items():
            getattr(self.dut, f"pin_{name}").value = value

    def get(self, name: str) -> int:
        return int(getattr(self.dut, f"pin_{name}").value)

    async def start(self) -> None:
        self.put(**dict.fromkeys(INPUTS, 0), **{f"{name}_value": 0 for name in STORAGES})
        self.put(control=0, control_re=0, amend_re=0, bound_value=2**32 - 1)
        await start_clock(self.dut)

    async def cycle(self, **values: int) -> None:
        """One cycle with these inputs; pulses end with it."""
        self.put(now=self.now, **values)
        await ReadOnly()
        if self.get("ready"):
            self.ready_at.append(self.now)
            self.frame_then = self.get("frame")
        if self.get("timed_out"):
            self.timed_out_at.append(self.now)
        await RisingEdge(self.dut.sys_clk)
        self.now += 1
        self.put(finish=0, wait=0, restart=0, amend_re=0, control_re=0)

    async def idle(self, cycles: int) -> None:
        for _ in range(cycles):
            await self.cycle()

    async def window(
        self, flips: int, rounds: int, *, last: bool = False, hard: bool = False, latency: int = 5
    ) -> None:
        await self.cycle(
            finish=1, flips=flips, rounds=rounds, last=int(last), hard=int(hard), latency=latency
        )

    async def amend(self, flips: int) -> None:
        await self.cycle(amend_value=flips, amend_re=1)


@cocotb.test()
async def it_waits_for_the_very_rounds(dut) -> None:
    """Random shots and windows; each barrier is released in the cycle after the result that settles its round."""
    p = parameters()
    rng = np.random.default_rng(p["seed"])
    driver = Driver(dut)
    await driver.start()
    shots = [
        np.sort(rng.choice(np.arange(1, 30), size=rng.integers(1, 5), replace=False)).tolist()
        for _ in range(60)
    ]
    results = [
        (shot, rounds, k == len(shots[shot]) - 1)
        for shot in range(60)
        for k, rounds in enumerate(shots[shot])
    ]
    at = 0
    frame = 0
    while at < len(results):
        # A barrier for a round of one of the windows to come, or of one that has been
        target = results[int(rng.integers(max(at - 2, 0), min(at + 6, len(results))))]
        needed = int(rng.integers(1, target[1] + 1))
        await driver.cycle(wait=1, shot=target[0], round=needed)
        armed = driver.now
        expected = None
        if at and any(
            shot > target[0] or (shot == target[0] and (last or rounds >= needed))
            for shot, rounds, last in results[:at]
        ):
            expected = armed
        while not driver.ready_at:
            if expected is None and at < len(results) and rng.random() < 0.3:
                shot, rounds, last = results[at]
                flips, latency = int(rng.integers(2**32)), int(rng.integers(2, 300))
                frame = flips ^ (0 if shots[shot][0] == rounds else frame)
                finished = driver.now
                await driver.window(flips, rounds, last=last, latency=latency)
                at += 1
                if shot == target[0] and rounds >= needed:
                    expected = finished + 1
                    reaction = latency + 1
            else:
                await driver.cycle()
            assert driver.now < armed + 3000
        assert driver.ready_at == [expected]
        assert driver.frame_then == frame
        await driver.idle(2)
        if expected != armed:
            assert driver.get("reaction") == reaction
        driver.ready_at.clear()
        await driver.idle(int(rng.integers(3)))
        if at > len(results) - 3:
            break
    assert driver.get("released") > 40


def test_rounds():
    for seed in (1, 2, 3):
        simulate("it_waits_for_the_very_rounds", seed=seed)


@cocotb.test()
async def hard_shots_are_amended_in_time(dut) -> None:
    driver = Driver(dut)
    await driver.start()
    await driver.cycle(control=ESCALATE, control_re=1, timeout_value=20)
    await driver.cycle()

    # A hard window in the middle, an amendment in time: the barrier waits for it.
    await driver.window(0b001, 4, hard=True)
    await driver.cycle(wait=1, shot=0, round=8)
    await driver.window(0b010, 8, last=True, latency=7)
    await driver.idle(9)
    assert driver.ready_at == []
    assert (driver.get("holding"), driver.get("open"), driver.get("frame")) == (1, 1, 0b011)
    await driver.amend(0b110)
    await driver.cycle()
    assert driver.ready_at == [driver.now - 1]
    await driver.idle(2)
    assert driver.get("frame") == 0b101
    assert driver.get("reaction") == 7 + 1 + 10
    driver.ready_at.clear()

    # No answer: the barrier is released with the frame as it is, and what comes later is refused.
    await driver.cycle(wait=1, shot=1, round=8)
    await driver.window(0b100, 8, last=True, hard=True)
    ended = driver.now - 1
    await driver.idle(30)
    (released,) = driver.ready_at
    assert released == ended + 22
    await driver.amend(0b111)
    await driver.idle(2)
    assert driver.get("frame") == 0b100
    assert (driver.get("amended"), driver.get("expired"), driver.get("refused")) == (1, 1, 1)
    driver.ready_at.clear()

    # An easy shot does not wait; the next shot's first result ends what is left of the time of a hard one.
    await driver.cycle(wait=1, shot=2, round=8)
    await driver.window(0b001, 8, last=True)
    await driver.cycle()
    assert len(driver.ready_at) == 1
    await driver.window(0b001, 8, last=True, hard=True)
    await driver.window(0b010, 4)
    await driver.amend(0b111)
    await driver.idle(2)
    assert (driver.get("amended"), driver.get("expired"), driver.get("refused")) == (1, 2, 2)
    assert driver.get("frame") == 0b010

    # Without escalation nothing is waited for; a restart forgets all of it.
    await driver.cycle(control=0, control_re=1)
    await driver.window(0b001, 8, last=True, hard=True)
    assert not driver.get("open")
    await driver.cycle(restart=1)
    await driver.cycle()
    assert [driver.get(name) for name in ("amended", "expired", "refused", "released", "frame")] == [0] * 5


def test_amendments():
    simulate("hard_shots_are_amended_in_time")


@cocotb.test()
async def barriers_are_given_up(dut) -> None:
    """At the bound, with the frame as it is; by signals and by registers, whichever asks."""
    driver = Driver(dut)
    await driver.start()
    await driver.window(0b01, 4)
    for bound in (0, 1, 20):
        for asks in ({"wait": 1, "shot": 0, "round": 8}, {"control": 1, "control_re": 1}):
            await driver.cycle(**asks, bound_value=bound, shot_value=0, round_value=8)
            if "control" in asks:
                await driver.cycle()  # a register asks a cycle after it is written
            asked = driver.now - 1
            await driver.cycle(bound_value=7, shot_value=0, round_value=0, shot=0, round=0)
            await driver.idle(bound + 5)
            assert driver.timed_out_at == [asked + 1 + bound]
            assert (driver.ready_at, driver.get("waiting"), driver.get("frame")) == ([], 0, 0b01)
            driver.timed_out_at.clear()
    assert (driver.get("given_up"), driver.get("released")) == (6, 0)

    # The last cycle in which the rounds may come, and the first in which they are too late
    for late in (0, 1):
        await driver.cycle(wait=1, shot=late, round=8, bound_value=10)
        asked = driver.now - 1
        await driver.idle(9 + late)
        await driver.window(0b10, 8, last=True)
        await driver.idle(4)
        found = driver.timed_out_at if late else driver.ready_at
        assert found == [asked + 11]
    assert (len(driver.ready_at), len(driver.timed_out_at)) == (1, 1)
    await driver.cycle(restart=1)
    await driver.idle(1)
    assert driver.get("given_up") == 0


def test_bounds():
    simulate("barriers_are_given_up")


def simulate(testcase: str, **more: int) -> None:
    """Run a test on a barrier."""
    bench = Bench()
    run_cocotb(bench, bench.pins, __file__, "barrier", more, testcase=testcase)
