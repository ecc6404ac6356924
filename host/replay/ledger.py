# SPDX-License-Identifier: BSD-2-Clause
"""The latency ledger of a run: how many cycles each stage took, shot by shot, against its bound and its
deadline.

Stages and their two points are those of the architecture document; here the stage is `decode`, from the last
round of a shot entering the decoder to the observables valid. Cycles are those of the board's system clock,
counted by the board. Percentiles are by nearest rank, so that each is a number of cycles that some shot
really took.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

CLOCK_HZ = 245_760_000
"""System clock of the boards; a run takes its board's own from the identification."""


@dataclass(frozen=True)
class Stage:
    """Latency of one stage over a run.

    Attributes:
        name: of the stage, such as "decode".
        cycles: uint (shots,), each shot's latency in clock cycles.
        bound: worst case in cycles, computed when the gateware was built; None where the stage has none.
        deadline_cycles: most whole cycles within the deadline; None where the run sets none.
        clock_hz: of the cycle counter.
        deadline_ns: the deadline that was asked for; None takes that of deadline_cycles.
    """

    name: str
    cycles: npt.NDArray[np.unsignedinteger]
    bound: int | None
    deadline_cycles: int | None = None
    clock_hz: int = CLOCK_HZ
    deadline_ns: float | None = None

    def __post_init__(self) -> None:
        if len(self.cycles) == 0:
            raise ValueError(f"stage {self.name} has no shots; a ledger needs at least one")
        if self.clock_hz <= 0:
            raise ValueError(f"clock_hz must be positive, not {self.clock_hz}")

    @property
    def misses(self) -> int | None:
        """Shots past the deadline; None where there is none."""
        return None if self.deadline_cycles is None else int((self.cycles > self.deadline_cycles).sum())

    def summary(self) -> dict[str, float]:
        """min, median, mean, p999 (99.9th percentile) and max, in cycles."""
        ordered = np.sort(self.cycles)
        # Ranks in integers: 0.999 has no exact binary value, and 9990.000000000002 would be rounded up.
        median = ordered[-(-len(ordered) // 2) - 1]
        p999 = ordered[-(-999 * len(ordered) // 1000) - 1]
        return {
            "min": int(self.cycles.min()),
            "median": int(median),
            "mean": float(self.cycles.mean()),
            "p999": int(p999),
            "max": int(self.cycles.max()),
        }

    def ns(self, cycles: float) -> float:
        """Cycles as nanoseconds, to the picosecond."""
        return round(cycles / self.clock_hz * 1e9, 3)

    def as_json(self) -> dict[str, object]:
        """{"cycles": {...}, "ns": {...}, "deadline": ..., "misses": ...}; cycles and ns hold the bound as
        well.
        """
        cycles: dict[str, float | None] = {**self.summary(), "bound": self.bound}
        return {
            "cycles": cycles,
            "ns": {key: None if value is None else self.ns(value) for key, value in cycles.items()},
            "deadline": None
            if self.deadline_cycles is None
            else {
                "cycles": self.deadline_cycles,
                "ns": self.ns(self.deadline_cycles) if self.deadline_ns is None else self.deadline_ns,
            },
            "misses": self.misses,
        }


@dataclass(frozen=True)
class LatencyLedger:
    """The stages of one run, in the order in which data pass them."""

    stages: tuple[Stage, ...]

    def __getitem__(self, name: str) -> Stage:
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(f"no stage {name!r}; this ledger has {', '.join(stage.name for stage in self.stages)}")

    def as_json(self) -> dict[str, object]:
        """Stage name -> its figures."""
        return {stage.name: stage.as_json() for stage in self.stages}


def ns_to_cycles(duration_ns: float, clock_hz: int = CLOCK_HZ) -> int:
    """The whole number of cycles nearest to a duration."""
    return round(duration_ns * clock_hz / 1e9)


def whole_cycles_within(duration_ns: float, clock_hz: int = CLOCK_HZ) -> int:
    """The most whole cycles that fit into a duration as it reads in decimal: what takes one more takes longer."""
    return int(Fraction(repr(float(duration_ns))) * clock_hz // 10**9)
