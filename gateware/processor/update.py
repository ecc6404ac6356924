# SPDX-License-Identifier: BSD-2-Clause
"""How the host brings an image into slot B."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal, bits_for

from triplane.gateware.processor.slot import SLOT_WORDS, Slot

COUNT_BITS = 16


class UpdatePort(LiteXModule):
    """Registers through which slot B is written, word by word, and checked.

    An image is as long as the slot: what is not used is written as 0, since the check covers everything. Nothing is
    written while the slot is checked, runs, or is about to: what passed the check is what runs.

    Args:
        slot: to fill.

    Attributes:
        locked: input; the processor runs from this slot, or is about to be started.
        check: input; the boot control wants it checked. The CRC is the one that the host wrote last.
    """

    def __init__(self, slot: Slot) -> None:
        self.locked = Signal()
        self.check = Signal()
        self._index = CSRStorage(
            bits_for(SLOT_WORDS - 1),
            description="Word of slot B that the next write to data stores; it then moves on.",
        )
        self._data = CSRStorage(32, description="Word to store. A burst stays at this address.")
        self._crc = CSRStorage(
            32, description="CRC-32 that all of slot B must have. Writing it checks the slot."
        )
        self._status = CSRStatus(
            fields=[
                CSRField("trusted", description="All of slot B was read back and found right."),
                CSRField("checking", description="It is being read back."),
                CSRField(
                    "locked", description="The processor runs from it, or is in reset: it cannot be written."
                ),
                CSRField(
                    "refused",
                    size=COUNT_BITS,
                    offset=16,
                    description="Writes that came while it was locked or checked; counts modulo 65,536.",
                ),
            ],
            description="Slot B.",
        )
        self._found = CSRStatus(32, description="CRC-32 that the last check found.")

        # # #

        place, busy = Signal(bits_for(SLOT_WORDS - 1)), Signal()
        status = self._status.fields
        self.comb += [
            busy.eq(self.locked | slot.checking),
            slot.write.eq(self._data.re & ~busy),
            slot.write_address.eq(place),
            slot.write_data.eq(self._data.storage),
            slot.expected.eq(self._crc.storage),
            slot.check.eq(self.check | (self._crc.re & ~busy)),
            status.trusted.eq(slot.trusted),
            status.checking.eq(slot.checking),
            status.locked.eq(self.locked),
            self._found.status.eq(slot.found),
        ]
        self.sync += [
            If(slot.write, place.eq(place + 1)),
            If(self._index.re, place.eq(self._index.storage)),
            If((self._data.re | self._crc.re) & busy, status.refused.eq(status.refused + 1)),
        ]
