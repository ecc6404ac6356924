# SPDX-License-Identifier: BSD-2-Clause
"""Tables of any width in checked block memory, with the registers that load them."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import Cat, If, Signal, bits_for

from triplane.gateware.decoder.memory import CHECKING, MISMATCH, TRUSTED, CheckedMemory
from triplane.gateware.sequencer.program import TABLE_WORD_BITS


class LoadedTable(LiteXModule):
    """Rows in as many `CheckedMemory` side by side as their width takes; one row is read a cycle.

    On the bus a row is written word by word, least significant first, at ascending rows. Writing the CRC-32 of every
    bank, that of the least significant first, starts the check with the last one.

    Args:
        depth: rows, at least 2.
        width: bits of a row.
        what: that it holds, for the descriptions of the registers.

    Attributes:
        address: input; row to read.
        data: that row, one cycle later.
        trusted: all banks have passed their check.
        checking: they are being read back, and `data` is something else.
    """

    LATENCY = 1

    def __init__(self, depth: int, width: int, what: str) -> None:
        self.depth = depth
        self.width = width
        self.num_banks = num_banks = -(-width // TABLE_WORD_BITS)
        self.address = Signal(bits_for(depth - 1))
        self.data = Signal(width)
        self.trusted = Signal()
        self.checking = Signal()

        self._index = CSRStorage(
            bits_for(depth - 1), description=f"Row of the {what} whose first word the next write stores."
        )
        self._data = CSRStorage(
            TABLE_WORD_BITS,
            description=f"Word of the {what} to store, {num_banks} a row, least significant first; rows ascend.",
        )
        self._crc = CSRStorage(
            TABLE_WORD_BITS,
            description=f"CRC-32 of the {what}, {num_banks} writes, one a bank; the last one starts the check.",
        )
        self._status = CSRStatus(
            fields=[
                CSRField(
                    "trusted", description="Every word was read back, and the CRCs are the expected ones."
                ),
                CSRField("checking", description="The words are being read back."),
                CSRField("mismatch", description="A CRC is not the expected one."),
            ],
            description=f"Whether the {what} is trusted.",
        )

        # # #

        self.banks = [CheckedMemory(depth) for _ in range(num_banks)]
        for bank in self.banks:
            self.submodules += bank
        row, bank_index = Signal(bits_for(depth - 1)), Signal(max=max(num_banks, 2))
        expected, given = [Signal(32) for _ in range(num_banks)], Signal(max=max(num_banks, 2))
        last, complete = Signal(), Signal()
        self.comb += last.eq(bank_index == num_banks - 1)
        self.sync += [
            complete.eq(self._crc.re & (given == num_banks - 1)),
            If(self._data.re,
                bank_index.eq(bank_index + 1),
                given.eq(0),
                If(last, bank_index.eq(0), row.eq(row + 1)),
            ),
            If(self._index.re,
                row.eq(self._index.storage),
                bank_index.eq(0),
                given.eq(0),
            ),
            If(self._crc.re, given.eq(given + 1), If(given == num_banks - 1, given.eq(0))),
        ]  # fmt: skip
        for number, bank in enumerate(self.banks):
            self.sync += If(self._crc.re & (given == number), expected[number].eq(self._crc.storage))
            self.comb += [
                bank.write.eq(self._data.re & (bank_index == number)),
                bank.write_index.eq(row),
                bank.write_data.eq(self._data.storage),
                bank.check.eq(complete),
                bank.expected.eq(expected[number]),
                bank.address.eq(self.address),
            ]
        states = [bank.state for bank in self.banks]
        self.comb += [
            self.data.eq(Cat(*(bank.data for bank in self.banks))),
            self.trusted.eq(reduce(and_, (state == TRUSTED for state in states))),
            self.checking.eq(reduce(or_, (state == CHECKING for state in states))),
            self._status.fields.trusted.eq(self.trusted),
            self._status.fields.checking.eq(self.checking),
            self._status.fields.mismatch.eq(reduce(or_, (state == MISMATCH for state in states))),
        ]
