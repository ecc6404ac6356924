# SPDX-License-Identifier: BSD-2-Clause
"""What a board's clocks and converters do, as far as the fabric sees it."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal
from migen.genlib.cdc import MultiReg

BANK = "health"

WINDOWS_BITS = 16


class Health(LiteXModule):
    r"""Lock, streams of samples, and the system clock measured against another one.

    ```
    tick      _/‾\_/‾\_/‾\_/‾\_/‾\_/‾\_      ticks = 2
    measured  | ?      | n     | n           n: cycles in which two ticks came
    ```

    What was there and went away stays in `lost` until that is cleared. A clock that stands still is seen by its
    reference: the host finds that no window ends.

    Parameters
    ----------
    streams: of samples, from and to converters; at least 1, of which a board without converters drives none low.
    ticks: of the reference in a window.
    cycles: of the system clock that they should take.

    Attributes
    ----------
    locked: input, of whatever clock: the PLL that the system clock comes from.
    tick: input, of whatever clock: the reference, whose rising edges are counted; slower than half the system clock.
    flowing: input: bit k is high in cycles in which stream k has given or taken a sample.
    """

    def __init__(self, streams: int, ticks: int, cycles: int) -> None:
        if streams < 1 or ticks < 1 or cycles < 2 * ticks:
            raise ValueError(
                f"health needs a stream, a tick, and two cycles of each tick at the least, not {streams} streams and "
                f"{ticks} ticks in {cycles} cycles"
            )
        self.locked = Signal()
        self.tick = Signal()
        self.flowing = Signal(streams)

        self._control = CSRStorage(
            fields=[CSRField("clear", pulse=True, description="Forget what was lost.")],
            description="Clear `lost` and `streams_lost`.",
        )
        self._pll = CSRStatus(
            fields=[
                CSRField("locked", description="1 while the PLL of the system clock is locked."),
                CSRField("lost", description="1 once it has lost its lock, until cleared."),
            ],
            description="The PLL of the system clock.",
        )
        self._streams = CSRStatus(
            streams,
            description="Bit k: stream k flows. Streams from ADCs come first, by line, then those to DACs, by channel.",
        )
        self._streams_lost = CSRStatus(
            streams, description="Bit k: stream k has flowed and then missed a cycle, until cleared."
        )
        self._window = CSRStatus(
            fields=[
                CSRField("ticks", size=16, reset=ticks, description="Ticks of the reference in a window."),
                CSRField("ended", size=WINDOWS_BITS, description="Windows that have ended; wraps."),
            ],
            description="What the system clock is measured by.",
        )
        self._expected = CSRStatus(
            32, reset=cycles, description="Cycles that a window takes if both clocks are right."
        )
        self._measured = CSRStatus(32, description="Cycles that the last whole window took.")

        # # #

        # Lock and streams
        locked, before, lost = Signal(), Signal(), Signal()
        flowing, flowed, missed = (Signal(streams) for _ in range(3))
        self.specials += MultiReg(self.locked, locked)
        self.sync += [
            before.eq(locked),
            flowing.eq(self.flowing),
            flowed.eq(flowing),
            lost.eq(lost | before & ~locked),
            missed.eq(missed | flowed & ~flowing),
            If(self._control.fields.clear, lost.eq(0), missed.eq(0)),
        ]
        self.comb += [
            self._pll.fields.locked.eq(locked),
            self._pll.fields.lost.eq(lost),
            self._streams.status.eq(flowing),
            self._streams_lost.status.eq(missed),
        ]

        # The reference
        level, last, edge = Signal(), Signal(), Signal()
        left, count = Signal(max=max(ticks, 2), reset=ticks - 1), Signal(32)
        ended, measured = Signal(WINDOWS_BITS), Signal(32)
        begun = Signal()
        self.specials += MultiReg(self.tick, level)
        self.comb += [
            edge.eq(level & ~last),
            self._window.fields.ticks.eq(ticks),
            self._window.fields.ended.eq(ended),
            self._measured.status.eq(measured),
        ]
        self.sync += [
            last.eq(level),
            # It stays at its end: the time of a window whose reference pauses is not less for it.
            If(count != 2**32 - 1, count.eq(count + 1)),
            If(edge,
                begun.eq(1),
                left.eq(left - 1),
                If((left == 0) | ~begun,
                    left.eq(ticks - 1),
                    count.eq(1),
                    # The first edge only begins a window.
                    If(begun, measured.eq(count), ended.eq(ended + 1)),
                ),
            ),
        ]  # fmt: skip
