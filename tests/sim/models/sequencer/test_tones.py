# SPDX-License-Identifier: BSD-2-Clause
"""The tone generator's model against numpy.fft and exp(2 pi i f t)."""

import numpy as np
import pytest

from triplane.gateware.dsp.layouts import NUM_TONES, TONES, pack_entry
from triplane.gateware.sequencer.layouts import Kind
from triplane.sim.models.sequencer.generator import LATENCY, quantise_envelope
from triplane.sim.models.sequencer.tones import ToneGeneratorModel

COUNT = 2**11
LINES = (3, 100, 371, 800, 1025, 1300, 1777, 2047)
AMPLITUDES = tuple(int(2**15 * a) for a in (0.05, 0.1, 0.15, 0.08, 0.12, 0.2, 0.07, 0.2))
START = 40
FULL = (2**15 - 1) / 2**15


def entry(**fields: int) -> dict[str, int]:
    return {"start": 0, "length": COUNT // 2, "amplitude": 2**15, "mask": 0xFF} | fields


def played(mask: int, envelope: np.ndarray, phases=(0,) * NUM_TONES) -> np.ndarray:
    """Complex samples of a pulse at START; each tone has its phase there."""
    model = ToneGeneratorModel([entry(mask=mask)], quantise_envelope(envelope), AMPLITUDES)
    words = [line * (2**32 // COUNT) for line in LINES]
    events = []
    for tone, word in enumerate(words):
        time = 3 * tone
        ahead = phases[tone] - word * 2 * (START - time - 2)
        events += [
            (time, Kind.SLOT, tone),
            (time + 1, Kind.FREQ, word),
            (time + 2, Kind.RESET, ahead % 2**32),
        ]
    channel = model.run([*events, (START, Kind.PLAY, 0)], START + COUNT // 2 + LATENCY)
    assert not channel.saturated.any()
    samples = channel.samples[START + LATENCY :]
    return (samples[:, 0::2] + 1j * samples[:, 1::2]).ravel()


def test_each_tone_has_its_line_and_no_other_is_there():
    phases = [k * 2**32 // 9 for k in range(NUM_TONES)]
    mask = 0b1011_0110
    lines = np.fft.fft(played(mask, np.ones(COUNT), phases)) / COUNT
    for tone, line in enumerate(LINES):
        expected = 32767 * FULL * AMPLITUDES[tone] / 2**15 * np.exp(2j * np.pi * phases[tone] / 2**32)
        assert lines[line] == pytest.approx(expected if mask >> tone & 1 else 0, abs=0.1)
    rest = np.delete(np.abs(lines), LINES)
    assert 20 * np.log10(2**15 / rest.max()) > 100


def test_tones_share_the_envelope():
    envelope = np.hanning(COUNT) * np.exp(0.3j * np.pi)
    turns = np.outer(LINES, np.arange(COUNT)) / COUNT
    total = np.array(AMPLITUDES) / 2**15 @ np.exp(2j * np.pi * turns)
    error = played(0xFF, envelope) - 32767 * FULL * envelope * total
    # Rounding of two products and of the envelope in both parts, and the phases' last bits.
    assert np.abs(error).max() < 2


def test_arguments():
    assert pack_entry(TONES, entry(start=5, length=6, mask=0xA5)) == [0x0006_0005, 0x00A5_8000]
    with pytest.raises(ValueError, match="8 tones, not 2"):
        ToneGeneratorModel([entry()], np.zeros((2, 4)), [1, 2])
