# SPDX-License-Identifier: BSD-2-Clause
"""The sequencer against its golden model: random programs, every event, record, counter and fault to the cycle."""

import random
from collections import Counter

import cocotb
import numpy as np

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.isa import INSTRUCTIONS, Operand, Operands
from triplane.gateware.sequencer.layouts import TAG_KIND_OFFSET, Fault, Outcome
from triplane.gateware.sequencer.opcodes import Unit
from triplane.gateware.sequencer.program import Group, Program
from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.sequencer import CHANNELS, DEPTH, GROUPS, SLOTS, World, compare, small_bench, started

HEADER = """
.channel a, 0
.channel b, 1
.channel c, 2
.channel line, 3
.group a, a
.group pair, a, b
.group all, a, b, c
.group line, line arms 0, 1, 2
.group other, line arms 3, 5
"""


def simulate(testcase: str, **more) -> None:
    """Run `testcase` on a small sequencer."""
    bench = small_bench()
    given = {"registers": bench.registers, "sizes": bench.sizes, **more}
    run_cocotb(bench, bench.pins, __file__, "sequencer", given, testcase=testcase)


def random_program(seed: int) -> str:
    """A legal program that ends: straight parts, counted loops, branches forward, calls, waits."""
    rng = random.Random(seed)
    tight = rng.random() < 0.2
    lines: list[str] = [f"    wait {rng.randrange(20, 60)}"]
    labels = 0

    def register() -> str:
        return f"r{rng.randrange(16)}"

    def b() -> str:
        return register() if rng.random() < 0.5 else str(rng.choice([0, 1, 5, -1, rng.getrandbits(32)]))

    def label() -> str:
        nonlocal labels
        labels += 1
        return f"l{labels}"

    def event() -> str:
        group = rng.choice(["a", "pair", "all"])
        kind = rng.choice(["play", "play", "phase", "freq", "amp", "slot", "reset"])
        value = register() if rng.random() < 0.3 else rng.randrange(1 << 8)
        advance = rng.randrange(0 if tight else 1, 9)
        if kind == "play" and not tight:
            advance += 8
        return f"    {kind} {group}, {value}" + (f", +{advance}" if advance else "")

    def statement(depth: int, inside: bool) -> None:
        choice = rng.random()
        if choice < 0.35:
            lines.append(event())
        elif choice < 0.5:
            op = rng.choice(["add", "sub", "and", "or", "xor", "shl", "shr", "sar", "parity"])
            lines.append(f"    {op} {register()}, {register()}, {b()}")
        elif choice < 0.57:
            lines.append(
                rng.choice(
                    [
                        f"    set {register()}, {b()}",
                        f"    cursor {register()}",
                        f"    now {register()}",
                        "    nop",
                        f"    emit {register()}",
                        "    sync",
                    ]
                )
            )
        elif choice < 0.68:
            lines.append(f"    wait {rng.randrange(40)}")
        elif choice < 0.8:
            measure(depth)
        elif choice < 0.86:
            target, op = label(), rng.choice(["beq", "bne", "blt", "bge", "bltu", "bgeu"])
            lines.append(f"    {op} {register()}, {b()}, {target}")
            block(depth + 1, inside)
            lines.append(f"{target}:")
        elif choice < 0.9 and depth < 2 and not inside:
            target, counter = label(), f"r{20 + depth}"
            lines.append(f"    set {counter}, {rng.randrange(1, 4)}")
            lines.append(f"{target}:")
            block(depth + 1, inside)
            lines.append(f"    loop {counter}, {target}")
        elif choice < 0.94 and not inside:
            lines.append(f"    call {rng.choice(['sub1', 'sub2'])}")
        elif choice < 0.97:
            frame(depth, inside)
        else:
            lines.extend(["    cursor r19", f"    add r19, r19, {rng.randrange(60)}", "    until r19"])

    def measure(depth: int) -> None:
        name, entry, slots = rng.choice([("line", 1, (0, 1, 2)), ("other", 2, (3, 5))])
        lines.append(f"    capture {name}, {entry}, +{rng.randrange(1, 30)}")
        if rng.random() < 0.3:
            lines.append(event())
        slot, target = rng.choice(slots), label()
        bound = rng.choice([200, 600, rng.randrange(80)])
        late = f", {target}" if rng.random() < 0.95 else ""
        kind = rng.choice(["on.one", "on.zero", "on.leaked", "on.kept", "on.atleast", "on.below", "read"])
        if kind == "read":
            lines.append(f"    read {register()}, {slot}, {bound}{late}")
        else:
            threshold = f"{rng.randrange(-128, 128)}, " if kind in ("on.atleast", "on.below") else ""
            lines.append(f"    {kind} {slot}, {threshold}{target}, {bound}{late}")
        lines.append(event())
        if rng.random() < 0.4:
            lines.append(event())
        lines.append(f"{target}:")
        lines.extend(["    sync"] * (rng.random() < 0.7))

    def frame(depth: int, inside: bool) -> None:
        target = label()
        lines.append(f"    expect {register()}, {b()}")
        lines.append(
            rng.choice(
                [
                    f"    barrier 100, {target}",
                    f"    frame.one {rng.randrange(32)}, {target}, 90",
                    f"    frame.zero {rng.randrange(32)}, {target}, 60, {target}",
                ]
            )
        )
        lines.append(event())
        if rng.random() < 0.5:
            lines.append(f"    frame {register()}")
        lines.append(f"{target}:")

    def block(depth: int, inside: bool) -> None:
        for _ in range(rng.randrange(1, 5)):
            if len(lines) < DEPTH - 60:
                statement(depth, inside)

    while len(lines) < rng.randrange(20, DEPTH - 60):
        statement(0, False)
    lines.append(f"    halt {b()}")
    for name in ("sub1", "sub2"):
        lines.append(f"{name}:")
        for _ in range(3):
            lines.append(event())
        if name == "sub1":
            lines.append("    call sub2")
        lines.append("    return")
    return HEADER + "\n".join(lines)


