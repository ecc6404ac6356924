# SPDX-License-Identifier: BSD-2-Clause
"""The shipped qick_216 firmware, with the timed processor that it would need, and an interpreter of that processor."""

import copy
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from triplane.gateware.readout.layouts import Discriminant, Window
from triplane.gateware.sequencer.assembler import assemble
from triplane.hal.control import ControlProgram, Demodulation, Pulses, Tones
from triplane.hal.drivers.qick import Drive, Line, Wiring, shipped_config
from triplane.hal.drivers.qick.firmware import installed

NOT_INSTALLED = "the qick package is not installed (uv sync --extra qick)"

TPROC_V2 = {
    # As QICK's own driver (drivers/tproc.py) describes a tProcessor v2; sizes as in the firmware that QICK's test bench
    # is for. The package ships no firmware that has one, and qick_216 has a v1 in this place.
    "type": "qick_processor",
    "fullpath": "qick_processor_0",
    "pmem_size": 4096,
    "dmem_size": 16384,
    "wmem_size": 1024,
    "dreg_qty": 16,
    "fifo_depth": 512,
    "f_core": 200.0,
    "f_time": 430.08,
    "revision": 27,
    "version": "2.0",
    "output_pins": [],
}
FIRST_TRIGGER = 10


@pytest.fixture(scope="session")
def shipped():
    """What a board says that runs the qick_216 of the package."""
    if not installed():
        pytest.skip(NOT_INSTALLED)
    return shipped_config("qick_216")


@pytest.fixture(scope="session")
def config(shipped):
    """The same generators, readouts and clocks, under a tProcessor v2 with a trigger for each readout."""
    made = copy.deepcopy(shipped)
    made["tprocs"] = [dict(TPROC_V2)]
    for number, readout in enumerate(made["readouts"]):
        readout.update(trigger_type="tport", trigger_port=FIRST_TRIGGER + number, trigger_bit=0)
    return made


WIRING = Wiring(
    (Drive(0, lo_hz=4.5e9), Drive(1, lo_hz=4.5e9)), (Line(5, 0, lo_hz=1e9), Line(6, 1, lo_hz=1e9))
)

HEADER = """
.channel q0, 0
.channel q1, 1
.channel l0, 2
.channel l1, 3
.group q0, q0
.group q1, q1
.group both, q0, q1
.group l0, l0 arms 0
.group l1, l1 arms 8
.group lines, l0, l1 arms 0, 8
"""

WINDOW = 200


@pytest.fixture(scope="session")
def wiring():
    return WIRING


def entry(start, length, amplitude=2**15, slot=0, phase=0, after=0):
    return {
        "start": start, "length": length, "amplitude": amplitude, "slot": slot, "phase": phase, "after": after,
    }  # fmt: skip


ENTRIES = (
    entry(0, 16),  # constant, 28 clocks of the generator
    entry(16, 16, amplitude=20000, phase=2**30),  # shaped
    entry(16, 15, after=2**29),  # shaped, 26.25 clocks; a virtual Z behind it
    entry(0, 0, after=2**31),  # nothing but a virtual Z
    entry(0, 8, slot=1),  # on the second frequency
)


def shape():
    """Envelope: 16 clocks of full scale, 16 clocks of a bump with both parts."""
    samples = np.zeros((64, 2), dtype=np.int16)
    samples[:32, 0] = 2**15 - 1
    bump = np.sin(np.pi * (np.arange(32) + 0.5) / 32)
    samples[32:, 0] = np.rint(30000 * bump)
    samples[32:, 1] = np.rint(8000 * np.gradient(bump) * 10)
    return samples


def demodulation(tone=0, **changes):
    given = {
        "frequencies": (2**28,) * (tone + 1),
        "weights": np.full((tone + 1, 256, 2), (2**15 - 1, 0), dtype=np.int16),
        "discriminants": (Discriminant(a1=4, b1=0, c1=-4000),) * (tone + 1),
        "windows": (Window(1 << tone, WINDOW, delay=12),),
    }
    return Demodulation(**given | changes)


LINE_WORD = 2**27
"""Of a generator: the frequency of `demodulation`, which is 15.36 MHz."""


