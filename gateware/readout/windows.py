# SPDX-License-Identifier: BSD-2-Clause
"""From CAPTURE events to windows: which samples count, with which weights, for which tones."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import If, Memory, Record, Signal, bits_for

from triplane.gateware.readout.layouts import (
    CAPTURE_KIND,
    CAPTURE_LAYOUT,
    DELAY_BITS,
    ENTRY_BITS,
    LENGTH_BITS,
)

TIME_BITS = 32


class WindowScheduler(LiteXModule):
    r"""Looks entries up, refuses what overlaps, and steps through the weights of one window after another.

    ```
    cycle       0        1        2        3 ... 3+delay   4+delay
    capture  __/‾\__________________________________________________
    entry             | read |
    begin                    | time | accepted or collision
    queue                              | waits until begin == now |
    live     __________________________________________________/‾‾‾‾    first, address: EARLIEST + delay
    ```

    Windows may wait one behind the other, so the delay of an event can be longer than the window before. A window whose
    first sample is not after the last sample of all windows accepted before it is refused, and so is one that finds the
    queue full. After a refusal nothing has changed.

    Args:
        num_tones, num_windows, window_depth: see `line.ReadoutLine`.

    Attributes:
        capture: sink of events; always ready.
        now: input; low 32 bits of the cycle counter.
        index, entry, write: inputs; store an entry of the table. `entry` is a Record of `layout`.
        live: 1 in the cycles of a window; `address` is then the number of a weight.
        first, last: 1 in the first and the last cycle of a window.
        tones, trace, decimated: of the entry, while live.
        busy: an event waits to be accepted or refused, or a window waits or is live.
        collision: 1 in the cycle in which a window is refused.
        unknown: 1 in the cycle in which an event is no CAPTURE or names no entry of the table.
    """

    EARLIEST = 4
    """Cycles from an event of an entry without delay to `live`."""
    QUEUE = 4
    """Windows that can wait behind the one that runs."""

    def __init__(self, num_tones: int, num_windows: int, window_depth: int) -> None:
        address_bits = bits_for(window_depth - 1)
        what = [("tones", num_tones), ("trace", 1), ("decimated", 1), ("first_weight", address_bits)]
        self.capture = stream.Endpoint(CAPTURE_LAYOUT)
        self.now = Signal(TIME_BITS)
        self.index = Signal(bits_for(num_windows - 1))
        self.write = Signal()
        layout = [*what, ("delay", DELAY_BITS), ("length", LENGTH_BITS)]
        self.entry = Record(layout)
        self.live = Signal()
        self.first = Signal()
        self.last = Signal()
        self.address = Signal(address_bits)
        self.tones = Signal(num_tones)
        self.trace = Signal()
        self.decimated = Signal()
        self.busy = Signal()
        self.collision = Signal()
        self.unknown = Signal()

        # # #

        # Table
        memory = Memory(sum(width for _, width in layout), num_windows)
        writer = memory.get_port(write_capable=True)
        reader = memory.get_port()
        self.specials += memory, writer, reader
        value = self.capture.value[:ENTRY_BITS]
        known, looked_up = Signal(), Signal()
        self.comb += [
            writer.adr.eq(self.index),
            writer.dat_w.eq(self.entry.raw_bits()),
            writer.we.eq(self.write),
            reader.adr.eq(value),
            self.capture.ready.eq(1),
            known.eq((self.capture.kind == CAPTURE_KIND) & (value < num_windows)),
            self.unknown.eq(self.capture.valid & ~known),
        ]
        self.sync += looked_up.eq(self.capture.valid & known)

        # Time of the first cycle. `soon` is now + 2, registered because two sums in a row are one too many.
        found = Record(layout)
        soon, begin, length = Signal(TIME_BITS), Signal(TIME_BITS), Signal(LENGTH_BITS + 1)
        asked = Signal()
        self.queue = queue = stream.SyncFIFO(
            [*what, ("begin", TIME_BITS), ("length", LENGTH_BITS)], self.QUEUE, buffered=False
        )
        self.comb += found.raw_bits().eq(reader.dat_r)
        self.sync += [
            soon.eq(self.now + 3),
            begin.eq(soon + found.delay),
            length.eq(found.length + 1),
            queue.sink.length.eq(found.length),
            asked.eq(looked_up),
            [getattr(queue.sink, name).eq(getattr(found, name)) for name, _ in what],
        ]

        # Acceptance. While a window waits or runs, `free` is less than 2**18 cycles away and the difference has a sign.
        free, gap, accepted = Signal(TIME_BITS), Signal((TIME_BITS, True)), Signal()
        self.comb += [
            gap.eq(begin - free),
            queue.sink.begin.eq(begin),
            accepted.eq((~gap[-1] | ~(queue.source.valid | self.live)) & queue.sink.ready),
            queue.sink.valid.eq(asked & accepted),
            self.collision.eq(asked & ~accepted),
        ]
        self.sync += If(asked & accepted, free.eq(begin + length))

        # The window that runs
        left = Signal(LENGTH_BITS)
        head = queue.source
        self.comb += [
            head.ready.eq(head.begin == self.now),
            self.busy.eq(looked_up | asked | head.valid | self.live),
        ]
        self.sync += [
            self.first.eq(0),
            If(self.live,
                self.live.eq(~self.last),
                self.address.eq(self.address + 1),
                left.eq(left - 1),
                self.last.eq(left == 1),
            ),
            If(head.valid & head.ready,
                self.live.eq(1),
                self.first.eq(1),
                self.last.eq(head.length == 0),
                left.eq(head.length),
                self.address.eq(head.first_weight),
                self.tones.eq(head.tones),
                self.trace.eq(head.trace),
                self.decimated.eq(head.decimated),
            ),
        ]  # fmt: skip
