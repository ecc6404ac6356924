# SPDX-License-Identifier: BSD-2-Clause
"""The first fault stops the program: what it was, where and when, and the safe state that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus
from migen import Cat, If, Replicate, Signal, bits_for

from triplane.gateware.sequencer.layouts import ADDRESS_BITS, FAULTS, SAFE_CYCLES, Fault
from triplane.gateware.sequencer.queue import EventQueue

FAULT_BITS = bits_for(max(Fault))
CHANNEL_BITS = 8


class FaultLatch(LiteXModule):
    r"""Takes the first fault and holds the safe state until it is cleared.

    Of faults that arise in the same cycle one of the core comes before those of channels, a channel with a lower
    number before others, and a backlog of measurements last.

    ```
    cycle      0      1      2
    arises   /----\______________
    core     ______/----\________    as do the faults of the queues
    safe     ____________/-------    LATENCY
    ```

    Args:
        queues: of the channels.

    Attributes:
        core_faulty, core, core_address: inputs; a `Fault` of the core in the cycle after it arose, and its instruction.
        backlog, issued_address: inputs; a backlog in the cycle after, and the instruction that caused it.
        now: input; cycle counter.
        clear: input; leave the safe state, and forget the fault.
        safe: the safe state.
        fault, channel, address, time: the fault; the time is the cycle in which it arose.
    """

    LATENCY = SAFE_CYCLES

    def __init__(self, queues: Sequence[EventQueue]) -> None:
        self.core_faulty = Signal()
        self.core = Signal(FAULT_BITS)
        self.core_address = Signal(ADDRESS_BITS)
        self.backlog = Signal()
        self.issued_address = Signal(ADDRESS_BITS)
        self.now = Signal(64)
        self.clear = Signal()
        self.safe = Signal()
        self.fault = Signal(FAULT_BITS)
        self.channel = Signal(CHANNEL_BITS)
        self.address = Signal(ADDRESS_BITS)
        self.time = Signal(64)

        self._status = CSRStatus(
            fields=[
                CSRField(
                    "fault",
                    size=FAULT_BITS,
                    description="What stopped the program.",
                    values=[(f"``{fault:d}``", meaning) for fault, meaning in FAULTS.items()],
                ),
                CSRField(
                    "channel",
                    size=CHANNEL_BITS,
                    offset=8,
                    description="Channel of the fault, where it is one of a channel.",
                ),
                CSRField(
                    "address",
                    size=ADDRESS_BITS,
                    offset=16,
                    description="Address of the instruction that caused it; for the watchdog, of the last one.",
                ),
            ],
            description="The fault that stopped the program, until it is cleared.",
        )
        self._time = CSRStatus(64, description="Cycle counter when the fault arose.")

        # # #

        before = Signal(64)
        faulty = Signal(len(queues))
        first = [faulty[k] & (faulty[:k] == 0) if k else faulty[0] for k in range(len(queues))]

        def of_first(values: Sequence[object], bits: int) -> object:
            """The value of the first faulty queue; AND and OR instead of a chain of multiplexers."""
            return reduce(or_, (Replicate(f, bits) & v for f, v in zip(first, values, strict=True)))

        stops = Signal()
        self.comb += [
            faulty.eq(Cat(*(queue.fault != Fault.NONE for queue in queues))),
            stops.eq(self.core_faulty | (faulty != 0) | self.backlog),
            self._status.fields.fault.eq(self.fault),
            self._status.fields.channel.eq(self.channel),
            self._status.fields.address.eq(self.address),
            self._time.status.eq(self.time),
        ]
        self.sync += [
            before.eq(self.now),
            If(stops & ~self.safe,
                self.safe.eq(1),
                self.time.eq(before),
                self.channel.eq(0),
                If(self.core_faulty,
                    self.fault.eq(self.core),
                    self.address.eq(self.core_address),
                ).Elif(faulty != 0,
                    self.fault.eq(of_first([queue.fault for queue in queues], FAULT_BITS)),
                    self.channel.eq(of_first(range(len(queues)), CHANNEL_BITS)),
                    self.address.eq(of_first([queue.fault_address for queue in queues], ADDRESS_BITS)),
                ).Else(
                    self.fault.eq(Fault.BACKLOG),
                    self.address.eq(self.issued_address),
                ),
            ),
            If(self.clear, self.safe.eq(0), self.fault.eq(Fault.NONE)),
        ]  # fmt: skip
