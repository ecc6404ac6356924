# SPDX-License-Identifier: BSD-2-Clause
"""What a board with an RFSoC is."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

CLOCK_HZ = 245_760_000
"""Of everything that handles samples."""

ADC_HZ, DECIMATION = 1_966_080_000, 8
DAC_HZ, INTERPOLATION = 3_932_160_000, 8
"""One complex sample of a readout line, and two of a channel, in a clock."""

MAX_SYSREF_HZ = 10_000_000
"""PG269, SYSREF Signal Requirements."""

Converter = tuple[int, int]
"""Tile, and slot within it: slots of dual ADC tiles are 0 and 2, as their ports are numbered."""


@dataclass(frozen=True)
class Pair:
    """A differential input of the fabric.

    Attributes:
        p, n: pins.
        standard: as Vivado names it.
        terminated: whether the device has to terminate it.
    """

    p: str
    n: str
    standard: str
    terminated: bool


@dataclass(frozen=True)
class RfsocBoard:
    """A board.

    Attributes:
        name: of its folder.
        part, board_part: as Vivado names them.
        quad: whether an ADC tile has four ADCs (their I and Q share a stream) or two (a stream each).
        dacs, adcs: converters that a fabric may use, in the order in which it takes them.
        dac_clocks, adc_clocks: tile -> the tile whose clock input it runs from.
        reference_hz: at those clock inputs; the tiles' PLLs multiply it.
        pl_clock, pl_sysref: of the fabric; they leave the clock chip together.
        pl_clock_hz, sysref_hz: their frequencies.
        clock_chips: chip -> MHz that `xrfclk` is asked for before the board is loaded.

    Raises:
        ValueError: a frequency that multi-tile synchronisation does not work with (PG269).
    """

    name: str
    part: str
    board_part: str
    quad: bool
    dacs: tuple[Converter, ...]
    adcs: tuple[Converter, ...]
    dac_clocks: dict[int, int]
    adc_clocks: dict[int, int]
    reference_hz: int
    pl_clock: Pair
    pl_sysref: Pair
    clock_chips: dict[str, float]
    pl_clock_hz: int = 122_880_000
    sysref_hz: int = 7_680_000

    def __post_init__(self) -> None:
        if self.sysref_hz >= MAX_SYSREF_HZ:
            raise ValueError(
                f"SYSREF must be below {MAX_SYSREF_HZ / 1e6:g} MHz, not {self.sysref_hz / 1e6:g}"
            )
        limits = {
            "the greatest common divisor of both sampling rates / 16": Fraction(gcd(ADC_HZ, DAC_HZ), 16),
            "the fabric's reference": Fraction(self.pl_clock_hz),
            "the system clock": Fraction(CLOCK_HZ),
        }
        for what, limit in limits.items():
            if (limit / self.sysref_hz).denominator != 1:
                raise ValueError(
                    f"SYSREF of {self.sysref_hz} Hz does not divide {what}, {float(limit):.0f} Hz"
                )
        for what, rate in (("ADCs", ADC_HZ), ("DACs", DAC_HZ)):
            if rate % self.reference_hz:
                raise ValueError(
                    f"{rate} Hz for {what} are no multiple of the reference, {self.reference_hz} Hz"
                )
        if CLOCK_HZ % self.pl_clock_hz:
            raise ValueError(
                f"{CLOCK_HZ} Hz are no multiple of the fabric's reference, {self.pl_clock_hz} Hz"
            )
        for what, converters, clocks in (
            ("DAC", self.dacs, self.dac_clocks),
            ("ADC", self.adcs, self.adc_clocks),
        ):
            missing = {tile for tile, _ in converters} - set(clocks)
            if missing:
                raise ValueError(f"{what} tiles {sorted(missing)} have no clock")


def board(name: str) -> RfsocBoard:
    """A board by the name of its folder.

    Raises:
        ValueError: no such board.
    """
    from triplane.boards.rfsoc4x2.platform import BOARD as RFSOC4X2
    from triplane.boards.zcu111.platform import BOARD as ZCU111
    from triplane.boards.zcu216.platform import BOARD as ZCU216

    boards = {entry.name: entry for entry in (ZCU216, RFSOC4X2, ZCU111)}
    if name not in boards:
        raise ValueError(f"no RFSoC board named {name!r}; there are: {', '.join(boards)}")
    return boards[name]
