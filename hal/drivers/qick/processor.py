# SPDX-License-Identifier: BSD-2-Clause
"""The timed processor of QICK's second generation (tProcessor v2), as a machine that is told a program.

Instructions are those of QICK's assembler. Facts of its arithmetic unit that matter here, from the gateware: immediates
of an operation are 24 bits, signed, those of a copy 32; a shift takes four bits of its amount; a sign flag is bit 31 of
the difference, so that comparisons of numbers further apart than 2**31 need a look at their signs first.

    data memory     0   exit code
                    1   1 + address of the instruction that ended the program with a fault; 0: none did
                    2 ..    windows that each line has measured, then the program's registers
    register w1     1 when all of that is there
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from triplane.hal.drivers.qick.machine import (
    TRIGGER_TICKS,
    Needs,
    Operand,
    Register,
    Wave,
    count_register,
    gain_register,
    phase_register,
    program_register,
)
from triplane.hal.drivers.qick.readout import Threshold, signed_word
from triplane.hal.drivers.qick.waves import Generators
from triplane.hal.drivers.qick.wiring import Wiring
from triplane.hal.errors import ProgramError

if TYPE_CHECKING:
    from qick.asm_v2 import QickProgramV2

SCRATCH, SPARE = "scratch", "spare"
"""Registers of the translation; QICK's own macros use the first one too."""

ZERO, SUM_I, SUM_Q, WAVE_PHASE, WAVE_GAIN = "s0", "s8", "s9", "w1", "w3"
"""Registers of the processor with a meaning of their own."""

EXIT, FAULT, FIRST = 0, 1, 2
"""Places in data memory."""

DONE = 1

PRODUCT, OSCILLATOR, ZERO_AFTER = 0b00, 0b01, 0b01000
"""Bits of a wave's configuration: what the generator puts out, and silence behind a pulse."""

IMMEDIATE = 2**23
SHIFT_MOST = 15
LONGEST_ADVANCE = 2**31 - 1
LONGEST_WAIT_BITS = 24
GAIN_FULL = 2**15 - 2
"""Largest gain of the generators whose amplitude can come from a register."""

OPERATIONS = {"add": "+", "sub": "-", "and": "AND", "or": "OR", "xor": "XOR"}
SHIFTS = {"shl": "SL", "shr": "SR", "sar": "ASR"}


@dataclass(frozen=True)
class Sight:
    """What the processor knows of a line.

    Attributes:
        readout: index in `readouts`.
        threshold: when a bit is 1.
    """

    readout: int
    threshold: Threshold


