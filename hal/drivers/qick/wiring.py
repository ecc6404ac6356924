# SPDX-License-Identifier: BSD-2-Clause
"""Which of QICK's generators and readouts stand for which channels of a program, and what is assumed of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from triplane.hal.drivers.qick.firmware import GENERATORS, READOUTS, Configuration
from triplane.hal.errors import ProgramError, UnsupportedError


@dataclass(frozen=True)
class Drive:
    """A drive channel.

    Attributes:
        generator: index in the configuration's `gens`.
        lo_hz: added to the program's frequencies: QICK's generators play what they are told, without a mixer.
    """

    generator: int
    lo_hz: float = 0.0


@dataclass(frozen=True)
class Line:
    """A readout line.

    Attributes:
        generator: that plays its tone.
        readout: index in the configuration's `readouts`.
        lo_hz: as of `Drive`, for both.
    """

    generator: int
    readout: int
    lo_hz: float = 0.0


@dataclass(frozen=True)
class Wiring:
    """Channels 0, 1, ... of a program are the drives, and the lines follow them.

    Attributes:
        drives, lines: in the order of their channels.
        tones_per_line: measurement slot = line * this + tone, as on a board of Triplane's own.
        lead_cycles: from the start of the tProcessor to the beginning of a program's time: so far ahead the
            processor can be with its work. QICK notices no event that is late.
        result_cycles: after the last sample of a window, until its result can be read. Assumed.
        decision_cycles: after the last sample of a window, until the first event that depends on it. It must leave time
            for the instructions between. Assumed, not measured.
    """

    drives: tuple[Drive, ...]
    lines: tuple[Line, ...] = ()
    tones_per_line: int = 8
    lead_cycles: int = 256
    result_cycles: int = 64
    decision_cycles: int = 192

    @property
    def channels(self) -> int:
        """Channels of a program: drives, then lines."""
        return len(self.drives) + len(self.lines)

    def generator(self, channel: int) -> int:
        """The generator of a channel."""
        return self._part(channel).generator

    def lo_hz(self, channel: int) -> float:
        """What is added to the frequencies of a channel."""
        return self._part(channel).lo_hz

    def line(self, channel: int) -> int | None:
        """Number of the line that a channel is, None for a drive."""
        return None if channel < len(self.drives) else channel - len(self.drives)

    def _part(self, channel: int) -> Drive | Line:
        line = self.line(channel)
        return self.drives[channel] if line is None else self.lines[line]

    def check(self, configuration: Configuration) -> None:
        """Raise unless the firmware has all of this, and of a kind that a control program can use.

        Raises:
            ProgramError: there are no such generators or readouts, or one is used twice.
            UnsupportedError: of a kind that cannot stand for a channel, or a readout without a way to the tProcessor.
        """
        for what, numbers, having in (
            ("generator", [self.generator(c) for c in range(self.channels)], configuration["gens"]),
            ("readout", [line.readout for line in self.lines], configuration["readouts"]),
        ):
            for number in numbers:
                if not 0 <= number < len(having):
                    raise ProgramError(f"the wiring names {what} {number}, the firmware has {len(having)}")
                if numbers.count(number) > 1:
                    raise ProgramError(f"the wiring names {what} {number} twice")
        for channel in range(self.channels):
            generator = configuration["gens"][self.generator(channel)]
            if generator["type"] not in GENERATORS:
                raise UnsupportedError(
                    f"generator {self.generator(channel)} is a {generator['type']}; a channel needs one of "
                    f"{', '.join(GENERATORS)}"
                )
        for line in self.lines:
            readout = configuration["readouts"][line.readout]
            if readout["ro_type"] not in READOUTS:
                raise UnsupportedError(
                    f"readout {line.readout} is a {readout['ro_type']}; a line needs one of {', '.join(READOUTS)}"
                )
            if readout["tproc_ch"] < 0:
                raise UnsupportedError(
                    f"readout {line.readout} has no way to the tProcessor: its results cannot be waited for"
                )


def usual_wiring(configuration: Configuration) -> Wiring:
    """All readouts of one tone as lines, each with a generator, from the last one down; the others are drives.

    Local oscillators are 0: frequencies of a program are then those at the converters.
    """
    usable = list(_usable(configuration["gens"], "type", GENERATORS))
    readouts = [
        number
        for number in _usable(configuration["readouts"], "ro_type", READOUTS)
        if configuration["readouts"][number]["tproc_ch"] >= 0
    ][: len(usable) // 2]
    for_lines = usable[len(usable) - len(readouts) :]
    return Wiring(
        drives=tuple(Drive(number) for number in usable[: len(usable) - len(readouts)]),
        lines=tuple(Line(gen, readout) for gen, readout in zip(for_lines, readouts, strict=True)),
    )


def _usable(blocks: list[dict[str, object]], key: str, kinds: tuple[str, ...]) -> Iterator[int]:
    return (number for number, block in enumerate(blocks) if block[key] in kinds)