def random_words(seed: int) -> Program:
    """Any instructions with any operands, now and then no instruction at all; most end in a fault."""
    rng = random.Random(seed)
    words = [assemble(f"wait {rng.randrange(5, 300)}").words[0]]
    most = {Operands.GROUP: GROUPS, Operands.SLOT: SLOTS, Operands.ADDRESS: 60, Operands.ADVANCE: 20}

    def value(operand: Operand) -> int:
        low, high = operand.range
        if rng.random() < 0.03 or operand.kind in (Operands.REGISTER, Operands.SIGNED):
            return rng.randint(low, high)
        return rng.randrange(min(most.get(operand.kind, rng.choice([9, 200])), high))

    while len(words) < 60:
        form = rng.choice([form for form in INSTRUCTIONS if form.mnemonic not in ("halt", "return")])
        if form.unit in (Unit.RESULT, Unit.FRAME) and rng.random() < 0.9:
            continue  # nearly all of them are stale
        word = form.encode([value(operand) for operand in form.operands])
        words.append(word if rng.random() < 0.99 else rng.getrandbits(64))
    groups = tuple(Group(f"g{k}", (k % CHANNELS,), (k % SLOTS,)) for k in range(GROUPS))
    return Program(np.array(words, dtype=np.uint64), groups)


@cocotb.test()
async def legal_programs_do_what_the_model_does(dut) -> None:
    p = parameters()
    driver = await started(dut, p)
    ends: Counter[Fault] = Counter()
    taken = 0
    for seed in range(p["legal"], p["legal"] + p["count"]):
        watchdog = random.Random(seed).choice([0, 3000])
        run = await compare(driver, assemble(random_program(seed)), World(seed), watchdog=watchdog)
        ends[run.stop.fault if run.stop else Fault.NONE] += 1
        taken += int(np.count_nonzero(run.trace["tag"] >> TAG_KIND_OFFSET == Outcome.TAKEN))
    dut._log.info(f"ends: {ends}, branches on results taken: {taken}")
    assert ends[Fault.NONE] > p["count"] // 4
    assert taken > p["count"] // 4


@cocotb.test()
async def any_words_do_what_the_model_does(dut) -> None:
    p = parameters()
    driver = await started(dut, p)
    ends: Counter[Fault] = Counter()
    for seed in range(p["any"], p["any"] + p["count"]):
        watchdog = random.Random(seed).choice([600, 1 + seed % 400])
        run = await compare(driver, random_words(seed), World(seed), watchdog=watchdog)
        ends[run.stop.fault if run.stop else Fault.NONE] += 1
    dut._log.info(f"ends: {ends}")
    assert len(ends) >= 5


def test_random_programs():
    """Two hundred and forty of them, every time."""
    simulate(r"\w+_do_what_the_model_does", legal=1000, any=5000, count=120)
