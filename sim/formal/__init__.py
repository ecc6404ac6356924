# SPDX-License-Identifier: BSD-2-Clause
"""Proofs about cores, by SymbiYosys and the solvers in the wheels of the extra `formal`.

    bench.py        a module, its environment and what is claimed of it, written in Migen
    scoreboard.py   claims about whatever hands items on: none lost, repeated, altered, out of order
    runner.py       checks the claims, keeps results by content
    trace.py        a counterexample as a table
    abc.py          makes ABC, which is inside Yosys' wheel, a program that SymbiYosys can call

Three kinds of check: all runs of a given length (`bmc`), all runs (`prove`), and whether something can happen at all
(`cover`), without which a proof may be about nothing.

A check of given length that starts from *any* content of the registers (`any_start`) is stronger than it looks: its
first cycle may be any cycle of a longer run. Where a core is idle, does one job within a bound and is idle again,
all claims about one job from any start are claims about all jobs of all runs. A counterexample, on the other hand, may
start where no run from reset ever comes.
"""

from triplane.sim.formal.bench import FormalBench, Problem, emit
from triplane.sim.formal.runner import MISSING, PROVER, SEARCHER, FormalError, Result, check, installed

__all__ = [
    "MISSING",
    "PROVER",
    "SEARCHER",
    "FormalBench",
    "FormalError",
    "Problem",
    "Result",
    "check",
    "emit",
    "installed",
]
