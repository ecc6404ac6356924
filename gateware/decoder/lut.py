# SPDX-License-Identifier: BSD-2-Clause
"""The lookup-table decoder: rounds of detection events in, result records out, a table in block memory between them.

Exact where a search is a heuristic, and a fixed number of cycles, for windows of few detectors: an entry for every
syndrome. The table is filled off-line (`sim/models/decoder/lut.py`) and trusted only after the hardware has read all
of it back through the port that decoding uses: a word that was lost on the way, never written, or put elsewhere
changes the CRC.
"""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import Array, Cat, If, Signal, bits_for

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.layouts import CONFIDENCE_OFFSET, LAST, RESULT, UNMATCHED, UNTRUSTED
from triplane.gateware.decoder.memory import CHECKING, TRUSTED, CheckedMemory
from triplane.gateware.decoder.rounds import RoundCatcher
from triplane.gateware.decoder.sender import RecordSender
from triplane.gateware.decoder.table import LOOKUP_CYCLES, WORD_BITS, TableShape, observed_detectors
from triplane.gateware.frame.barrier import FrameBarrier

_UNMATCHED_BIT = UNMATCHED.bit_length() - 1
_UNTRUSTED_BIT = UNTRUSTED.bit_length() - 1
_LAST_BIT = LAST.bit_length() - 1


