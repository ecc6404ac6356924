# SPDX-License-Identifier: BSD-2-Clause
"""A sequencer on the bench, for tests.

bench.py      the sequencer, its registers on a bus, generators that count
driver.py     loads programs, answers, and keeps what leaves
compare.py    one program on the bench and on the golden model
"""

from triplane.sim.sequencer.bench import CHANNELS, DEPTH, GROUPS, SLOTS, SequencerBench, duration, small_bench
from triplane.sim.sequencer.compare import World, compare, small_model
from triplane.sim.sequencer.driver import ABORT, CLEAR, START, STEP, STOP, SequencerDriver, started

__all__ = [
    "ABORT", "CHANNELS", "CLEAR", "DEPTH", "GROUPS", "SLOTS", "START", "STEP", "STOP", "SequencerBench",
    "SequencerDriver", "World", "compare", "duration", "small_bench", "small_model", "started",
]  # fmt: skip
