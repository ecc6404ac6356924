# SPDX-License-Identifier: BSD-2-Clause
"""Stream drivers for cocotb tests: put and get words with random pauses, and check the handshake on the way.

All pins are named `<prefix>_valid`, `_ready`, `_first`, `_last` and `_<field>` (see `cocotb_runner.endpoint_ios`).
Everything is sampled at the rising edge, as the design itself does.
"""

import random
from collections.abc import Sequence
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge


class StreamError(AssertionError):
    """A stream broke its handshake, or did not move within the limit."""


async def start_clock(dut: Any, *, reset_cycles: int = 4) -> None:
    """Start sys_clk (4 ns period, the scale does not matter) and pulse sys_rst."""
    Clock(dut.sys_clk, 4, "ns").start()
    dut.sys_rst.value = 1
    for _ in range(reset_cycles):
        await RisingEdge(dut.sys_clk)
    dut.sys_rst.value = 0
    await RisingEdge(dut.sys_clk)


def _pin(dut: Any, name: str) -> Any:
    """The pin, or None where the design does not use it (Verilog then has no such port)."""
    return getattr(dut, name, None)


class StreamDriver:
    """Drives a `sink` endpoint. `pause` is the probability of an idle cycle before each word."""

    def __init__(self, dut: Any, prefix: str, *, pause: float = 0.0, seed: int = 0) -> None:
        self.dut, self.prefix, self.pause = dut, prefix, pause
        self.random = random.Random(f"{prefix}:{seed}")
        self.valid, self.ready = getattr(dut, f"{prefix}_valid"), getattr(dut, f"{prefix}_ready")
        self.valid.value = 0

    def _field(self, name: str) -> Any:
        return _pin(self.dut, f"{self.prefix}_{name}")

    async def put(
        self, words: Sequence[int | dict[str, int]], *, packet: int = 0, limit: int = 100_000
    ) -> None:
        """Send words (int: field `data`; dict: field values). `packet` > 0 sets first/last every that many words.

        Raises StreamError if a word is not taken within `limit` cycles.
        """
        for index, word in enumerate(words):
            while self.pause and self.random.random() < self.pause:
                self.valid.value = 0
                await RisingEdge(self.dut.sys_clk)
            fields = dict(word) if isinstance(word, dict) else {"data": word}
            if packet:
                fields |= {"first": int(index % packet == 0), "last": int(index % packet == packet - 1)}
            for name, value in fields.items():
                pin = self._field(name)
                if pin is not None:
                    pin.value = value
            self.valid.value = 1
            for _ in range(limit):
                await ReadOnly()
                taken = int(self.ready.value)
                await RisingEdge(self.dut.sys_clk)
                if taken:
                    break
            else:
                raise StreamError(f"{self.prefix}: word {index} was not taken within {limit} cycles")
        self.valid.value = 0


class StreamMonitor:
    """Takes words from a `source` endpoint. `pause` is the probability that `ready` is low in a cycle.

    While a word waits (valid without ready) valid must stay and no field may change: StreamError otherwise.
    """

    def __init__(
        self, dut: Any, prefix: str, *, fields: Sequence[str] = ("data",), pause: float = 0.0, seed: int = 0
    ) -> None:
        self.dut, self.prefix, self.fields, self.pause = dut, prefix, tuple(fields), pause
        self.random = random.Random(f"{prefix}:{seed}")
        self.valid, self.ready = getattr(dut, f"{prefix}_valid"), getattr(dut, f"{prefix}_ready")
        self.ready.value = 0
        self.cycles = 0
        """Cycles that `get` has waited or worked, in all."""

    def _sample(self) -> dict[str, int]:
        return {name: int(getattr(self.dut, f"{self.prefix}_{name}").value) for name in self.fields}

    async def get(self, count: int, *, limit: int = 100_000) -> list[dict[str, int]]:
        """The next `count` words, in order. Raises StreamError after `limit` cycles without a word."""
        words: list[dict[str, int]] = []
        waiting: dict[str, int] | None = None
        idle = 0
        while len(words) < count:
            ready = int(not (self.pause and self.random.random() < self.pause))
            self.ready.value = ready
            await ReadOnly()
            valid = int(self.valid.value)
            sample = self._sample() if valid else None
            if waiting is not None and sample != waiting:
                raise StreamError(f"{self.prefix}: a waiting word changed from {waiting} to {sample}")
            await RisingEdge(self.dut.sys_clk)
            self.cycles += 1
            if sample is not None and ready:
                words.append(sample)
                waiting, idle = None, 0
            else:
                waiting, idle = sample, idle + 1
            if idle > limit:
                raise StreamError(
                    f"{self.prefix}: no word within {limit} cycles, {len(words)} of {count} came"
                )
        self.ready.value = 0
        return words
