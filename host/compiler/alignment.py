# SPDX-License-Identifier: BSD-2-Clause
"""Frequencies and phases of all slots of all channels, as the beginning of a program.

RESET events cannot all have one time: a channel takes one event a cycle. So each sets the phase that its slot would
have then, had it been 0 for the sample that an event at the program's beginning acts on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triplane.gateware.sequencer.expression import SAMPLES_PER_CLOCK, TURN
from triplane.hal.device import DAC_HZ

EPOCH_REGISTER = 31
"""Register in which a program is told when its time begins; see `hal.control.ControlProgram`."""

STEP = 4
"""Cycles from one event of a channel to its next."""

NAME = "align"


def frequency_word(frequency_hz: float) -> int:
    """Frequency word of a generator, modulo 2**32: turns per DAC sample.

    Raises:
        ValueError: the converter cannot play it.
    """
    if abs(frequency_hz) > DAC_HZ / 2:
        raise ValueError(f"a generator plays up to +-{DAC_HZ / 2e6:g} MHz, not {frequency_hz / 1e6:g}")
    return round(frequency_hz / DAC_HZ * TURN) % TURN


def aligned(text: str, slots: Mapping[int, Sequence[float]]) -> str:
    """A program's source with the macro `align`, which the program begins with.

    It waits for the time in r31, takes `align_cycles` and leaves the cursor behind them. Groups named `align_*` are
    added behind those of the program.

    Args:
        text: source.
        slots: channel -> frequencies in Hz of its slots, relative to its local oscillator, from slot 0 on.

    Raises:
        ValueError: a channel has more than eight slots, or a frequency is out of range.
    """
    most = max(map(len, slots.values()), default=0)
    if most > 8:
        raise ValueError(f"a channel has 8 frequency slots, not {most}")
    groups, body, time = [], [f".macro {NAME}", f"    until r{EPOCH_REGISTER}"], 0
    groups += [f".group {NAME}_c{channel}, {channel}" for channel in slots]
    for slot in range(most):
        having = [channel for channel in slots if slot < len(slots[channel])]
        groups.append(f".group {NAME}_s{slot}, " + ", ".join(map(str, having)))
        body.append(f"    slot {NAME}_s{slot}, {slot}, +{STEP}")
        words = {channel: frequency_word(slots[channel][slot]) for channel in having}
        body += [f"    freq {NAME}_c{channel}, {word}" for channel, word in words.items()]
        body.append(f"    wait {STEP}")
        time += 2 * STEP
        for channel, word in words.items():
            body.append(f"    reset {NAME}_c{channel}, {word * SAMPLES_PER_CLOCK * time % TURN}")
        body.append(f"    wait {STEP}")
        time += STEP
    body.append(".endmacro")
    lines = text.splitlines()
    last = max((k for k, line in enumerate(lines) if line.lstrip().startswith(".group")), default=-1)
    constants = [f".equ {NAME}_cycles, {time}"]
    return "\n".join([*lines[: last + 1], *groups, *constants, *body, *lines[last + 1 :]]) + "\n"
