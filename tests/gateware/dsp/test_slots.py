# SPDX-License-Identifier: BSD-2-Clause
"""Frequency slots under Verilator against their model: every phase of every slot in every cycle."""

import numpy as np

from triplane.gateware.dsp.slots import FrequencySlots
from triplane.sim.models.dsp.slots import NUM_SLOTS, SlotTimeline
from triplane.sim.vectors import run_vectors

EVENTS = ("select", "shift", "tune", "align")
AFTER = ("after", "after_slot", "after_value")


def test_random_events_and_phases_left_behind():
    """An event in most cycles, and a phase left behind by a pulse in every third, often on the same slot."""
    rng = np.random.default_rng(1)
    cycles = 1500
    core = FrequencySlots()
    kinds = rng.choice([*range(4), 1, 3, 4], cycles)
    stimuli = {name: kinds == k for k, name in enumerate(EVENTS)}
    stimuli["value"] = np.where(kinds == 0, rng.integers(0, 3, cycles), rng.integers(0, 2**32, cycles))
    stimuli["after"] = rng.random(cycles) < 0.3
    stimuli["after_slot"] = rng.integers(0, 3, cycles)
    stimuli["after_value"] = rng.integers(0, 2**32, cycles)
    outputs = {f"phase{k}": core.phases[k] for k in range(NUM_SLOTS)}
    outputs |= {f"frequency{k}": core.frequencies[k] for k in range(NUM_SLOTS)}
    outputs |= {name: getattr(core, name) for name in ("due", "due_slot", "due_value")}
    inputs = {name: getattr(core, name) for name in (*EVENTS, "value", *AFTER)}
    found = run_vectors(core, inputs, outputs, stimuli, "slots")

    timeline, selected = SlotTimeline(cycles), 0
    for time, (kind, value) in enumerate(zip(kinds, stimuli["value"].tolist(), strict=True)):
        match kind:
            case 0:
                selected = value
            case 1:
                timeline.shift(time, selected, value)
            case 2:
                timeline.tune(time, selected, value)
            case 3:
                timeline.align(time, selected, value)
        if stimuli["after"][time]:
            timeline.shift(time, int(stimuli["after_slot"][time]), int(stimuli["after_value"][time]))
    for k in range(NUM_SLOTS):
        still = np.where((found["due"] != 0) & (found["due_slot"] == k), found["due_value"], 0)
        phase = (found[f"phase{k}"] + still) & 0xFFFFFFFF
        np.testing.assert_array_equal(phase[core.LATENCY :], timeline.phases(k)[: -core.LATENCY])
        np.testing.assert_array_equal(
            found[f"frequency{k}"][core.LATENCY :], timeline.frequencies(k)[: -core.LATENCY]
        )