def control(text, **changes):
    """A program of two drives and two lines, tone 0 of each."""
    tone = np.zeros((800, 2), dtype=np.int16)
    tone[:, 0] = 2**14
    tones = Tones(({"start": 0, "length": 400, "amplitude": 2**15, "mask": 1},), tone, (2**13,))
    given = {
        "drives": (Pulses(ENTRIES, shape()),) * 2,
        "tones": (tones, tones),
        "demodulation": (demodulation(), demodulation()),
    }
    return ControlProgram(assemble(HEADER + text, file="test.tasm"), **given | changes)


@pytest.fixture(scope="session")
def make():
    return control


@dataclass(frozen=True)
class Played:
    """What a generator was told: ticks from the processor's start, port, and the fields of the wave memory."""

    tick: int
    port: int
    frequency: int
    phase: int
    first: int
    gain: int
    clocks: int
    configuration: int


@dataclass
class Outcome:
    """What a program did, and the least number of ticks that an event was given ahead of its time."""

    plays: list = field(default_factory=list)
    triggers: list = field(default_factory=list)
    readouts: list = field(default_factory=list)
    memory: list = field(default_factory=list)
    slack: int = 2**31
    ended: bool = False


def signed(value, bits=32):
    return (value & (1 << bits) - 1) - ((value & 1 << bits - 1) << 1)


