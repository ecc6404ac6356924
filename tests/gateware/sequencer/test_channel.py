# SPDX-License-Identifier: BSD-2-Clause
"""A queue and a generator, as a channel has them: from an event that is due at once to its first sample."""

import numpy as np

from triplane.gateware.dsp.layouts import PULSE, pack_entry
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.layouts import Fault, Kind
from triplane.gateware.sequencer.queue import EventQueue
from triplane.sim.pulses import GeneratorBench, loading
from triplane.sim.vectors import run_vectors

FIRST = 40
"""Cycle of the first event."""


def test_nine_cycles_and_a_collision():
    """A pulse of four clocks that is due at once, one that follows it without a gap, and one that would cut that."""
    generator = PulseGenerator(entries=2, envelope_depth=4)
    bench = GeneratorBench.around(generator)
    queue = bench.module.queue = EventQueue(4)
    bench.module.comb += [
        *(
            getattr(generator.sink, name).eq(getattr(queue.source, name))
            for name in ("valid", "kind", "value")
        ),
        queue.busy.eq(generator.busy),
        queue.coming.eq(generator.now[:32] + 1),
    ]
    inputs = {name: bench.inputs[name] for name in ("adr", "we", "re", "dat_w", "now")}
    inputs |= {name: getattr(queue.sink, name) for name in ("valid", "kind", "value")} | {
        "due": queue.sink.time
    }
    entry = {"start": 0, "length": 4, "amplitude": 2**15, "slot": 0, "phase": 0, "after": 0}
    written = loading([pack_entry(PULSE, entry)] * 2, [0x4000] * 8)
    assert len(written) < FIRST
    stimuli = {
        "adr": [bench.registers[name] for name, _ in written],
        "dat_w": [value for _, value in written],
        "we": [1] * len(written),
        "now": np.arange(100),
        "valid": np.isin(np.arange(100), [FIRST, FIRST + 1, FIRST + 2]),
        "due": np.where(np.arange(100) < FIRST + 2, np.arange(100) * 4 - 3 * FIRST + 1, FIRST + 7),
        "kind": np.full(100, Kind.PLAY),
    }
    outputs = {"i0": generator.i[0], "fault": queue.fault, "collision": generator.collision}
    found = run_vectors(bench.module, inputs, outputs, stimuli, "channel")
    first = FIRST + EventQueue.LATENCY + PulseGenerator.LATENCY
    assert first <= FIRST + 9
    assert np.flatnonzero(found["i0"]).tolist() == list(range(first, first + 8))
    assert np.flatnonzero(found["collision"]).tolist() == [FIRST + 8]
    assert np.flatnonzero(found["fault"] == Fault.COLLISION).tolist() == [FIRST + 8]
