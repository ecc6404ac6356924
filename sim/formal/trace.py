# SPDX-License-Identifier: BSD-2-Clause
"""A counterexample as a person reads it: one line a cycle, one column a signal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path


def read_vcd(path: Path) -> dict[str, list[str]]:
    """Signal -> its value in each cycle, of a waveform that SymbiYosys wrote: a step is 10 units of time.

    Names are those of the top module, without the ones below it; values are binary, `x` where unknown.

    Raises ValueError: the file has no steps.
    """
    names: dict[str, list[str]] = {}
    depth, times, values = 0, [], {}
    history: list[dict[str, str]] = []
    for line in path.read_text().splitlines():
        word = line.split()
        if line.startswith("$scope"):
            depth += 1
        elif line.startswith("$upscope"):
            depth -= 1
        elif line.startswith("$var") and depth == 1:
            names.setdefault(word[3], []).append(word[4])
        elif line.startswith("#"):
            times.append(int(line[1:]))
            history.append({})
        elif match := re.fullmatch(r"b([01xz]+) (\S+)|([01xz])(\S+)", line):
            values = {match[2] or match[4]: match[1] or match[3]}
            if history:
                history[-1] |= values
    if not times:
        raise ValueError(f"{path} has no steps")
    cycles = times[-1] // 10
    present: dict[str, str] = {}
    result: dict[str, list[str]] = {name: [] for code in names for name in names[code]}
    steps = dict(zip(times, history, strict=True))
    for cycle in range(cycles):
        for time in range(10 * cycle, 10 * cycle + 10):
            # What changes within a step is the clock.
            present |= steps.get(time, {}) if time % 10 == 0 else {}
        for code, aliases in names.items():
            for name in aliases:
                result[name].append(present.get(code, "x"))
    return result


def table(signals: Mapping[str, Sequence[str]], columns: Sequence[str]) -> str:
    """The named signals, a line for each cycle: flags and vectors as bits, most significant first."""
    shown = [name for name in columns if name in signals]
    length = max((len(signals[name]) for name in shown), default=0)
    widths = [max(len(name), *(len(v) for v in signals[name])) for name in shown]
    lines = ["cycle  " + "  ".join(name.rjust(w) for name, w in zip(shown, widths, strict=True))]
    for cycle in range(length):
        cells = [signals[name][cycle].rjust(w) for name, w in zip(shown, widths, strict=True)]
        lines.append(f"{cycle:5}  " + "  ".join(cells))
    return "\n".join(lines)
