# SPDX-License-Identifier: BSD-2-Clause
"""From an instruction to the queues of all channels that it means."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Cat, Constant, If, Signal

from triplane.gateware.sequencer.layouts import EVENT, EXECUTE_TO_EVENT, ISSUED, TIME_BITS, Kind
from triplane.gateware.sequencer.opcodes import GROUP_BITS
from triplane.gateware.sequencer.queue import EventQueue
from triplane.gateware.sequencer.tables import LoadedTable


class Dispatcher(LiteXModule):
    r"""Looks up the group of an event, and hands it to the queue of each of its channels.

    ```
    cycle       0      1      2
    sink     __/--\________________    an event instruction is executed
    issued   _________/--\_________    the event leaves the dispatcher: LATENCY
    source   ________________/--\__    and a queue, if it is due
    ```

    The tables are read while the event is registered, so that a layer of gates takes as long as one gate.

    Args:
        num_channels, num_slots: width of the tables of groups and of armed slots.
        num_groups: their depth.
        queue_depth: events that a channel holds.

    Attributes:
        sink: events (`layouts.ISSUED`).
        group: input, valid with the sink; index of the group.
        coming: input; low half of the cycle counter, one ahead.
        busy: inputs; bit k = channel k, see `EventQueue`.
        flush: input; empty the queues, and let nothing pass.
        issued: the event that leaves the dispatcher, for the trace.
        arm: bit k = slot k is armed.
        sources: endpoint of each channel (`layouts.EVENT`), always ready.
        queues: of the channels.
        empty: nothing is on its way.
        groups, arms: tables, with their registers.
    """

    LATENCY = EXECUTE_TO_EVENT

    def __init__(self, num_channels: int, num_slots: int, num_groups: int, queue_depth: int) -> None:
        if not 1 <= num_channels <= 256:
            raise ValueError(f"there are 1 to 256 channels, not {num_channels}")
        if not 2 <= num_groups <= 1 << GROUP_BITS:
            raise ValueError(f"there are 2 to {1 << GROUP_BITS} groups, not {num_groups}")
        self.sink = stream.Endpoint(ISSUED)
        self.group = Signal(GROUP_BITS)
        self.coming = Signal(TIME_BITS)
        self.busy = Signal(num_channels)
        self.flush = Signal()
        self.issued = issued = stream.Endpoint(ISSUED)
        self.arm = Signal(num_slots)
        self.sources = [stream.Endpoint(EVENT, name=f"event{k}") for k in range(num_channels)]
        self.empty = Signal()

        # # #

        self.groups = groups = LoadedTable(num_groups, num_channels, "table of groups")
        self.arms = arms = LoadedTable(num_groups, num_slots, "table of armed slots")
        names = [name for name, _ in ISSUED]
        self.comb += [groups.address.eq(self.group), arms.address.eq(self.group)]
        self.sync += [
            issued.valid.eq(self.sink.valid & ~self.flush),
            *(getattr(issued, name).eq(getattr(self.sink, name)) for name in names),
        ]
        self.comb += If(issued.valid & ~self.flush & (issued.kind == Kind.CAPTURE), self.arm.eq(arms.data))
        self.queues = [EventQueue(queue_depth) for _ in range(num_channels)]
        for number, (queue, source) in enumerate(zip(self.queues, self.sources, strict=True)):
            self.submodules += queue
            self.comb += [
                queue.sink.valid.eq(issued.valid & groups.data[number]),
                *(getattr(queue.sink, name).eq(getattr(issued, name)) for name in names),
                queue.coming.eq(self.coming),
                queue.busy.eq(self.busy[number]),
                queue.flush.eq(self.flush),
                source.valid.eq(queue.source.valid),
                *(getattr(source, name).eq(getattr(queue.source, name)) for name, _ in EVENT),
            ]
        idle = Cat(*(queue.empty for queue in self.queues))
        everywhere = Constant((1 << num_channels) - 1, num_channels)
        self.comb += self.empty.eq(~issued.valid & ~self.sink.valid & (idle == everywhere))