class Interpreter:
    """Executes the words of a tProcessor v2, as its gateware decodes them; not the text that they were made of.

    Every instruction takes `cost` ticks. Results come `latency` ticks after the end of the window that was triggered.

    Args:
        binprog: of `QickProgramV2`.
        answers: readout -> (i, q) of its windows, one after the other.
        windows: readout -> ticks of its window.
    """

    def __init__(self, binprog, answers=None, windows=None, memory=(), cost=3, latency=100):
        self.words = [low | mid << 32 | high << 64 for low, mid, high, *_ in binprog["pmem"]]
        self.waves = [self.fields(words) for words in binprog["wmem"] or []]
        self.answers = {k: iter(v) for k, v in (answers or {}).items()}
        self.windows = windows or {}
        self.cost, self.latency = cost, latency
        self.registers = {("s", k): 0 for k in range(16)} | {("r", k): 0 for k in range(32)}
        self.wave = [0] * 6
        self.data = dict(enumerate(memory))
        self.now, self.reference, self.pc = 0, 0, 0
        self.zero = self.sign = False
        self.results = {}
        self.outcome = Outcome()

    @staticmethod
    def fields(words):
        raw = b"".join(int(word & 0xFFFF_FFFF).to_bytes(4, "little") for word in words)
        packed = raw[:11] + raw[12:22]
        bounds = [0, 4, 8, 11, 15, 19, 21]
        return [int.from_bytes(packed[a:b], "little") for a, b in pairwise(bounds)]

    def get(self, address):
        kind, number = address >> 5, address & 31
        if kind == 2:
            return self.wave[number]
        if kind == 0 and number == 11:
            return (self.now - self.reference) & 0xFFFF_FFFF
        return 0 if address == 0 else self.registers["sr"[kind], number]

    def put(self, address, value):
        kind, number = address >> 5, address & 31
        if kind == 2:
            self.wave[number] = value & 0xFFFF_FFFF
        else:
            self.registers["sr"[kind], number] = value & 0xFFFF_FFFF

    @staticmethod
    def alu(operation, a, b):
        amount = b & 15
        made = {
            0b0000: a + b, 0b0010: a - b, 0b0100: a & b, 0b0110: signed(a) >> amount,
            0b0011: a | b, 0b0101: a ^ b, 0b1101: a << amount, 0b1111: a >> amount,
            0b1011: a.bit_count() & 1,
        }  # fmt: skip
        return made[operation] & 0xFFFF_FFFF

    def run(self, limit=200_000):
        for _ in range(limit):
            if self.registers["s", 12] == 1:
                self.outcome.ended = True
                break
            self.step(self.words[self.pc])
            self.now += self.cost
        self.outcome.memory = [self.data.get(k, 0) for k in range(max(self.data, default=-1) + 1)]
        return self.outcome

    def step(self, word):
        code, data = word >> 56, word & (1 << 56) - 1
        header, source = code >> 13, code >> 5 & 3
        absolute, form, condition = code >> 12 & 1, code >> 10 & 3, code >> 7 & 7
        address = data >> 45 & 0x7FF
        place = address if absolute else self.get(data >> 45 & 63)
        immediate = [address, signed(data >> 7, 16), signed(data >> 7, 24), data >> 7 & 0xFFFF_FFFF][form]
        a = self.get(data >> 31 & 127) if form != 3 else 0
        b = immediate & 0xFFFF_FFFF if form == 2 else self.get(data >> 23 & 127) if form == 1 else 0
        holds = [True, self.zero, self.sign, not self.zero, not self.sign, False, True, False][condition]
        full = header == 4 and source == 0
        result = self.alu(code & 15 if full else (code & 3) << 1, a, b)
        going = self.pc + 1
        if header == 1:  # JUMP
            assert code >> 5 & 3 == 0
            if holds:
                going = address if absolute else self.registers["s", 15]
        elif header == 2:  # TIME inc_ref
            assert code & 0x7F == 0b0001000
            self.reference += signed(immediate if form == 3 else self.get(data >> 23 & 127))
        elif header == 4 and source == 2:  # wave memory to registers
            self.wave = list(self.waves[place])
        elif header == 4:
            if holds:
                self.put(data & 127, {0: result, 1: self.data.get(place, 0), 3: immediate}[source])
        elif header == 5 and code >> 6 & 1:  # registers to wave memory
            self.waves[place] = list(self.wave)
        elif header == 5:
            if holds:
                self.data[place] = immediate & 0xFFFF_FFFF if form == 3 else result
        elif header == 6:
            self.port(code, data, place, immediate)
        if code >> 4 & 1:
            self.zero, self.sign = result == 0, bool(result >> 31)
        self.pc = going

    def port(self, code, data, place, immediate):
        waves, writes, number = code >> 6 & 1, code >> 7 & 1, data >> 39 & 63
        if not writes:  # DPORT_RD
            ready = [value for at, value in self.results.get(number, []) if at <= self.now]
            assert ready, f"readout {number} is read at {self.now}, before its result is there"
            assert len(ready) == len(self.results[number]), "the result of an earlier window would be read"
            self.registers["s", 8], self.registers["s", 9] = (part & 0xFFFF_FFFF for part in ready[-1])
            return
        assert code >> 5 & 1, "an event without a time of its own"
        at = self.reference + signed(immediate)
        self.outcome.slack = min(self.outcome.slack, at - self.now)
        if waves:
            frequency, phase, first, gain, clocks, configuration = self.waves[place]
            self.outcome.plays.append(
                Played(at, number, frequency, phase, first, signed(gain), clocks, configuration)
            )
        elif place:
            readout = number - 32 - FIRST_TRIGGER
            self.outcome.triggers.append((at, readout))
            value = next(self.answers.get(readout, iter(())), (0, 0))
            come = at + self.windows.get(readout, 0) + self.latency
            self.results.setdefault(readout, []).append((come, value))


@pytest.fixture(scope="session")
def interpret():
    """Runs a `Compiled` program; answers are (i, q) by readout, registers by number."""

    def run(compiled, answers=None, registers=None, **more):
        kept = [(registers or {}).get(number, 0) & 0xFFFF_FFFF for number in compiled.registers]
        per_us = float(compiled.limits.tick_hz) / 1e6
        windows = {
            compiled.wiring.lines[line].readout: round(compiled.settings[line].length_us * per_us)
            for line in compiled.lines
        }
        memory = [0] * (2 + len(compiled.lines)) + kept
        return Interpreter(compiled.program.binprog, answers, windows, memory, **more).run()

    run.interpreter = Interpreter
    return run


@pytest.fixture(scope="session")
def cycles_of():
    """Ticks of an outcome as cycles from the beginning of a program's time."""

    def convert(compiled, tick):
        lead = round(compiled.wiring.lead_cycles * compiled.limits.ticks_per_cycle)
        return Fraction(tick - lead) / compiled.limits.ticks_per_cycle

    return convert
