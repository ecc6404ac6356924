# SPDX-License-Identifier: BSD-2-Clause
"""Frequencies and phases of all slots of all channels, as the beginning of a program.

RESET events cannot all have one time: a channel takes one event a cycle. So each sets the phase that its slot would
have then, had it been 0 for the sample that an event at the program's beginning acts on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triplane.gateware.dsp.layouts import SLOT_BITS
from triplane.gateware.sequencer.expression import SAMPLES_PER_CLOCK, TURN
from triplane.hal.device import DAC_HZ

EPOCH_REGISTER = 31
"""Register in which a program is told when its time begins; see `hal.control.ControlProgram`."""

NUM_SLOTS = 2**SLOT_BITS
SCRATCH_REGISTER = 30
"""Register that the alignment uses."""

AHEAD = 40
"""Cycles, beyond one for each of its instructions, from which on the alignment is executed before its time."""

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
    """A program's source with the alignment of all slots before its first instruction.

    It waits for the time in r31, which is given as `hal.control.ControlProgram.epoch_register`, and leaves the cursor
    behind it, and slot 0 selected on all channels. The program is executed no earlier than shortly before that time, so
    that the bounds of its waits count from there. r30 is used. Groups named `align_*` are added behind those of the
    program.

    Args:
        text: source.
        slots: channel -> frequencies in Hz of its slots, relative to its local oscillator, from slot 0 on.

    Raises:
        ValueError: a channel has more than eight slots, or a frequency is out of range.
    """
    most = max(map(len, slots.values()), default=0)
    if most > NUM_SLOTS:
        raise ValueError(f"a channel has {NUM_SLOTS} frequency slots, not {most}")
    groups: list[str] = []
    body: list[str] = []
    time = 0
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
    if most > 1:
        groups.append(f".group {NAME}_all, " + ", ".join(map(str, slots)))
        body += [f"    slot {NAME}_all, 0", f"    wait {STEP}"]
    soon = len(body) + AHEAD
    body = [
        f"{NAME}:",
        f"    now r{SCRATCH_REGISTER}",
        f"    sub r{SCRATCH_REGISTER}, r{EPOCH_REGISTER}, r{SCRATCH_REGISTER}",
        f"    bge r{SCRATCH_REGISTER}, {soon}, {NAME}",
        f"    until r{EPOCH_REGISTER}",
        *body,
    ]
    lines = text.splitlines()
    first = _first_instruction(lines)
    return "\n".join([*lines[:first], *groups, *body, *lines[first:]]) + "\n"


def _first_instruction(lines: Sequence[str]) -> int:
    """Index of the first line that is neither empty, nor a directive, nor within a macro."""
    within = False
    for number, line in enumerate(lines):
        words = line.split(";")[0].split()
        if not words:
            continue
        if words[0] in (".macro", ".endmacro"):
            within = words[0] == ".macro"
        elif not within and not words[0].startswith("."):
            return number
    return len(lines)
