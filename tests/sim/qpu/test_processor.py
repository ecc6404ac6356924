# SPDX-License-Identifier: BSD-2-Clause
"""The processor's interface: determinism, delays, saturation, and every refusal."""

import itertools
import math

import numpy as np
import pytest

from triplane.hal.device import ADC_HZ, load_device
from triplane.sim.qpu import (
    EventError,
    Processor,
    PulseEvent,
    Readout,
    Sequence,
    Tone,
    frequency_of_word,
    phase_of_word,
    word_of_frequency,
    word_of_phase,
)
from triplane.sim.qpu.events import later

from .conftest import device, line, qubit

SHORT = np.full(20, 0.1, dtype=np.complex64)
LONG = np.full(200, 0.5, dtype=np.complex64)


def shots(processor, blocks):
    """Samples 0 to 3999 of the line of five, asked for in blocks, with a shot every 1,000 samples."""
    sequence = Sequence(processor.device)
    for number in range(5):
        sequence.x90(number)
    sequence.measure(range(5))
    got = []
    edges = np.cumsum([0, *blocks])
    for shot in range(4):
        for event in sequence.schedule:
            processor.run([later(event, 2000 * shot)])
        until = 1000 * (shot + 1)
        got += [processor.adc(0, a, b - a) for a, b in itertools.pairwise(edges) if until - 1000 <= a < until]
    return np.concatenate(got)


@pytest.mark.parametrize("block", [1, 7, 125, 1000])
def test_samples_do_not_hang_on_blocks(block):
    seed = 11
    blocks = [min(block, 1000 - a) for _ in range(4) for a in range(0, 1000, block)]
    found = shots(Processor(load_device("line5"), seed=seed), blocks)
    expected = shots(Processor(load_device("line5"), seed=seed), [1000] * 4)
    assert found.dtype == np.int16
    assert found.shape == (4000, 2)
    assert (found == expected).all(), f"seed {seed}"


def test_samples_may_be_asked_for_in_any_order():
    processor = Processor(load_device("line5"), seed=3)
    shots(processor, [1000] * 4)
    forwards = [processor.adc(0, a, 500) for a in range(0, 4000, 500)]
    backwards = [processor.adc(0, a, 500) for a in range(3500, -1, -500)][::-1]
    assert (np.array(forwards) == np.array(backwards)).all()


@pytest.mark.parametrize("backend", ["trajectory", "stabilizer"])
def test_reset_repeats(backend):
    processor = Processor(load_device("line5"), seed=3, backend=backend)
    first = shots(processor, [1000] * 4)
    processor.reset()
    assert (shots(processor, [1000] * 4) == first).all()
    processor.reset(4)
    assert (shots(processor, [1000] * 4) != first).any()


def test_unrelated_events_in_any_order():
    described = load_device("line5")
    sequence = Sequence(described)
    for number in (0, 2, 4):
        sequence.x90(number)
    states = []
    for events in (sequence.events, sequence.events[::-1]):
        processor = Processor(described, seed=5)
        processor.run(events)
        states.append(processor.state(100_000))
    assert np.allclose(*states)


@pytest.mark.parametrize("delay_ns", [0, 61, 400])
@pytest.mark.parametrize("start", [0, 333])
def test_a_tone_arrives_after_the_delay_of_its_line(delay_ns, start):
    processor = Processor(device(qubit(0), lines=(line(0, noise_lsb=0, delay_ns=delay_ns),)))
    processor.readout(0, start, [Tone(0.0, LONG)])
    heard = np.flatnonzero(np.abs(processor.adc(0, 0, 1000)).sum(axis=1) > 20)
    assert heard[0] == pytest.approx(start / 2 + delay_ns * 1e-9 * ADC_HZ, abs=2)


def test_the_phase_of_a_tone_is_that_of_its_oscillator():
    """Two readouts a while apart, by an oscillator that runs on: the same after mixing down."""
    processor = Processor(device(qubit(0), lines=(line(0, noise_lsb=0, delay_ns=37),)))
    tone_hz = 3.1e6
    event = Readout(0, 10, (Tone(tone_hz, LONG, 0.4),))
    sums = []
    for shift in (0, 4321):
        moved = later(event, shift)
        processor.readout(moved.line, moved.start, moved.tones)
        clocks = moved.start // 2 + np.arange(200)
        samples = processor.adc(0, int(clocks[0]), 200) @ [1, 1j]
        sums.append((samples * np.exp(-2j * math.pi * tone_hz * clocks / ADC_HZ)).sum())
    assert abs(sums[1] - sums[0]) < 0.05 * abs(sums[0])


