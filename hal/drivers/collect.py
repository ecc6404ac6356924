# SPDX-License-Identifier: BSD-2-Clause
"""Records of a running control program, taken from the FIFOs before these are full."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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
    """Takes whole records of windows and of rounds, as often as it is called."""

    def __init__(self, bus: Bus, shape: FabricShape) -> None:
        self._bus = bus
        self._round = round_record(shape.syndrome)
        self._taken = {"results": 0, "measured": 0}
        self._words: dict[str, list[Words]] = {"results": [], "measured": []}

    def collect(self) -> None:
        """Take what is there."""
        for name, words in (("results", self._bus.record_words), ("measured", self._round.words)):
            entered = self._bus.get(f"{name}_records")
            count = (entered - self._taken[name]) % 2**32
            if count:
                found = self._bus.burst_read(
                    self._bus.registers[f"{name}_data"].address, count * words, increment=False
                )
                self._words[name].append(found.reshape(count, words))
                self._taken[name] = entered

    def added_to(self, ended: Execution) -> Execution:
        """The same end with the records."""
        results = self._all("results", self._bus.record_words)
        return dataclasses.replace(
            ended,
            results=np.asarray(RESULT.parse(results)),
            rounds=np.asarray(self._round.parse(self._all("measured", self._round.words))),
        )

    def _all(self, name: str, words: int) -> Words:
        return np.concatenate([np.zeros((0, words), dtype=np.uint32), *self._words[name]])