class Processor:
    """Assembles a program for QICK's tProcessor v2.

    Args:
        program: of QICK's, with its generators and readouts declared, and no instructions yet.
        wiring, generators: of the channels.
        sights: line -> how its results are looked at.
        needs: of the program.
        per_cycle: ticks in a cycle.
        place: address -> what a person is told of it.

    Raises:
        ProgramError: there are too few registers.
    """

    def __init__(
        self,
        program: QickProgramV2,
        wiring: Wiring,
        generators: Generators,
        sights: Mapping[int, Sight],
        needs: Needs,
        per_cycle: Fraction,
        place: Callable[[int], str],
    ) -> None:
        self.program = program
        self.wiring = wiring
        self.generators = generators
        self.sights = sights
        self.needs = needs
        self.per_cycle = per_cycle
        self.place = place
        self.kept = [program_register(number) for number in sorted(needs.registers)]
        self.counts = [count_register(line) for line in sorted(needs.lines)]
        names = [SCRATCH, SPARE, *map(str, self.kept), *self.counts]
        names += [phase_register(*turned) for turned in sorted(needs.turned)]
        names += [gain_register(channel) for channel in sorted(needs.scaled)]
        having = program.tproccfg["dreg_qty"]
        if len(names) > having:
            raise ProgramError(
                f"the program needs {len(names)} registers ({', '.join(names)}), the tProcessor has {having}"
            )
        self._addresses = {name: f"r{number}" for number, name in enumerate(names)}
        for number, name in enumerate(names):
            program.add_reg(name=f"triplane_{name}" if name != SCRATCH else name, addr=number)
        self._waves: dict[tuple[int, ...], str] = {}
        self._scratch_wave: str | None = None
        self._labels = 0
        self._faults: list[tuple[str, int]] = []

    @property
    def data_words(self) -> int:
        """Words of data memory that are used."""
        return FIRST + len(self.counts) + len(self.kept)

    # Beginning and end

    def begin(self, lead_ticks: int) -> None:
        """Registers get what the host has left in data memory; the reference is moved on for the first time."""
        for number, register in enumerate(self.kept):
            self.program.read_dmem(dst=self._at(register), addr=FIRST + len(self.counts) + number)
        for register in self._addresses.values():
            if register not in map(self._at, (*self.kept, SCRATCH, SPARE)):
                self.program.write_reg(dst=register, src=0)
        self.program.write_dmem(addr=FAULT, src=0)
        self.advance(lead_ticks)

    def finish(self) -> None:
        """What faults and ends have in common."""
        for name, address in self._faults:
            self.program.label(name)
            self.program.write_dmem(addr=EXIT, src=0)
            self.program.write_dmem(addr=FAULT, src=address + 1)
            self.program.jump("finish")
        self.program.label("finish")
        for number, register in enumerate((*self.counts, *self.kept)):
            self.program.write_dmem(addr=FIRST + number, src=self._at(register))
        self.program.set_ext_counter(addr=1, val=DONE)
        self.program.end()

    def halt(self, code: Operand, at: int) -> None:
        """The exit code is written at once, the rest when everything has been played and measured."""
        self.program.write_dmem(addr=EXIT, src=self._at(code) if isinstance(code, str) else code)
        self.wait(at)
        self.program.jump("finish")

    # The way

    def label(self, name: str) -> None:
        """What follows can be gone to."""
        self.program.label(name)

    def jump(self, name: str) -> None:
        """Go there."""
        self.program.jump(name)

    def branch(self, comparison: str, left: Operand, right: Operand, name: str) -> None:
        """By the sign of the difference, where both have one sign; by the sign of `left` where they have two."""
        first, second = self._left(left), self._right(right)
        if comparison in ("beq", "bne"):
            self._go(name, first, "Z" if comparison == "beq" else "NZ", second)
            return
        unsigned = comparison.endswith("u")
        less = comparison in ("blt", "bltu")
        alike, behind = self._new_label("alike"), self._new_label("behind")
        self._operate(SPARE, f"{first} XOR {second}")
        self.program.cond_jump(alike, self._at(SPARE), "NS")
        # Signed: the negative one is less. Unsigned: the one with bit 31 is more.
        self.program.cond_jump(name, first, "S" if less != unsigned else "NS")
        self.program.jump(behind)
        self.program.label(alike)
        self._go(name, first, "S" if less else "NS", second)
        self.program.label(behind)

    def branch_on_bit(self, line: int, bit: int, name: str) -> None:
        """Look at the sum that came last."""
        sight = self.sights[line]
        self.program.read_input(sight.readout)
        test = "NS" if bool(bit) == sight.threshold.above else "S"
        self._go(name, self._sum(sight), test, self._right(sight.threshold.least))

    def _go(self, name: str, left: str, test: str, right: str) -> None:
        number = int(right[1:]) if right.startswith("#") else right
        self.program.cond_jump(name, left, test, "-", number)

    def _new_label(self, what: str) -> str:
        self._labels += 1
        return f"{what}_{self._labels}"

    # Time

    def advance(self, ticks: int) -> None:
        """Move the reference on."""
        while ticks:
            part = min(ticks, LONGEST_ADVANCE)
            self.program.asm_inst({"CMD": "TIME", "C_OP": "inc_ref", "LIT": f"#{part}"})
            ticks -= part

    def advance_by(self, cycles: Register, address: int) -> None:
        """Cycles become ticks by shifts and sums; what is not whole ticks, negative or too long is a fault."""
        up, down = self.per_cycle.numerator, self.per_cycle.denominator
        longest = 31 - up.bit_length()
        if down & (down - 1) or down.bit_length() > SHIFT_MOST or longest < LONGEST_WAIT_BITS:
            raise ProgramError(
                f"{self.place(address)}: QICK cannot wait by a register: a cycle is {self.per_cycle} ticks, and its "
                "tProcessor multiplies by shifts; give a number"
            )
        source = self._at(cycles)
        fault = self._fault(address)
        self._operate(SPARE, f"{source} SR #12")
        self._operate(SPARE, f"{self._at(SPARE)} SR #{LONGEST_WAIT_BITS - 12}")
        self.program.cond_jump(fault, self._at(SPARE), "NZ")
        if down > 1:
            self.program.cond_jump(fault, source, "NZ", "&", down - 1)
        self._operate(SPARE, source)
        self._operate(SCRATCH, source if up & 1 else ZERO)
        for bit in range(1, up.bit_length()):
            self._operate(SPARE, f"{self._at(SPARE)} SL #1")
            if up >> bit & 1:
                self._operate(SCRATCH, f"{self._at(SCRATCH)} + {self._at(SPARE)}")
        if down > 1:
            self._operate(SCRATCH, f"{self._at(SCRATCH)} SR #{down.bit_length() - 1}")
        self.program.asm_inst({"CMD": "TIME", "C_OP": "inc_ref", "R1": self._at(SCRATCH)})

    def wait(self, at: int) -> None:
        """Execute nothing before a time."""
        self.program.wait(at / self.program.tproccfg["f_time"])

    # Generators

    def play(self, wave: Wave, at: int, slot: int, address: int) -> None:
        """From wave memory; with a phase or a gain from a register by way of the wave registers."""
        try:
            tuned = self.generators.tuned(wave)
        except ProgramError as error:
            raise ProgramError(f"{self.place(address)}: {error}") from error
        line = self.wiring.line(wave.channel)
        readout = None if line is None else self.wiring.lines[line].readout
        block = self.program.soccfg["gens"][tuned.generator]
        configuration = ZERO_AFTER | (OSCILLATOR if tuned.first is None else PRODUCT)
        fields = (
            tuned.generator,
            self.program.freq2reg(tuned.frequency_mhz, gen_ch=tuned.generator, ro_ch=readout),
            tuned.phase,
            (tuned.first or 0) // block["samps_per_clk"],
            tuned.gain or 0,
            tuned.clocks,
            configuration | block.get("tmux_ch", 0) << 8,
        )
        if fields not in self._waves:
            self._waves[fields] = self._wave(f"wave{len(self._waves)}", *fields)
        name = self._waves[fields]
        phase = phase_register(wave.channel, slot) if (wave.channel, slot) in self.needs.turned else None
        gain = gain_register(wave.channel) if tuned.gain is None else None
        if phase or gain:
            self.program.read_wmem(name)
            if phase:
                self._write(WAVE_PHASE, f"{WAVE_PHASE} + {self._at(phase)}")
            if gain:
                self._write(WAVE_GAIN, self._at(gain))
            if self._scratch_wave is None:
                self._scratch_wave = self._wave("changed", tuned.generator, 0, 0, 0, 0, 3, 0)
            name = self._scratch_wave
            self.program.write_wmem(name)
        self.program.asm_inst(
            {
                "CMD": "WPORT_WR",
                "DST": str(block["tproc_ch"]),
                "SRC": "wmem",
                "ADDR": f"&{self.program.wave2idx[name]}",
                "TIME": f"@{at}",
            }
        )

    def _wave(
        self,
        name: str,
        generator: int,
        frequency: int,
        phase: int,
        first: int,
        gain: int,
        clocks: int,
        conf: int,
    ) -> str:
        """A wave of the wave memory; returns its name there."""
        from qick.asm_v2 import Waveform

        having = self.program.tproccfg["wmem_size"]
        if len(self.program.waves) >= having:
            raise ProgramError(
                f"the program plays more than {having} different waves, the tProcessor has memory for those"
            )
        wave = Waveform(frequency, phase, first, gain, clocks, conf)
        self.program.add_raw_pulse(name, [wave], gen_ch=generator)
        return str(wave.name)

    def turn(self, channel: int, slot: int, angle: Operand) -> None:
        """Add to the phase in its register."""
        register = self._at(phase_register(channel, slot))
        self._operate(phase_register(channel, slot), f"{register} + {self._right(angle)}")

    def scale(self, channel: int, amplitude: Register, address: int) -> None:
        """2**15 is 1, a gain of 2**15 - 2 is QICK's full scale: g = a - (a + 2**13) / 2**14."""
        block = self.program.soccfg["gens"][self.wiring.generator(channel)]
        if block["maxv"] != GAIN_FULL:
            raise ProgramError(
                f"{self.place(address)}: an amplitude from a register needs a generator with gains up to {GAIN_FULL}, "
                f"that of channel {channel} goes to {block['maxv']}"
            )
        self._operate(SPARE, f"{self._at(amplitude)} AND #65535")
        self.program.cond_jump(self._fault(address), self._at(SPARE), "NS", "-", 2**15 + 1)
        self._operate(SCRATCH, f"{self._at(SPARE)} + #8192")
        self._operate(SCRATCH, f"{self._at(SCRATCH)} SR #14")
        self._operate(gain_register(channel), f"{self._at(SPARE)} - {self._at(SCRATCH)}")

    # Readouts

    def trigger(self, lines: Sequence[int], at: int, address: int) -> None:
        """One pulse for all lines on one port."""
        ports: dict[int, int] = {}
        for line in lines:
            readout = self.program.soccfg["readouts"][self.sights[line].readout]
            port = readout["trigger_port"]
            if readout["trigger_type"] == "dport":
                ports[port] = ports.get(port, 0) | 1 << readout["trigger_bit"]
            else:
                for source, time in (("set", at), ("clr", at + TRIGGER_TICKS)):
                    self.program.asm_inst(
                        {"CMD": "TRIG", "SRC": source, "DST": str(port), "TIME": f"@{time}"}
                    )
            self._operate(count_register(line), f"{self._at(count_register(line))} + #1")
        for port, bits in ports.items():
            for data, time in ((bits, at), (0, at + TRIGGER_TICKS)):
                self.program.asm_inst(
                    {"CMD": "DPORT_WR", "DST": str(port), "SRC": "imm", "DATA": str(data), "TIME": f"@{time}"}
                )

    def read_bit(self, line: int, into: Operand) -> None:
        """The sign of sum - threshold, turned over where 1 is above."""
        sight = self.sights[line]
        self.program.read_input(sight.readout)
        self._operate(SPARE, f"{self._sum(sight)} - {self._right(sight.threshold.least)}")
        self.compute("shr", SPARE, SPARE, 31, 0)
        if isinstance(into, str):
            self._operate(into, f"{self._at(SPARE)} XOR #{int(sight.threshold.above)}")

    def _sum(self, sight: Sight) -> str:
        return SUM_I if sight.threshold.component == "i" else SUM_Q

    # Registers

    def set(self, into: Operand, value: Operand) -> None:
        """Copy."""
        self.program.write_reg(dst=self._at(into), src=self._left(value) if isinstance(value, str) else value)

    def compute(self, operation: str, into: Operand, left: Operand, right: Operand, address: int) -> None:
        """One instruction, but for long shifts and for parity."""
        name, source = str(into), self._left(left)
        if operation == "parity":
            self._operate(SPARE, f"{source} AND {self._right(right)}")
            self._operate(name, f"PAR {self._at(SPARE)}")
        elif operation in SHIFTS:
            amount = int(right) % 32
            self._operate(name, source)
            while amount:
                part = min(amount, SHIFT_MOST)
                self._operate(name, f"{self._at(name)} {SHIFTS[operation]} #{part}")
                amount -= part
        else:
            self._operate(name, f"{source} {OPERATIONS[operation]} {self._right(right)}")

    def _at(self, name: Operand) -> str:
        return self._addresses[str(name)]

    def _left(self, operand: Operand) -> str:
        """First operand of an operation: a register; 0 is one too."""
        return self._at(operand) if isinstance(operand, str) else ZERO

    def _right(self, operand: Operand) -> str:
        """Second operand: a register, or a number, which goes to a register where it is too long."""
        if isinstance(operand, str):
            return self._at(operand)
        number = signed_word(operand)
        if -IMMEDIATE <= number < IMMEDIATE:
            return f"#{number}"
        self.program.write_reg(dst=self._at(SCRATCH), src=number)
        return self._at(SCRATCH)

    def _operate(self, name: str, operation: str) -> None:
        self._write(self._at(name), operation)

    def _write(self, register: str, operation: str) -> None:
        self.program.asm_inst({"CMD": "REG_WR", "DST": register, "SRC": "op", "OP": operation})

    def _fault(self, address: int) -> str:
        """Label of what ends the program with a fault of an instruction."""
        name = self._new_label("fault")
        self._faults.append((name, address))
        return name


def declared(configuration: Any) -> QickProgramV2:
    """An empty program of QICK's for a `QickConfig`."""
    from qick.asm_v2 import QickProgramV2

    return QickProgramV2(configuration)
