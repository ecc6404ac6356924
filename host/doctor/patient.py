# SPDX-License-Identifier: BSD-2-Clause
"""The board that is examined, and the ways to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from triplane.gateware.shape import FabricShape
from triplane.hal.board import Board
from triplane.hal.datagrams import PacketSource
from triplane.hal.target import Target

SEED = 20_161


@dataclass(frozen=True)
class Way:
    """A way to the board.

    Attributes:
        url: as `hal.connect` takes it.
        connect: opens it; raises BoardError. The board that it gives asks the soft core for nothing, so that another
            way's job goes on.
    """

    url: str
    connect: Callable[[], Board]


@dataclass
class Patient:
    """What is examined.

    Attributes:
        board: open, by the way that is used for everything but the examination of ways.
        url: of that way.
        target: what the board was built to decode.
        ways: the others.
        fabric: of the board; None for one without converters.
        cabled: whether each readout line's DAC is cabled to its ADC.
        stream: opens the socket to which the board sends its record stream; None: packets are fetched.
        rng: of all patterns.
    """

    board: Board
    url: str
    target: Target
    ways: tuple[Way, ...] = ()
    fabric: FabricShape | None = None
    cabled: bool = False
    stream: Callable[[], PacketSource] | None = None
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def has(self, register: str) -> bool:
        """Whether this gateware has a register."""
        return register in self.board.registers

    def get(self, register: str) -> int:
        """Value of a register, of all its words."""
        described = self.board.registers[register]
        words = self.board.burst_read(described.address, described.size_words)
        return sum(int(word) << 32 * number for number, word in enumerate(words))

    def fields(self, register: str) -> dict[str, int]:
        """Values of a register's fields, read at one time."""
        value = self.get(register)
        return {name: entry.of(value) for name, entry in self.board.registers[register].fields.items()}

    def put(self, register: str, *words: int) -> None:
        """Write words to a register, all to its address."""
        self.board.burst_write(self.board.registers[register].address, list(words), increment=False)

    def pulse(self, register: str, field_name: str) -> None:
        """Write 1 to a field."""
        self.put(register, 1 << self.board.registers[register].fields[field_name].offset)

    def wait(self, reached: Callable[[], Any], seconds: float, cycles: int = 10_000) -> bool:
        """Let the board's time pass until something is so; False where it is not within so many of our seconds."""
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                return False
            self.board.elapse(cycles)
        return True