class LookupDecoder(LiteXModule):
    r"""Decodes one shot after another by one read of a table.

    ```
    cycle         0        1        2        3
    start      __/‾‾\___________________________
    address              | syndrome
    memory                        | word
    entry                                  | observables, confidence: decode_cycles = LATENCY
    frame                                           | of the shot: who waits at the barrier is released
    ```

    A shot that ends before the table is trusted gets a record with the flag `untrusted` and no observables: rounds
    flow and nothing hangs, but nothing is answered from a wrong table. While a table is being checked the last word of
    a shot waits, for `check_cycles` at most.

    Args:
        graph: says which bit of which round is which detector; its edges and weights are not used.
        shape: which detectors make the address, and what an entry holds; None: one basis, see `observed_detectors`.

    Attributes:
        sink: words of rounds, `words_per_round` per round, least significant first, `num_layers` rounds per shot.
        source: words of result records (`layouts.RESULT`); the confidence is in the flags.
        now: cycle counter of the system, for time stamps.
        table_changed: 1 in a cycle in which the bus rewrites a word of the table or its CRC.
        unmatched: 1 in the cycle after a shot has ended with a syndrome that no error explains.
        barrier: frame of the shot, and who waits for it. A shot is one window, and never hard.
        bound: cycles from the last word entering to the observables valid; the worst case is every case.
        check_cycles: cycles that a check of the table takes.

    Raises:
        ValueError: the shape names a detector that the graph does not have, or other observables.
    """

    LATENCY = LOOKUP_CYCLES

    def __init__(self, graph: DecodingGraph, shape: TableShape | None = None) -> None:
        if shape is None:
            shape = TableShape(observed_detectors(graph), max(graph.num_observables, 1))
        absent = [d for d in shape.detectors if not 0 <= d < graph.num_detectors]
        if absent:
            raise ValueError(
                f"the address names detector {absent[0]}, the graph has {graph.num_detectors}; "
                "make the table's shape from the same model"
            )
        if shape.num_observables != max(graph.num_observables, 1):
            raise ValueError(
                f"the table predicts {shape.num_observables} observables, the graph has {graph.num_observables}"
            )
        self.graph = graph
        self.shape = shape
        self.num_layers = len(graph.layers)
        self.words_per_round = graph.words_per_round
        self.correction_words = 0
        self.result_words = RESULT.words
        self.bound = self.LATENCY
        self.table = table = CheckedMemory(shape.words)
        self.check_cycles = table.check_cycles
        self.rounds = rounds = RoundCatcher(graph)
        self.sender = sender = RecordSender(0)
        self.barrier = barrier = FrameBarrier()
        self.sink = rounds.sink
        self.source = sender.source
        self.now = Signal(64)
        self.table_changed = Signal()
        self.unmatched = Signal()

        self._control = CSRStorage(
            fields=[
                CSRField(
                    "correction", size=1, description="Has no effect: a table holds no physical correction."
                ),
                CSRField(
                    "restart",
                    size=1,
                    pulse=True,
                    description="Forget rounds of an unfinished shot and count shots from 0.",
                ),
            ],
            description="Mode of the decoder.",
        )
        self._status = CSRStatus(
            fields=[
                CSRField(
                    "busy",
                    size=1,
                    description="A shot is being decoded or sent, or the table is being checked.",
                ),
                CSRField(
                    "table",
                    size=2,
                    description="Whether the table is trusted.",
                    values=[
                        ("``0b00``", "Not checked since reset, or since a word was written."),
                        ("``0b01``", "Being checked."),
                        ("``0b10``", "Its CRC is not the expected one."),
                        ("``0b11``", "Trusted."),
                    ],
                ),
                CSRField("bound", size=16, offset=16, description="Decode cycles of every shot."),
            ],
            description="State of the decoder.",
        )
        self._table_index = CSRStorage(
            bits_for(shape.words - 1),
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

        # # #

        # Table
        self.sync += [
            If(self._table_data.re, table.write_index.eq(table.write_index + 1)),
            If(self._table_index.re, table.write_index.eq(self._table_index.storage)),
        ]
        self.comb += [
            table.write.eq(self._table_data.re),
            table.write_data.eq(self._table_data.storage),
            table.check.eq(self._table_crc.re),
            table.expected.eq(self._table_crc.storage),
            self.table_changed.eq(self._table_data.re | self._table_crc.re),
        ]

        # Shot: address, memory, entry
        select_bits = min((shape.entries_per_word - 1).bit_length(), len(shape.detectors))
        address, select, entry = Signal(len(shape.detectors)), Signal(max(select_bits, 1)), Signal(WORD_BITS)
        stages = Signal(self.LATENCY)
        entries = Array(
            table.data[k * shape.entry_bits : (k + 1) * shape.entry_bits] for k in range(1 << select_bits)
        )
        self.comb += [
            sender.now.eq(self.now),
            barrier.now.eq(self.now),
            rounds.may_start.eq(sender.receiving & (table.state != CHECKING)),
            sender.start.eq(rounds.start),
            *(core.restart.eq(self._control.fields.restart) for core in (rounds, sender, barrier)),
            table.address.eq(address[select_bits:] if select_bits < len(shape.detectors) else 0),
            sender.entered.eq(self.now),  # no queue: a word is taken in the cycle in which it enters
            sender.finish.eq(stages[-1]),
        ]
        self.sync += [
            stages.eq(Cat(rounds.start, stages)),
            If(rounds.start, address.eq(Cat(*(rounds.events[detector] for detector in shape.detectors)))),
            select.eq(address[:select_bits] if select_bits else 0),
            entry.eq(entries[select]),
        ]

        # Result. A table that was written or checked since the shot began is not trusted by the time it ends: a check
        # takes `check_cycles`, which are no fewer than LATENCY.
        trusted, unmatched = Signal(), Signal()
        fields = sender.fields
        confidence = entry[shape.num_observables : shape.num_observables + shape.confidence_bits]
        self.comb += [
            trusted.eq(table.state == TRUSTED),
            unmatched.eq(trusted & (confidence == 0) if shape.confidence_bits else 0),
            fields["flags"][_LAST_BIT].eq(1),  # a shot is one window
            If(unmatched, fields["flags"][_UNMATCHED_BIT].eq(1)),
            If(~trusted, fields["flags"][_UNTRUSTED_BIT].eq(1)),
            If(trusted,
                fields["observables"].eq(entry[: shape.num_observables]),
                fields["flags"][CONFIDENCE_OFFSET:].eq(confidence if shape.confidence_bits else 0),
                fields["tables"].eq(table.found),
            ),
            fields["frame"].eq(fields["observables"]),
            fields["rounds"].eq(self.num_layers),
            barrier.finish.eq(sender.finished),
            barrier.flips.eq(fields["observables"]),
            barrier.last.eq(1),
            barrier.rounds.eq(self.num_layers),
            barrier.latency.eq(sender.wait + sender.cycles),
            self.unmatched.eq(sender.made & unmatched),
            self._status.fields.busy.eq(~sender.receiving | (table.state == CHECKING) | barrier.holding),
            self._status.fields.table.eq(table.state),
            self._status.fields.bound.eq(self.bound),
            self._table_found.status.eq(table.found),
        ]  # fmt: skip