def test_events_may_come_clock_by_clock():
    """As in a loop with gateware: events of a clock, then the samples that they cannot change any more."""
    described = load_device("line5")
    sequence = Sequence(described, 40)
    sequence.x180(2)
    sequence.measure(range(5))
    ahead = Processor(described, seed=6)
    ahead.run(sequence.schedule)
    expected = ahead.adc(0, 0, 400)
    live = Processor(described, seed=6)
    got, known = [live.adc(0, 0, live.lead(0))], live.lead(0)
    assert known == 15
    for clock in range(0, 400 - known, 15):
        live.run([event for event in sequence.schedule if clock <= event.start // 2 < clock + 15])
        got.append(live.adc(0, clock + known, 15))
    assert (np.concatenate(got)[:400] == expected).all()


def test_words_are_those_of_the_generators():
    assert frequency_of_word(0x80000000) == -245.76e6
    assert frequency_of_word(1) == pytest.approx(0.114441)
    assert phase_of_word(0x40000000) == pytest.approx(math.pi / 2)
    for hertz in (-200e6, -1.0, 0.0, 31.4e6):
        assert frequency_of_word(word_of_frequency(hertz)) == pytest.approx(hertz, abs=0.06)
    assert word_of_phase(-math.pi / 2) == 0xC0000000
    with pytest.raises(ValueError, match=r"within \+-245.76 MHz of the local oscillator, not 300 MHz"):
        word_of_frequency(300e6)


def test_samples_saturate():
    described = device(qubit(0), lines=(line(0, noise_lsb=30_000),))
    samples = Processor(described).adc(0, 0, 2000)
    assert samples.max() == 32767
    assert samples.min() == -32768
    assert np.mean(samples == 32767) == pytest.approx(0.1377, abs=0.03)


def test_noise_has_the_variance_set():
    samples = Processor(device(qubit(0), lines=(line(0, noise_lsb=500),))).adc(0, 0, 20_000)
    assert samples.std(axis=0) == pytest.approx([500, 500], rel=0.03)
    assert samples.mean(axis=0) == pytest.approx([0, 0], abs=15)


def test_crosstalk_carries_one_state_to_another_tone():
    rows = ((1.0, 0.5), (0.0, 1.0))
    described = device(qubit(0), qubit(1), lines=(line(0, 1, noise_lsb=0, crosstalk=rows),))
    means = []
    for flipped in (False, True):
        sequence = Sequence(described)
        if flipped:
            sequence.x180(1)
        sequence.wait(200)
        start = sequence.measure([0, 1], 1000)
        processor = Processor(described)
        processor.run(sequence.schedule)
        clocks = np.arange(start // 2 + 250, start // 2 + 450)
        samples = processor.adc(0, int(clocks[0]), 200) @ [1, 1j]
        means.append((samples * np.exp(-2j * math.pi * -1.2e6 * clocks / ADC_HZ)).mean())
    # A step in phase by a quarter turn, half of it: 2000 / sqrt(2) / 2 * sqrt(2).
    assert abs(means[1] - means[0]) == pytest.approx(1000, rel=0.15)


def test_waiting_resets():
    described = device(qubit(0, t1_us=10, t2_us=10))
    for backend in ("trajectory", "stabilizer"):
        processor = Processor(described, backend=backend)
        for shot in range(20):
            sequence = Sequence(described, 150_000 * shot)
            if shot % 2:
                sequence.x180(0)
            sequence.wait(2)
            sequence.measure([0])
            processor.run(sequence.schedule)
            if not shot % 2:
                assert processor.measured[0] == 0


@pytest.mark.parametrize("backend", ["trajectory", "stabilizer"])
def test_relaxing_resets_and_time_goes_on(backend):
    processor = Processor(load_device("line5"), seed=1, backend=backend)
    for shot in range(10):
        sequence = Sequence(processor.device, 2000 * shot)
        sequence.measure(range(5))
        assert sequence.read == list(range(5))
        for number in range(5):
            sequence.x90(number)
        processor.run(sequence.schedule)
        assert set(processor.measured.values()) == {0}
        processor.relax()


def refuse(action, message):
    with pytest.raises(EventError, match=message):
        action()


def test_what_is_out_of_order_is_refused(pair):
    processor = Processor(pair)
    processor.play(PulseEvent(0, 100, SHORT, 0.0))
    refuse(
        lambda: processor.play(PulseEvent(0, 110, SHORT, 0.0)),
        "channel 0 at sample 110 is in the past: the one before it lasts until 120",
    )
    refuse(
        lambda: processor.play(PulseEvent(1, 90, SHORT, 0.0)),
        r"channel 1 at sample 90 reaches qubit 0 .* ns before an event that was played already",
    )
    refuse(
        lambda: processor.readout(0, 110, [Tone(-1.2e6, LONG)]),
        "sample 110 begins while qubit 0 is driven, .* ns early",
    )
    processor.readout(0, 130, [Tone(-1.2e6, LONG)])
    refuse(
        lambda: processor.play(PulseEvent(0, 200, SHORT, 0.0)),
        "channel 0 at sample 200 reaches qubit 0 while that is read out, .* ns early; start it later",
    )
    refuse(lambda: processor.readout(0, 300, [Tone(-1.2e6, LONG)]), "line 0 at sample 300 is in the past")
    processor.adc(0, 0, 4000)
    refuse(
        lambda: processor.readout(0, 5000, [Tone(-1.2e6, LONG)]),
        "reaches the ADC of line 0 with sample 2510, but samples up to 3999 were delivered",
    )
    processor.adc(0, 20_000, 1)
    refuse(
        lambda: processor.adc(0, 100, 5),
        "line 0: 5 samples from 100 on cannot be had; the oldest kept is 11809",
    )


def test_what_does_not_exist_is_refused(single):
    processor = Processor(single)
    refuse(
        lambda: processor.play(PulseEvent(7, 0, SHORT, 0.0)),
        r"no qubit is driven by channel 7; channels of test are \[0\]",
    )
    refuse(lambda: processor.readout(3, 0, [Tone(0.0, LONG)]), "no readout line 3; test has lines 0 to 0")
    refuse(lambda: processor.readout(0, 0, []), "readout at 0 has no tones")
    refuse(
        lambda: processor.readout(0, 0, [Tone(2e8, LONG)]),
        "tone at 200 MHz is outside what the ADC of line 0 sees",
    )
    refuse(
        lambda: processor.readout(0, 0, [Tone(0.0, LONG), Tone(1e6, LONG)]),
        "two tones drive the resonator of qubit 0",
    )
    refuse(lambda: processor.adc(1, 0, 1), "no readout line 1; test has 1")
    with pytest.raises(ValueError, match="backend must be auto, trajectory or stabilizer, not 'magic'"):
        Processor(single, backend="magic")
    for seed in (-1, 1 << 63):
        with pytest.raises(ValueError, match=f"seed must be from 0 to 2..63 - 1, not {seed}"):
            Processor(single, seed=seed)


def test_envelopes_are_checked(single):
    processor = Processor(single)
    loud = (2 * LONG + 0.5).astype(np.complex64)
    refuse(
        lambda: processor.play(PulseEvent(0, 0, loud, 0.0)), "pulse on channel 0 reaches 1.5: full scale is 1"
    )
    wide = LONG.astype(np.complex128)
    refuse(
        lambda: processor.play(PulseEvent(0, 0, wide, 0.0)), r"must be complex64 \(samples,\), not complex128"
    )
    refuse(lambda: processor.readout(0, 0, [Tone(0.0, loud)]), "tone at 0 MHz reaches 1.5")


def test_a_far_tone_measures_nothing(single):
    processor = Processor(single)
    processor.readout(0, 0, [Tone(60e6, LONG)])
    assert processor.measured == {}
    processor.readout(0, 200, [Tone(0.0, LONG)])
    assert processor.measured == {0: 0}
