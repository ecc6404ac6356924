# SPDX-License-Identifier: BSD-2-Clause
"""A control program becomes a program of QICK's, or is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triplane.hal.control import ControlProgram, Demodulation
from triplane.hal.drivers.qick.firmware import (
    CYCLE_HZ,
    Configuration,
    Limits,
    installed,
    limits_of,
    megahertz,
)
from triplane.hal.drivers.qick.flow import Translation
from triplane.hal.drivers.qick.machine import Needs
from triplane.hal.drivers.qick.processor import FIRST, Processor, Sight, declared
from triplane.hal.drivers.qick.readout import (
    ADC_WORD_HZ,
    DAC_WORD_HZ,
    Threshold,
    phase_turns,
    signed_word,
    threshold_of,
    window_of,
)
from triplane.hal.drivers.qick.steps import Step, Steps
from triplane.hal.drivers.qick.waves import Generators
from triplane.hal.drivers.qick.wiring import Wiring
from triplane.hal.errors import BuildError, ProgramError, UnsupportedError

if TYPE_CHECKING:
    from qick.asm_v2 import QickProgramV2

MATCH_HZ = 1.0
"""By which a line's two frequency words may differ: half a step of each, and room."""

SAMPLE_RANGE = 2**15
"""Of a sample that a readout adds up."""


@dataclass(frozen=True)
class LineSettings:
    """How a readout is set while a program runs.

    Attributes:
        frequency_mhz: of tone and readout, at the converters.
        phase_deg: of the readout.
        length_us: of its window.
        threshold: when a bit is 1.
    """

    frequency_mhz: float
    phase_deg: float
    length_us: float
    threshold: Threshold


@dataclass(frozen=True)
class Compiled:
    """A control program as QICK runs it.

    Attributes:
        program: of QICK's, assembled.
        registers: numbers of the program's registers that are kept, in their order in data memory.
        lines: that measure, ascending; their counts stand before the registers.
        settings: of these lines.
        wiring: that it was compiled for.
        limits: of the firmware.
    """

    program: QickProgramV2
    registers: tuple[int, ...]
    lines: tuple[int, ...]
    settings: Mapping[int, LineSettings]
    wiring: Wiring
    limits: Limits

    @property
    def data_words(self) -> int:
        """Words of data memory that are used."""
        return FIRST + len(self.lines) + len(self.registers)

    @property
    def largest_error_s(self) -> float:
        """Half a tick: no event is further from its time than that."""
        return float(1 / (2 * self.limits.tick_hz)) if self.limits.ticks_per_cycle.denominator > 1 else 0.0


def compile_program(program: ControlProgram, configuration: Configuration, wiring: Wiring) -> Compiled:
    """A control program for a board with QICK's firmware.

    Args:
        program: in numbers of this board: see `readout` for its discriminants.
        configuration: the board's `soccfg`.
        wiring: of the program's channels.

    Raises:
        BuildError: the qick package is missing.
        UnsupportedError: the firmware's tProcessor is not v2, or a block cannot stand for a channel.
        ProgramError: QICK cannot do what the program asks for, or the board has not enough of something.
    """
    if not installed():
        raise BuildError("the qick package is not installed; install triplane[qick]")
    from qick import QickConfig

    limits = limits_of(configuration)
    if limits.processor != "v2":
        raise UnsupportedError(
            f"the firmware has a tProcessor {limits.processor}; control programs are compiled for v2 (qick.asm_v2), "
            "which is in QICK's firmware projects and not in the package; load such a firmware"
        )
    wiring.check(configuration)
    _check_tables(program, wiring)
    steps = Steps(program.sequence, program.epoch_register)
    settings = _lines(program, wiring, steps, configuration)
    quick = declared(QickConfig(dict(configuration)))
    generators = Generators(program, wiring, configuration["gens"])
    translation = Translation(program, wiring, limits.ticks_per_cycle, limits.program_words)
    needs = Needs()
    translation.tell(needs)
    for channel in sorted(needs.channels):
        frequency = _loudest(program, wiring, channel)
        half = megahertz(configuration["gens"][wiring.generator(channel)]["f_dds"]) / 2
        quick.declare_gen(ch=wiring.generator(channel), nqz=2 if abs(frequency) > half else 1)
    sights = {}
    for line in sorted(needs.lines):
        sights[line] = Sight(wiring.lines[line].readout, settings[line].threshold)
        _declare(quick, wiring, line, settings[line], configuration)
    processor = Processor(
        quick, wiring, generators, sights, needs, limits.ticks_per_cycle, program.sequence.place
    )
    if processor.data_words > limits.data_words:
        raise ProgramError(
            f"the program needs {processor.data_words} words of data memory, the tProcessor has {limits.data_words}"
        )
    processor.begin(round(wiring.lead_cycles * limits.ticks_per_cycle))
    for line in sorted(needs.lines):
        if "tproc_ctrl" in configuration["readouts"][wiring.lines[line].readout]:
            quick.send_readoutconfig(ch=wiring.lines[line].readout, name=f"line{line}", t=0)
    translation.tell(processor)
    processor.finish()
    for channel, generator in generators.of.items():
        for number, envelope in enumerate(generator.contents()):
            quick.add_envelope(
                wiring.generator(channel), f"envelope{number}", idata=envelope[:, 0], qdata=envelope[:, 1]
            )
    try:
        quick.compile()
    except RuntimeError as error:
        raise ProgramError(f"QICK's assembler refuses the program: {error}") from error
    return Compiled(
        quick, tuple(sorted(needs.registers)), tuple(sorted(needs.lines)), settings, wiring, limits
    )


