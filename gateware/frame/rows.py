# SPDX-License-Identifier: BSD-2-Clause
"""Physical corrections by table: which qubits an edge of the decoding graph, or a flipped observable, means."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Mux, Signal, bits_for

from triplane.gateware.decoder.memory import TRUSTED
from triplane.gateware.decoder.table import WORD_BITS
from triplane.gateware.syndrome.collector import LowestSlot
from triplane.gateware.syndrome.store import WideStore


class CorrectionRows(LiteXModule):
    r"""Looks up a row of bits for each correction, one a cycle.

    Row k below `observables` belongs to observable k, row `observables` + e to edge e. A row holds the x bits of all
    qubits, least significant, then their z bits, then the observables.

    ```
    cycle       0        1        2        3        4
    flipped  __/‾‾\_______________________________________
    pending           | one bit of it a cycle, observables before edges
    number                     | lowest
    row                                 | valid: into the frame
    frame                                        | LATENCY = 4
    ```

    Args:
        qubits, observables: of the frame.
        entries: rows, a power of two.

    Attributes:
        sink: correction words of a record, edge 32 k + b = bit b of word k; `first` marks word 0.
        flipped, flips: inputs; observables that the decoder flips.
        x, z, logical: what the frame takes in this cycle.
        settled: nothing is on its way.
        untrusted: 1 in a cycle in which corrections are dropped, since no table is trusted or it has no such row.
        clear: input; forget what is on its way.
    """

    LATENCY = 4
    """Cycles from flips, or a word with one bit set, to the frame with its row."""

    def __init__(self, qubits: int, observables: int, entries: int) -> None:
        width = 2 * qubits + observables
        if entries <= observables:
            raise ValueError(f"entries must be more than the {observables} observables, not {entries}")
        entry_words = -(-width // WORD_BITS)
        self.sink = sink = stream.Endpoint([("data", WORD_BITS)])
        self.flipped, self.flips = Signal(), Signal(observables)
        self.x, self.z, self.logical = Signal(qubits), Signal(qubits), Signal(observables)
        self.settled, self.untrusted, self.clear = Signal(), Signal(), Signal()
        self.store = store = WideStore(entries, entry_words)
        self.check_cycles = store.table.check_cycles
        self._table_index = CSRStorage(
            bits_for(store.words - 1),
            description="Word of the table that the next write to table_data goes to.",
        )
        self._table_data = CSRStorage(
            WORD_BITS,
            description="Word to store; table_index then moves to the next word. The table is no longer trusted.",
        )
        self._table_crc = CSRStorage(
            32, description="CRC-32 that the whole table must have. Writing it starts the check."
        )
        self._table_found = CSRStatus(32, description="CRC-32 that the last check found.")
        self._status = CSRStatus(
            fields=[CSRField("trusted", description="The table has passed its check.")],
            description="State of the table of corrections.",
        )
        self._dropped = CSRStatus(
            32, description="Cycles since the last restart in which corrections were dropped."
        )

        # # #

        # What is pending: observables, and the bits of one word
        flips, word, base = Signal(observables), Signal(WORD_BITS), Signal(16)
        self.lowest = lowest = LowestSlot(observables)
        self.lowest_edge = lowest_edge = LowestSlot(WORD_BITS)
        one, one_edge = Signal(observables), Signal(WORD_BITS)
        edges, taken = Signal(), Signal()
        self.comb += [
            lowest.bits.eq(flips),
            lowest_edge.bits.eq(word),
            one.eq(lowest.only),
            edges.eq(flips == 0),
            one_edge.eq(Mux(edges, lowest_edge.only, 0)),
            sink.ready.eq(((word & ~one_edge) == 0) & ~self.clear),
            taken.eq(sink.valid & sink.ready),
        ]
        following = Signal(16)  # number of the row of the next word's bit 0
        self.comb += If(sink.first, following.eq(observables)).Else(following.eq(base + WORD_BITS))
        chosen, of_edge, base_then = Signal(), Signal(), Signal(16)
        self.sync += [
            flips.eq((flips & ~one) ^ Mux(self.flipped, self.flips, 0)),
            word.eq(word & ~one_edge),
            If(taken, word.eq(sink.data), base.eq(following)),
            chosen.eq((flips != 0) | (word != 0)),
            of_edge.eq(edges),
            base_then.eq(base),
        ]

        # Its row
        number, there, trusted, valid = Signal(17), Signal(), Signal(), Signal()
        row, looked = Signal(width), Signal(width)
        self.comb += [
            number.eq(Mux(of_edge, base_then + lowest_edge.number, lowest.number)),
            trusted.eq(store.table.state == TRUSTED),
            there.eq(trusted & (number < entries)),
            looked.eq(store.read(number[: bits_for(entries - 1)], 0, entry_words)[:width]),
            self.untrusted.eq(chosen & ~there),
            self.x.eq(Mux(valid, row[:qubits], 0)),
            self.z.eq(Mux(valid, row[qubits : 2 * qubits], 0)),
            self.logical.eq(Mux(valid, row[2 * qubits :], 0)),
            self.settled.eq(~chosen & ~valid & (flips == 0) & (word == 0) & ~sink.valid),
        ]
        self.sync += [
            valid.eq(chosen & there),
            row.eq(looked),
            If(self.untrusted, self._dropped.status.eq(self._dropped.status + 1)),
            If(self.clear,
                *(s.eq(0) for s in (flips, word, base, chosen, valid, self._dropped.status)),
            ),
        ]  # fmt: skip

        # Loading
        table = store.table
        self.comb += [
            table.write.eq(self._table_data.re),
            table.write_data.eq(self._table_data.storage),
            table.check.eq(self._table_crc.re),
            table.expected.eq(self._table_crc.storage),
            self._table_found.status.eq(table.found),
            self._status.fields.trusted.eq(trusted),
        ]
        self.sync += [
            If(self._table_data.re, table.write_index.eq(table.write_index + 1)),
            If(self._table_index.re, table.write_index.eq(self._table_index.storage)),
        ]
