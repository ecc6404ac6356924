# SPDX-License-Identifier: BSD-2-Clause
"""The queue of a channel: events wait here for the cycle of their time."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Cat, If, Mux, ResetInserter, Signal, bits_for

from triplane.gateware.sequencer.layouts import (
    ADDRESS_BITS,
    EVENT_TO_RELEASE,
    KIND_BITS,
    TIME_BITS,
    VALUE_BITS,
    Fault,
    Kind,
)


class EventQueue(LiteXModule):
    r"""Takes events of ascending times, and hands each on in exactly the cycle of its time.

    One event leaves a cycle. Where several are given one time they are a chain: the first leaves at that time, the
    others in the cycles that follow, in the order of issue. So what has to act in a certain cycle is given a time of
    its own, and what only prepares a pulse (SLOT, then PHASE) is given an earlier one.

    The cycle in which an event will leave is settled when it enters, and is what the queue holds; it is refused with a
    fault where that cycle is past or taken. After that nothing can come too late.

    ```
    cycle        0      1      2      3
    coming       1      2      3      4
    sink       __/--\______________________   time = 1: due at once
    head       _______|event_______________
    source     _______/--\_________________   LATENCY, the least
    fault      _______/--\_________________   instead, with time = 0
    ```

    Args:
        depth: events that it holds, at least 4.
        time_bits: width of times; less than the cycle counter's 32 in proofs only.

    Attributes:
        sink: events (`layouts.ISSUED`); there is no `ready`: an event that does not fit is a fault.
        source: the same, `time` being the cycle in which it leaves. Whoever takes them always does.
        coming: input; low bits of the cycle counter, one ahead: its value in the next cycle.
        busy: input; a PLAY that leaves in this cycle would cut a pulse that is playing.
        flush: input; forgets everything, and nothing enters or leaves.
        fault: a `Fault` in the cycle after the one in which it arose, else NONE.
        fault_address: of the instruction that caused it.
        empty: nothing waits.
    """

    LATENCY = EVENT_TO_RELEASE

    def __init__(self, depth: int = 64, *, time_bits: int = TIME_BITS) -> None:
        if depth < 4:
            raise ValueError(f"a queue holds at least 4 events, not {depth}")
        layout = [
            ("time", time_bits), ("kind", KIND_BITS), ("value", VALUE_BITS), ("address", ADDRESS_BITS),
        ]  # fmt: skip
        self.depth = depth
        self.sink = sink = stream.Endpoint(layout)
        self.source = source = stream.Endpoint(layout)
        self.coming = Signal(time_bits)
        self.busy = Signal()
        self.flush = Signal()
        self.fault = Signal(bits_for(max(Fault)))
        self.fault_address = Signal(ADDRESS_BITS)
        self.empty = Signal(reset=1)

        # # #

        # The cycle in which the event leaves
        last, free = Signal(time_bits), Signal(time_bits)  # time of the last event; first cycle after all
        kinds = Signal(len(Kind))
        waits, due = Signal(), Signal()  # an event waits at the head; it leaves in this cycle
        chained, release = Signal(), Signal(time_bits)
        before, taken, past, full = Signal(), Signal(), Signal(), Signal()
        refused = Signal.like(self.fault)
        enters = Signal()
        fresh, following = _less(sink.time, self.coming), _less(free, self.coming)
        self.comb += [
            chained.eq(waits & (sink.time == last)),
            release.eq(Mux(chained, free, sink.time)),
            before.eq(waits & _less(sink.time, last)),
            taken.eq(Mux(chained, (kinds >> sink.kind)[0], waits & _less(sink.time, free))),
            past.eq(Mux(chained, following, fresh)),
            refused.eq(
                Mux(before, Fault.ORDER,
                    Mux(taken, Fault.COLLISION,
                        Mux(past, Fault.UNDERFLOW,
                            Mux(full, Fault.OVERFLOW, Fault.NONE))))
            ),
            enters.eq(sink.valid & ~self.flush & (refused == Fault.NONE)),
        ]  # fmt: skip
        # Of an empty queue the past is forgotten: what would come before it is late anyway, and times are modular.
        self.sync += If(enters,
            last.eq(sink.time),
            free.eq(Mux(chained, free + 1, sink.time + 1)),
            kinds.eq(Mux(chained, kinds, 0) | (1 << sink.kind)),
        )  # fmt: skip

        # What waits: the head, and the rest behind it
        self.fifo = fifo = ResetInserter()(stream.SyncFIFO(layout, depth - 1))
        moves = Signal()
        head = stream.Endpoint(layout)
        behind = Cat(fifo.source.time, fifo.source.kind, fifo.source.value, fifo.source.address)
        entering = Cat(release, sink.kind, sink.value, sink.address)
        self.comb += [
            moves.eq(due | ~waits),
            full.eq(~fifo.sink.ready),
            fifo.reset.eq(self.flush),
            fifo.sink.valid.eq(enters & ~(moves & ~fifo.source.valid)),
            Cat(fifo.sink.time, fifo.sink.kind, fifo.sink.value, fifo.sink.address).eq(entering),
            fifo.source.ready.eq(moves),
            source.valid.eq(due & ~self.flush),
            *(getattr(source, name).eq(getattr(head, name)) for name, _ in layout),
            self.empty.eq(~waits),
        ]
        self.sync += [
            If(~moves,
                due.eq(head.time == self.coming),
            ).Elif(fifo.source.valid,
                Cat(head.time, head.kind, head.value, head.address).eq(behind),
                due.eq(fifo.source.time == self.coming),
                waits.eq(1),
            ).Else(
                Cat(head.time, head.kind, head.value, head.address).eq(entering),
                due.eq(enters & Mux(chained, free == self.coming, sink.time == self.coming)),
                waits.eq(enters),
            ),
            If(self.flush, waits.eq(0), due.eq(0)),
        ]  # fmt: skip

        # Faults
        cut = Signal()
        self.comb += cut.eq(source.valid & (head.kind == Kind.PLAY) & self.busy)
        self.sync += [
            self.fault.eq(Fault.NONE),
            If(cut,
                self.fault.eq(Fault.COLLISION),
                self.fault_address.eq(head.address),
            ).Elif(sink.valid & ~self.flush,
                self.fault.eq(refused),
                self.fault_address.eq(sink.address),
            ),
        ]  # fmt: skip


def _less(left: Signal, right: Signal) -> Signal:
    """Whether a time is before another, modulo the counter."""
    return (left - right)[len(left) - 1]
