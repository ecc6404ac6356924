# SPDX-License-Identifier: BSD-2-Clause
"""The tone generator under Verilator against its model: every output in every cycle."""

import numpy as np
import pytest

from triplane.gateware.dsp.layouts import NUM_TONES, TONES, TONES_PLAYED, pack_entry
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.layouts import Kind
from triplane.gateware.sequencer.tones import ToneGenerator
from triplane.sim.models.sequencer.generator import envelope_words
from triplane.sim.models.sequencer.tones import ToneGeneratorModel
from triplane.sim.pulses import compare, loading, random_events, run_generator

ENTRIES, DEPTH = 16, 64
COUNTER = 2**32 - 50


def simulate(model: ToneGeneratorModel, events, cycles: int, silence=(), **options) -> dict[str, np.ndarray]:
    """Outputs of the gateware, found equal to the model's."""
    written = loading([pack_entry(TONES, e) for e in model.entries], envelope_words(model.envelope))
    written += [("amplitude_tone", 0), *(("amplitude_data", a) for a in model.amplitudes)]
    core = ToneGenerator(entries=ENTRIES, envelope_depth=DEPTH)
    found = run_generator(core, written, events, cycles, silence, counter=COUNTER, **options)
    compare(found, model.run(events, cycles, silence, counter=COUNTER), [name for name, *_ in TONES_PLAYED])
    return found


def table(*entries: dict[str, int]) -> list[dict[str, int]]:
    return [*entries, *[entry()] * (ENTRIES - len(entries))]


def entry(**fields: int) -> dict[str, int]:
    return {"start": 0, "length": 1, "amplitude": 2**15, "mask": 1} | fields


def random_model(rng: np.random.Generator) -> ToneGeneratorModel:
    entries = [
        entry(
            start=int(rng.integers(DEPTH)),
            length=int(rng.choice([0, 1, 1, 2, 3, 5, 9])),
            amplitude=int(rng.choice([2**15, 2**16 - 1, rng.integers(2**16)])),
            mask=int(rng.choice([0xFF, 1 << rng.integers(NUM_TONES), rng.integers(2**NUM_TONES)])),
        )
        for _ in range(ENTRIES)
    ]
    envelope = rng.integers(-(2**15), 2**15, (DEPTH, 4)) >> rng.integers(0, 4, (DEPTH, 1))
    amplitudes = [2**16 - 1, *rng.integers(0, 2**14, NUM_TONES - 1).tolist()]
    return ToneGeneratorModel(entries, envelope, amplitudes)


def test_random_events():
    rng = np.random.default_rng(1)
    found = simulate(random_model(rng), random_events(rng, 3000), 3020)
    assert found["saturated"].any()
    assert found["collision"].any()
    assert (found["samples"] != 0).any(axis=0).all()


def test_random_silence():
    rng = np.random.default_rng(3)
    silence = np.flatnonzero(rng.random(2000) < 0.05).tolist()
    simulate(random_model(rng), random_events(rng, 2000), 2020, silence)


def test_all_tones_at_once_do_not_wrap():
    """Eight tones of nearly 2 in phase, 16 times full scale, through an envelope of 1/32."""
    model = ToneGeneratorModel(
        table(entry(mask=0xFF, length=5)), np.full((DEPTH, 4), 2**10), [2**16 - 1] * NUM_TONES
    )
    found = simulate(model, [(0, Kind.PLAY, 0)], 30)
    assert found["samples"][ToneGenerator.LATENCY].tolist() == pytest.approx([2**14] * 4, abs=2)
    assert not found["saturated"].any()


def test_latency_is_that_of_pulses():
    model = ToneGeneratorModel(table(entry(length=4)), np.full((DEPTH, 4), 2**14), [2**15] * NUM_TONES)
    found = simulate(model, [(3, Kind.PLAY, 0)], 30)
    latency = ToneGenerator.LATENCY
    assert np.flatnonzero(found["samples"].any(axis=1)).tolist() == list(range(3 + latency, 7 + latency))
    assert latency == PulseGenerator.LATENCY
