# SPDX-License-Identifier: BSD-2-Clause
"""Loading of wide memories and counting, register by register."""

import numpy as np
from litex.gen import LiteXModule
from migen import Signal

from triplane.gateware.dsp.loader import EntryLoader
from triplane.gateware.dsp.tally import Tally
from triplane.sim.vectors import run_vectors


def written(words: int, accesses: list[tuple[str, int]]) -> list[tuple[int, int]]:
    """(number, entry) of what a loader of 8 entries stores after accesses to its registers."""
    loader = EntryLoader(words, 8, "a memory")
    inputs = {}
    for name in ("index", "data"):
        register = getattr(loader, f"_{name}")
        inputs |= {name: register.storage, f"{name}_re": register.re}
    stimuli = {pin: np.zeros(len(accesses), dtype=np.int64) for pin in inputs}
    for cycle, (name, value) in enumerate(accesses):
        stimuli[name][cycle], stimuli[f"{name}_re"][cycle] = value, 1
    parts = {f"part{k}": Signal(32, name=f"part{k}") for k in range(words)}
    top = LiteXModule()
    top.loader = loader
    top.comb += [part.eq(loader.entry[32 * k : 32 * (k + 1)]) for k, part in enumerate(parts.values())]
    found = run_vectors(
        top, inputs, {"write": loader.write, "number": loader.number} | parts, stimuli, "loader"
    )
    return [
        (int(found["number"][c]), sum(int(found[f"part{k}"][c]) << 32 * k for k in range(words)))
        for c in np.flatnonzero(found["write"])
    ]


def test_entries_follow_each_other():
    """The index forgets the half of an entry that was written before it."""
    accesses = [("data", 11), ("data", 12), ("index", 6), *(("data", value) for value in range(1, 9))]
    accesses += [("index", 3), ("data", 9), ("data", 10), ("data", 11)]
    assert written(3, accesses) == [
        (6, 1 | 2 << 32 | 3 << 64),
        (7, 4 | 5 << 32 | 6 << 64),
        (3, 9 | 10 << 32 | 11 << 64),
    ]


def test_entries_of_one_word():
    assert written(1, [("index", 2), ("data", 7), ("data", 8)]) == [(2, 7), (3, 8)]


def test_tally_stops_at_its_end(monkeypatch):
    monkeypatch.setattr(Tally, "BITS", 3)
    tally = Tally("Cycles")
    top = LiteXModule()
    top.tally = tally
    found = run_vectors(
        top,
        {"happens": tally.happens},
        {"count": tally._count.status},
        {"happens": [0, 1, 1, 0] + [1] * 10},
        "tally",
    )
    assert found["count"].tolist() == [0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7]
