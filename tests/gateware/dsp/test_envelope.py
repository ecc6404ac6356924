# SPDX-License-Identifier: BSD-2-Clause
"""The front of a generator under Verilator against its model: what plays, when, and how loud."""

import numpy as np

from triplane.gateware.dsp.envelope import EnvelopePlayer
from triplane.gateware.dsp.layouts import TONES, pack_entry
from triplane.sim.models.dsp.envelope import scale_envelope, schedule
from triplane.sim.models.sequencer.generator import envelope_words
from triplane.sim.vectors import run_vectors

BITS, FRACTION = 18, 2
CYCLES = 800
AFTER_LOADING = 40


def test_random_plays():
    rng = np.random.default_rng(1)
    entries = [
        {
            "start": int(rng.integers(8)),
            "length": int(length),
            "amplitude": int(rng.integers(2**16)),
            "mask": int(rng.integers(256)),
        }
        for length in (0, 1, 2, 6)
    ]
    envelope = rng.integers(-(2**15), 2**15, (8, 4))
    core = EnvelopePlayer(TONES, entries=4, depth=8, bits=BITS, fraction=FRACTION)
    inputs = {
        name: getattr(core, name) for name in ("play", "number", "set_amplitude", "amplitude", "silence")
    }
    stimuli = {}
    for name, words in (
        ("table", [w for e in entries for w in pack_entry(TONES, e)]),
        ("envelope", envelope_words(envelope)),
    ):
        data = getattr(core, name)._data
        inputs |= {f"{name}_data": data.storage, f"{name}_re": data.re}
        stimuli |= {f"{name}_data": words, f"{name}_re": [1] * len(words)}
    loading = np.arange(CYCLES) < AFTER_LOADING
    stimuli["play"] = (rng.random(CYCLES) < 0.5) & ~loading
    stimuli["number"] = rng.integers(0, 4, CYCLES)
    stimuli["set_amplitude"] = (rng.random(CYCLES) < 0.1) & ~stimuli["play"]
    stimuli["amplitude"] = rng.integers(0, 2**16, CYCLES)
    stimuli["silence"] = (rng.random(CYCLES) < 0.02) & ~loading
    outputs = {"re0": core.re[0], "im0": core.im[0], "re1": core.re[1], "im1": core.im[1]}
    outputs |= {name: getattr(core, name) for name in ("collision", "saturated", "started", "entry", "gain")}
    found = run_vectors(core, inputs, outputs, stimuli, "envelope")

    scale, plays = 2**15, []
    for time in range(CYCLES):
        if stimuli["set_amplitude"][time]:
            scale = int(stimuli["amplitude"][time])
        if stimuli["play"][time]:
            plays.append((time, int(stimuli["number"][time]), scale))
    accepted, refused = schedule(plays, entries, np.flatnonzero(stimuli["silence"]).tolist())
    expected, saturated = np.zeros((CYCLES + 20, 4), dtype=np.int64), np.zeros(CYCLES + 20, dtype=bool)
    for playing in accepted:
        at = playing.time + core.LATENCY + np.arange(playing.clocks)
        address = (entries[playing.number]["start"] + np.arange(playing.clocks)) % 8
        gain = np.full(playing.clocks, playing.gain)
        expected[at], saturated[at] = scale_envelope(envelope[address], gain, bits=BITS, fraction=FRACTION)
    np.testing.assert_array_equal(
        np.stack([found[pin] for pin in ("re0", "im0", "re1", "im1")], axis=1), expected[:CYCLES]
    )
    np.testing.assert_array_equal(found["saturated"], saturated[:CYCLES])
    assert np.flatnonzero(found["collision"]).tolist() == [t + 1 for t in refused if t + 1 < CYCLES]
    started = np.flatnonzero(found["started"])
    recorded = [p for p in accepted if p.recorded and p.time + core.STARTED < CYCLES]
    assert started.tolist() == [p.time + core.STARTED for p in recorded]
    assert found["entry"][started].tolist() == [p.number for p in recorded]
    assert found["gain"][started].tolist() == [p.gain for p in recorded]
    assert saturated.any()
    assert refused
