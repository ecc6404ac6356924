# SPDX-License-Identifier: BSD-2-Clause
"""The pulse generator's model against float64: exp(2 pi i f t), derivatives, a reference that goes sample by sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplane.gateware.dsp.layouts import PULSE, pack_entry
from triplane.gateware.sequencer.layouts import Kind
from triplane.sim.models.sequencer.generator import (
    LATENCY,
    PulseGeneratorModel,
    envelope_words,
    quantise_envelope,
)

TOLERANCE = 1.8
"""LSB: rounding of product, envelope and oscillator, each in both parts."""

FULL = (2**15 - 1) / 2**15
"""Amplitude of a carrier."""

DEPTH = 32


def entry(**fields: int) -> dict[str, int]:
    return {"start": 0, "length": 1, "amplitude": 2**15, "slot": 0, "phase": 0, "after": 0} | fields


def played(model: PulseGeneratorModel, events, cycles: int) -> np.ndarray:
    """Complex samples, two a cycle; sample 0 is the first of time 0."""
    samples = model.run(events, cycles + LATENCY).samples[LATENCY:]
    return (samples[:, 0::2] + 1j * samples[:, 1::2]).ravel()


def test_hops_are_coherent():
    """A hop to another frequency and back: each stretch is on exp(2 pi i f t) with t from the tuning, not the hop."""
    frequency = {0: 0x0312_3457, 1: -0x0777_1235, 2: 0x4321_0FED}
    flat = np.tile([30000, 0, 30000, 0], (DEPTH, 1))
    model = PulseGeneratorModel([entry(slot=s, length=DEPTH) for s in frequency], flat)
    tuned = 10
    events = [(4, Kind.SLOT, 0), (5, Kind.FREQ, frequency[0] % 2**32), (7, Kind.SLOT, 1)]
    events += [(8, Kind.FREQ, frequency[1] % 2**32), (9, Kind.SLOT, 2), (tuned, Kind.FREQ, frequency[2])]
    hops = [0, 1, 0, 2, 1, 0, 2, 2, 1, 0]
    begin = 20
    events += [(begin + DEPTH * k, Kind.PLAY, slot) for k, slot in enumerate(hops)]
    cycles = begin + DEPTH * len(hops)
    samples = played(model, events, cycles)
    since = {0: 5, 1: 8, 2: 10}
    for k, slot in enumerate(hops):
        times = 2 * (begin + DEPTH * k) + np.arange(2 * DEPTH)
        turns = frequency[slot] / 2**32 * (times - 2 * since[slot])
        expected = 30000 * FULL * np.exp(2j * np.pi * turns)
        assert np.abs(samples[times] - expected).max() < TOLERANCE + 30000 * 2 * np.pi * 2**-24


def test_spectrum_of_a_pulse_on_a_carrier():
    """A long flat pulse has one line, where numpy.fft finds it, and 80 dB below nothing else."""
    count, line = 2**12, 613
    flat = np.tile([2**15 - 1, 0, 2**15 - 1, 0], (count // 2, 1))
    model = PulseGeneratorModel([entry(length=count // 2)], flat)
    samples = played(model, [(0, Kind.FREQ, line * 2**20), (9, Kind.PLAY, 0)], count // 2 + 9)[18:]
    power = np.abs(np.fft.fft(samples)) ** 2
    assert power.argmax() == line
    assert 10 * np.log10(power[line] / np.delete(power, line).max()) > 80


def test_drag_envelope():
    """The quadrature of a DRAG pulse is the derivative of its in-phase part, also after scaling."""
    count, sigma, drag = 2 * DEPTH, 9.0, 0.6
    x = np.arange(count) - (count - 1) / 2
    gaussian = np.exp(-(x**2) / (2 * sigma**2))
    model = PulseGeneratorModel(
        [entry(length=DEPTH, amplitude=3 << 13)],
        quantise_envelope(gaussian - 1j * drag * x / sigma**2 * gaussian),
    )
    samples = played(model, [(0, Kind.PLAY, 0)], DEPTH)
    assert samples.real.max() == pytest.approx(0.75 * 32767 * gaussian.max(), abs=TOLERANCE)
    slope = np.gradient(samples.real)
    fitted = (slope @ samples.imag) / (slope @ slope)
    assert fitted == pytest.approx(drag, rel=0.01)
    assert np.abs(samples.imag - drag * slope)[2:-2].max() < 0.002 * 32767


def test_virtual_z_between_pulses_without_a_gap():
    """A quarter turn after the first pulse, another by an entry of no length, a third by an event."""
    flat = np.tile([20000, 0, 20000, 0], (DEPTH, 1))
    quarter = 2**30
    model = PulseGeneratorModel([entry(length=4, after=quarter), entry(length=0, after=quarter)], flat)
    events = [(0, Kind.PLAY, 0), (4, Kind.PLAY, 0), (8, Kind.PLAY, 1), (9, Kind.PLAY, 0)]
    events += [(13, Kind.PHASE, quarter), (14, Kind.PLAY, 0)]
    samples = played(model, events, 20)
    for first, turns in ((0, 0), (8, 1), (18, 3), (28, 5)):
        assert np.abs(samples[first : first + 8] - 20000 * 1j**turns).max() < TOLERANCE
    assert not samples[16:18].any()
    assert not samples[26:28].any()


@st.composite
def programs(draw):
    """Entries and events: bursts and pauses, a few kinds of numbers."""
    word = st.one_of(st.sampled_from([0, 1, 2**30, 2**31, 2**32 - 1]), st.integers(0, 2**32 - 1))
    amplitude = st.one_of(st.just(2**15), st.integers(0, 2**16 - 1))
    fields = st.fixed_dictionaries(
        {
            "start": st.integers(0, DEPTH - 1),
            "length": st.integers(0, 6),
            "amplitude": amplitude,
            "slot": st.integers(0, 7),
            "phase": word,
            "after": word,
        }
    )
    entries = draw(st.lists(fields, min_size=4, max_size=4))
    events, time = [], 0
    for _ in range(draw(st.integers(0, 30))):
        kind = draw(st.sampled_from([Kind.PLAY, Kind.PLAY, *Kind]))
        value = draw({Kind.AMP: amplitude, Kind.PLAY: st.integers(0, 3)}.get(kind, word))
        events.append((time, int(kind), value))
        time += draw(st.sampled_from([1, 1, 2, 3, 7]))
    return entries, events, time + 8


def reference(entries, envelope, events, cycles) -> np.ndarray:
    """What the documentation says, one sample after the other, in float64: complex (2 * cycles,)."""
    turns, frequency = [0.0] * 8, [0.0] * 8
    slot, scale, playing, position, gain = 0, 1.0, None, 0, 0.0
    due = {time: (kind, value) for time, kind, value in events}
    samples, later = [], {}
    for time in range(cycles):
        if playing is not None and position == playing["length"]:
            turns[playing["slot"]] += playing["after"] / 2**32
            playing = None
        for where, angle in later.pop(time, []):
            turns[where] += angle
        kind, value = due.get(time, (None, 0))
        match kind:
            case Kind.SLOT:
                slot = value % 8
            case Kind.PHASE:
                turns[slot] += value / 2**32
            case Kind.FREQ:
                frequency[slot] = value / 2**32
            case Kind.RESET:
                turns[slot] = value / 2**32
            case Kind.AMP:
                scale = value / 2**15
            case Kind.PLAY if playing is None:
                chosen = entries[value]
                if chosen["length"]:
                    playing, position, gain = chosen, 0, scale * chosen["amplitude"] / 2**15
                else:
                    later.setdefault(time + 1, []).append((chosen["slot"], chosen["after"] / 2**32))
        for k in range(2):
            sample = 0.0
            if playing is not None:
                i, q = envelope[(playing["start"] + position) % len(envelope)][2 * k : 2 * k + 2]
                carrier = turns[playing["slot"]] + k * frequency[playing["slot"]] + playing["phase"] / 2**32
                sample = gain * FULL * complex(i, q) * np.exp(2j * np.pi * carrier)
            samples.append(complex(*np.clip([sample.real, sample.imag], -(2**15), 2**15 - 1)))
        position += 1
        turns = [(t + 2 * f) % 1 for t, f in zip(turns, frequency, strict=True)]
    return np.array(samples)


@settings(max_examples=100, deadline=None)
@given(programs(), st.integers(0, 99))
def test_against_what_the_documentation_says(program, seed):
    entries, events, cycles = program
    envelope = np.random.default_rng(seed).integers(-(2**15), 2**15, (DEPTH, 4))
    samples = played(PulseGeneratorModel(entries, envelope), events, cycles)
    expected = reference(entries, envelope.tolist(), events, cycles)
    # The loudest pulse is four times too loud, and errors of its oscillator and phase with it.
    assert np.abs(samples - expected).max(initial=0) < 4 * 2**0.5 * (TOLERANCE + 2**15 * 2 * np.pi * 2**-24)


def test_entries_and_envelopes_as_words():
    words = pack_entry(PULSE, entry(start=3, length=2, amplitude=7, slot=5, phase=-1, after=9))
    assert words == [0x0002_0003, 0x0005_0007, 0xFFFF_FFFF, 9]
    assert envelope_words(quantise_envelope([1, -1j, 0.5])) == [0x7FFF, 0x8001_0000, 0x4000, 0]
    with pytest.raises(ValueError, match="slot is 0 to 7, not 8"):
        pack_entry(PULSE, entry(slot=8))
    with pytest.raises(ValueError, match="an entry has the fields"):
        pack_entry(PULSE, {"start": 0})
    with pytest.raises(ValueError, match=r"are -1 to 1, not 1\.5"):
        quantise_envelope([0.1, 1.5j])
