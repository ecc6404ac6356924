# SPDX-License-Identifier: BSD-2-Clause
"""The queue of a channel: events wait here for the cycle of their time."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Cat, If, Memory, Mux, Signal, bits_for

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
        # The same of one that came from the memory behind the head, and of one that did not: the first is known late.
        due_of_rest, due_of_others = Signal(), Signal()
        chained, release = Signal(), Signal(time_bits)
        before, taken, past, full = Signal(), Signal(), Signal(), Signal()
        refused = Signal.like(self.fault)
        enters = Signal()
        self.comb += [
            chained.eq(waits & (sink.time == last)),
            release.eq(Mux(chained, free, sink.time)),
            before.eq(waits & _less(sink.time, last)),
            taken.eq(Mux(chained, (kinds >> sink.kind)[0], waits & _less(sink.time, free))),
            # The last of a chain has not left yet, so that there is a cycle for the next.
            past.eq(~chained & _less(sink.time, self.coming)),
            refused.eq(
                Mux(before, Fault.ORDER,
                    Mux(taken, Fault.COLLISION,
                        Mux(past, Fault.UNDERFLOW,
                            Mux(full, Fault.OVERFLOW, Fault.NONE))))
            ),
            enters.eq(sink.valid & ~self.flush & ~(before | taken | past | full)),
        ]  # fmt: skip
        # Of an empty queue the past is forgotten: what would come before it is late anyway, and times are modular.
        self.sync += If(enters,
            last.eq(sink.time),
            free.eq(Mux(chained, free + 1, sink.time + 1)),
            kinds.eq(Mux(chained, kinds, 0) | (1 << sink.kind)),
        )  # fmt: skip

        # What waits: the head, and the rest behind it
        head, behind = stream.Endpoint(layout), stream.Endpoint(layout)
        entering = Cat(release, sink.kind, sink.value, sink.address)
        rest = Memory(len(entering), depth - 1)
        writer, reader = rest.get_port(write_capable=True), rest.get_port(async_read=True)
        self.specials += rest, writer, reader
        level, produce, consume = Signal(max=depth), Signal(max=depth - 1), Signal(max=depth - 1)
        moves, push, pop = Signal(), Signal(), Signal()
        self.comb += [
            due.eq(due_of_rest | due_of_others),
            moves.eq(due | ~waits),
            full.eq(level == depth - 1),
            pop.eq(moves & behind.valid),
            push.eq(enters & ~(moves & ~behind.valid)),
            writer.adr.eq(produce),
            writer.dat_w.eq(entering),
            writer.we.eq(push),
            reader.adr.eq(consume),
            Cat(behind.time, behind.kind, behind.value, behind.address).eq(reader.dat_r),
            behind.valid.eq(level != 0),
            source.valid.eq(due & ~self.flush),
            *(getattr(source, name).eq(getattr(head, name)) for name, _ in layout),
            self.empty.eq(~waits),
        ]
        self.sync += [
            If(push, produce.eq(Mux(produce == depth - 2, 0, produce + 1))),
            If(pop, consume.eq(Mux(consume == depth - 2, 0, consume + 1))),
            # Whether an event enters is known last: it says that the level changes, and not where to.
            If(push != pop, level.eq(Mux(pop, level - 1, level + 1))),
            If(self.flush, produce.eq(0), consume.eq(0), level.eq(0)),
            due_of_rest.eq(pop & (behind.time == self.coming) & ~self.flush),
            due_of_others.eq(0),
            If(~moves,
                due_of_others.eq(head.time == self.coming),
            ).Elif(behind.valid,
                Cat(head.time, head.kind, head.value, head.address).eq(reader.dat_r),
                waits.eq(1),
            ).Else(
                Cat(head.time, head.kind, head.value, head.address).eq(entering),
                due_of_others.eq(enters & Mux(chained, free == self.coming, sink.time == self.coming)),
                waits.eq(enters),
            ),
            If(self.flush, waits.eq(0), due_of_others.eq(0)),
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
    """Whether a time is before another, modulo the counter.

    In two halves side by side: a carry through all bits would be most of the queue's longest path.
    """
    half, sign = len(left) // 2, len(left) - 1
    low = left[:half] < right[:half]
    borrow = (left[half:sign] < right[half:sign]) | ((left[half:sign] == right[half:sign]) & low)
    return left[sign] ^ right[sign] ^ borrow
