# SPDX-License-Identifier: BSD-2-Clause
"""Records of a running control program, taken from the FIFOs before these are full."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.layouts import round_record
from triplane.hal.control import Execution
from triplane.hal.registers import Register

Words = npt.NDArray[np.uint32]


class Bus(Protocol):
    """What is needed of a board."""

    @property
    def registers(self) -> Mapping[str, Register]:
        """Its register map."""

    @property
    def record_words(self) -> int:
        """Words of a result record."""

    def get(self, name: str) -> int:
        """Value of a register by name."""

    def burst_read(self, address: int, count: int, *, increment: bool = True) -> Words:
        """Read words, all from one address with `increment=False`."""


class Collector:
    """Takes whole records of windows and of rounds, and outcomes, as often as it is called.

    Args:
        bus: the board's registers.
        shape: of its fabric.
        records: take those of windows and of rounds.
        outcomes: where outcomes go; None: they are kept.
    """

    def __init__(
        self,
        bus: Bus,
        shape: FabricShape,
        records: bool = True,
        outcomes: Callable[[Words], object] | None = None,
    ) -> None:
        self._bus = bus
        self._round = round_record(shape.syndrome)
        self._outcomes = outcomes
        sizes = {"results": bus.record_words, "measured": self._round.words, "outcomes": 1}
        self._sizes = sizes if records else {"outcomes": 1}
        self._taken = dict.fromkeys(sizes, 0)
        self._words: dict[str, list[Words]] = {name: [] for name in sizes}

    def collect(self) -> None:
        """Take what is there."""
        for name, words in self._sizes.items():
            entered = self._bus.get(f"{name}_records")
            count = (entered - self._taken[name]) % 2**32
            if count:
                found = self._bus.burst_read(
                    self._bus.registers[f"{name}_data"].address, count * words, increment=False
                )
                self._taken[name] = entered
                if name == "outcomes" and self._outcomes is not None:
                    self._outcomes(found)
                else:
                    self._words[name].append(found.reshape(count, words))

    def added_to(self, ended: Execution) -> Execution:
        """The same end with the records."""
        results = self._all("results", self._bus.record_words)
        return dataclasses.replace(
            ended,
            results=np.asarray(RESULT.parse(results)),
            rounds=np.asarray(self._round.parse(self._all("measured", self._round.words))),
            outcomes=self._all("outcomes", 1).reshape(-1),
        )

    def _all(self, name: str, words: int) -> Words:
        return np.concatenate([np.zeros((0, words), dtype=np.uint32), *self._words[name]])
