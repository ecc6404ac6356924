# SPDX-License-Identifier: BSD-2-Clause
"""Registers of a board by address and by name, and what may be asked of every board through them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from triplane.hal.board import Fault, Identity, Words
from triplane.hal.errors import IdentityError, RegisterValueError
from triplane.hal.registers import WORD_MAX, RegisterMap

NAME = "triplane"
HASH_DIGITS = 64


class RegisterAccess(ABC):
    """Checked access to a board's registers. Subclasses move words.

    Args:
        registers: map of the gateware that is expected in the board.
    """

    def __init__(self, registers: RegisterMap) -> None:
        self.registers = registers

    @abstractmethod
    def _read(self, address: int, count: int, increment: bool) -> Words:
        """Read words; the access has been checked."""

    @abstractmethod
    def _write(self, address: int, words: Words, increment: bool) -> None:
        """Write words; the access has been checked."""

    @abstractmethod
    def close(self) -> None:
        """Stop and free the board; closing twice does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Registers

    def read(self, address: int) -> int:
        """Read one word."""
        return int(self.burst_read(address, 1)[0])

    def write(self, address: int, value: int) -> None:
        """Write one word."""
        self.burst_write(address, [value])

    def burst_read(self, address: int, count: int, *, increment: bool = True) -> Words:
        """Read `count` words from consecutive addresses, or all from `address`."""
        self.registers.check_read(address, count, increment)
        return self._read(address, count, increment)

    def burst_write(self, address: int, words: npt.ArrayLike, *, increment: bool = True) -> None:
        """Write words to consecutive addresses, or all to `address`."""
        given = np.asarray(words, dtype=object).reshape(-1)
        for word in given:
            if not isinstance(word, int | np.integer):
                raise RegisterValueError(f"{word!r} is no whole number; registers take 32-bit words")
        values = [int(word) for word in given]
        self.registers.check_write(address, values, increment)
        self._write(address, np.array(values, dtype=np.uint32), increment)

    def get(self, name: str) -> int:
        """Value of a register by name, of all its words."""
        register = self.registers[name]
        words = self.burst_read(register.address, register.size_words)
        return sum(int(word) << 32 * index for index, word in enumerate(words))

    def set(self, name: str, value: int) -> None:
        """Write all words of a register by name; raises RegisterValueError for a value that does not fit."""
        register = self.registers[name]
        if not 0 <= value < 2**register.bits:
            raise RegisterValueError(
                f"{name} takes 0 to {2**register.bits - 1:#x} ({register.bits} bits), not {value:#x}"
            )
        words = [value >> 32 * index & WORD_MAX for index in range(register.size_words)]
        self.burst_write(register.address, words)

    def _pulse(self, name: str, field: str, others: int = 0) -> None:
        """Write 1 to a field; `others` is the rest of the register."""
        register = self.registers[name]
        self.write(register.address, others | 1 << register.fields[field].offset)

    # Identity and state

    def identify(self) -> Identity:
        """Read the identification; raises IdentityError where there is none."""
        name = self.get("identification_name").to_bytes(16, "little").rstrip(b"\0")
        if name != NAME.encode():
            raise IdentityError(
                f"the board calls itself {name!r}, not {NAME!r}: this is no Triplane gateware"
            )
        version = self.get("identification_version")
        fields = self.registers["identification_version"].fields
        return Identity(
            NAME,
            ".".join(str(fields[part].of(version)) for part in ("major", "minor", "patch")),
            f"{self.get('identification_build_hash'):0{HASH_DIGITS}x}",
            f"{self.get('identification_table_hash'):0{HASH_DIGITS}x}",
            self.get("identification_clock_hz"),
        )

    def fault(self) -> Fault | None:
        """Why the board is in its safe state, or None if it is not."""
        if not self.get("faults_state"):
            return None
        seen, stop_on = self.get("faults_status"), self.get("faults_stop_on")
        fields = self.registers["faults_status"].fields
        stopping = [name for name, field in fields.items() if field.of(seen & stop_on)]
        others = [name for name, field in fields.items() if field.of(seen & ~stop_on)]
        explanation = " ".join(fields[name].description for name in stopping)
        return Fault((*stopping, *others), tuple(stopping), self.get("faults_cycle"), explanation)

    def now(self) -> int:
        """The cycle counter."""
        self._pulse("counter_control", "latch")
        return self.get("counter_cycles")
