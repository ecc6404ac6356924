# SPDX-License-Identifier: BSD-2-Clause
"""The pulse generator under Verilator against its model: every output in every cycle."""

import numpy as np
import pytest

from triplane.gateware.dsp.layouts import PLAYED, PULSE, pack_entry
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.layouts import Kind
from triplane.sim.models.sequencer.generator import PulseGeneratorModel, envelope_words
from triplane.sim.pulses import compare, loading, random_events, run_generator

ENTRIES, DEPTH = 16, 64
LATENCY = PulseGenerator.LATENCY
COUNTER = 2**32 - 50
"""Low half of the cycle counter wraps during each test."""


def simulate(model: PulseGeneratorModel, events, cycles: int, silence=(), **options) -> dict[str, np.ndarray]:
    """Outputs of the gateware, found equal to the model's."""
    written = loading([pack_entry(PULSE, e) for e in model.entries], envelope_words(model.envelope))
    core = PulseGenerator(entries=ENTRIES, envelope_depth=DEPTH)
    found = run_generator(core, written, events, cycles, silence, counter=COUNTER, **options)
    expected = model.run(events, cycles, silence, counter=COUNTER)
    compare(found, expected, [name for name, *_ in PLAYED])
    return found


def entry(**fields: int) -> dict[str, int]:
    return {"start": 0, "length": 1, "amplitude": 2**15, "slot": 0, "phase": 0, "after": 0} | fields


def table(*entries: dict[str, int]) -> list[dict[str, int]]:
    return [*entries, *[entry()] * (ENTRIES - len(entries))]


def random_model(rng: np.random.Generator) -> PulseGeneratorModel:
    """Short pulses at random places of a random memory; some are empty, some too loud."""
    entries = [
        entry(
            start=int(rng.integers(DEPTH)),
            length=int(rng.choice([0, 1, 1, 2, 3, 5, 9])),
            amplitude=int(rng.choice([2**15, 2**16 - 1, rng.integers(2**16)])),
            slot=int(rng.integers(8)),
            phase=int(rng.integers(2**32)),
            after=int(rng.integers(2**32)),
        )
        for _ in range(ENTRIES)
    ]
    envelope = rng.integers(-(2**15), 2**15, (DEPTH, 4)) >> rng.integers(0, 3, (DEPTH, 1))
    return PulseGeneratorModel(entries, envelope)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_events(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    found = simulate(model, random_events(rng, 6000), 6020)
    assert found["saturated"].any()
    assert found["collision"].any()
    assert (found["samples"] != 0).any(axis=0).all()


def test_random_silence():
    rng = np.random.default_rng(4)
    model = random_model(rng)
    silence = np.flatnonzero(rng.random(3000) < 0.05).tolist()
    simulate(model, random_events(rng, 3000), 3020, silence)


def test_latency_and_silence():
    """First sample at LATENCY, silence within SILENCE_CYCLES, and nothing before and after."""
    full = PulseGeneratorModel(table(entry(length=DEPTH)), np.full((DEPTH, 4), 20000))
    found = simulate(full, [(5, Kind.PLAY, 0)], 100, silence=[40])
    sounding = np.flatnonzero(found["samples"].any(axis=1))
    assert sounding[0] == 5 + LATENCY <= 5 + 8
    assert sounding[-1] == 40 + PulseGenerator.SILENCE_CYCLES - 1
    assert len(sounding) == sounding[-1] - sounding[0] + 1
    assert PulseGenerator.SILENCE_CYCLES <= LATENCY


def test_no_gap_between_pulses():
    loud = PulseGeneratorModel(table(entry(length=1), entry(length=3)), np.full((DEPTH, 4), 20000))
    events = [(0, Kind.PLAY, 1), (3, Kind.PLAY, 0), (4, Kind.PLAY, 0), (5, Kind.PLAY, 1), (7, Kind.PLAY, 0)]
    found = simulate(loud, events, 40)
    assert np.flatnonzero(found["samples"].any(axis=1)).tolist() == list(range(LATENCY, LATENCY + 8))
    assert np.flatnonzero(found["collision"]).tolist() == [8]


def test_saturations_are_counted():
    model = PulseGeneratorModel(table(entry(length=7, amplitude=2**16 - 1)), np.full((DEPTH, 4), 2**15 - 1))
    found = simulate(model, [(0, Kind.PLAY, 0)], 40, read="saturations_count")
    assert np.flatnonzero(found["saturated"]).tolist() == list(range(LATENCY, LATENCY + 7))
    assert found["samples"].max() == 2**15 - 1
    assert found["dat_r"][-1] == 7


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="power of two of entries, 2 to 1024, not 12"):
        PulseGenerator(entries=12)
    with pytest.raises(ValueError, match="power of two of clocks, 2 to 32768, not 65536"):
        PulseGenerator(envelope_depth=65536)