def _check_tables(program: ControlProgram, wiring: Wiring) -> None:
    """Refuse what is beside the instructions."""
    for what, need, have in (
        ("drive channels", len(program.drives), len(wiring.drives)),
        ("readout lines", max(len(program.tones), len(program.demodulation)), len(wiring.lines)),
    ):
        if need > have:
            raise ProgramError(f"the program needs {need} {what}, the wiring has {have}")
    if program.syndrome is not None:
        raise UnsupportedError(
            "the program has a syndrome table; QICK's firmware forms no syndromes (features.decoding is false)"
        )
    if program.rounds:
        raise UnsupportedError(
            f"the program has shots of {program.rounds} rounds; QICK's firmware has no decoder (features.decoding is "
            "false)"
        )
    if program.watchdog_cycles:
        raise UnsupportedError(
            f"the program has a watchdog of {program.watchdog_cycles} cycles; QICK's firmware has none, give a limit "
            "to execute()"
        )


def _lines(
    program: ControlProgram, wiring: Wiring, steps: Steps, configuration: Configuration
) -> dict[int, LineSettings]:
    """How the readouts of the lines that a program measures are set; each in one way for all of it."""
    found: dict[int, tuple[LineSettings, int]] = {}
    for step in steps.steps:
        if step.mnemonic != "capture" or step.by_register or step["group"] >= len(program.sequence.groups):
            continue  # refused where it is translated
        for channel in program.sequence.groups[step["group"]].channels:
            line = wiring.line(channel) if channel < wiring.channels else None
            if line is None:
                continue
            try:
                made = _setting(program, wiring, line, step, configuration)
            except ProgramError as error:
                steps.refuse(step.address, str(error))
            known, first = found.setdefault(line, (made, step.address))
            if known != made:
                steps.refuse(
                    step.address,
                    f"line {line} would be set in another way than for address {first}; one of QICK's readouts has one "
                    "frequency, phase, length and threshold in a program",
                )
    return {line: settings for line, (settings, _) in found.items()}


def _setting(
    program: ControlProgram, wiring: Wiring, line: int, step: Step, configuration: Configuration
) -> LineSettings:
    window, tone = window_of(program, line, step["b"] & 0x3FF)
    demodulation: Demodulation = program.demodulation[line]
    name = f"window {step['b'] & 0x3FF} of line {line}"
    readout = configuration["readouts"][wiring.lines[line].readout]
    rate = megahertz(readout["f_output"])
    samples = -int(-(rate * window.length) // CYCLE_HZ)
    threshold = threshold_of(
        demodulation.discriminants[tone], f"the discriminant of tone {tone} of line {line}"
    )
    if SAMPLE_RANGE * samples + abs(threshold.least) >= 2**31:
        raise ProgramError(
            f"{name} adds up {samples} samples and compares with {threshold.least}; "
            "the difference has no room in 32 bits"
        )
    return LineSettings(
        (wiring.lines[line].lo_hz + signed_word(demodulation.frequencies[tone]) * ADC_WORD_HZ) / 1e6,
        phase_turns(demodulation, window, tone, name) * 360,
        float(samples / rate * 10**6),
        threshold,
    )


def _declare(
    quick: QickProgramV2, wiring: Wiring, line: int, settings: LineSettings, configuration: Configuration
) -> None:
    """A readout at a frequency that its line's generator can play too."""
    part = wiring.lines[line]
    tone = {"freq": settings.frequency_mhz, "phase": settings.phase_deg, "gen_ch": part.generator}
    if "tproc_ctrl" in configuration["readouts"][part.readout]:
        quick.declare_readout(ch=part.readout, length=settings.length_us)
        if part.generator not in quick.gen_chs:
            quick.declare_gen(ch=part.generator, nqz=1)
        quick.add_readoutconfig(ch=part.readout, name=f"line{line}", **tone)
    else:
        quick.declare_readout(ch=part.readout, length=settings.length_us, **tone)


def _loudest(program: ControlProgram, wiring: Wiring, channel: int) -> float:
    """The frequency of a channel's that is furthest from 0, for its Nyquist zone."""
    words = [
        signed_word(step["b"])
        for step in Steps(program.sequence, program.epoch_register).steps
        if step.mnemonic == "freq"
        and not step.by_register
        and step["group"] < len(program.sequence.groups)
        and channel in program.sequence.groups[step["group"]].channels
    ]
    return max((wiring.lo_hz(channel) + word * DAC_WORD_HZ for word in words or [0]), key=abs)
