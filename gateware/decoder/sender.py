# SPDX-License-Identifier: BSD-2-Clause
"""The way out of a decoder: what is known when a shot is decoded becomes its record, word by word."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import FSM, Case, Cat, Constant, If, NextState, NextValue, Signal

from triplane.gateware.decoder.layouts import RESULT, correction_words


class RecordSender(LiteXModule):
    r"""Follows a shot from its last word to the last word of its record; one shot at a time.

    The record is complete in the cycle in which `finish` is high.

    ```
      cycle        0      1     2    ...    n
      start     __/--\__________________________
      elapsed       0     1     2           n
      finish    __________________________/--\__    record: decode_cycles = n
    ```

    Args:
        num_edges: bits of the physical correction that can follow the record; 0 for a decoder that makes none.

    Attributes:
        source: words of result records (`layouts.RESULT`, then the correction where it is asked for).
        now: input; cycle counter of the system.
        restart: input; count shots from 0.
        start: input; the last word of a shot is taken. Only while `receiving` is high.
        finish: input; the decoder is done. Ignored unless `decoding` is high, where it makes `finished`.
        flags, observables, grow_steps, merge_steps: inputs; fields of the record, valid with `finish`.
        correction: input; bit k = edge k, held from `settled` until the record is sent.
        with_correction: input; append the correction.
        settled: input; the correction is complete.
        receiving: no shot is being decoded or sent.
        decoding: a shot is being decoded.
        finished: 1 in the cycle in which a record is made.
    """

    def __init__(self, num_edges: int) -> None:
        self.source = stream.Endpoint([("data", 32)])
        self.now = Signal(64)
        self.restart = Signal()
        self.start = Signal()
        self.finish = Signal()
        self.flags = Signal(16)
        self.observables = Signal(32)
        self.grow_steps = Signal(16)
        self.merge_steps = Signal(16)
        self.correction = Signal(max(num_edges, 1))
        self.with_correction = Signal()
        self.settled = Signal()
        self.receiving = Signal()
        self.decoding = Signal()
        self.finished = Signal()

        # # #

        # Record
        elapsed, sequence, stamp = Signal(16), Signal(32), Signal(64)
        self.sync += [
            elapsed.eq(elapsed + 1),
            If(self.start, elapsed.eq(1), stamp.eq(self.now)),
            If(self.restart, sequence.eq(0)).Elif(self.finished, sequence.eq(sequence + 1)),
        ]
        contents = {
            "sequence": sequence,
            "timestamp_lo": stamp[:32],
            "timestamp_hi": stamp[32:],
            "decode_cycles": elapsed,
            "flags": self.flags,
            "observables": self.observables,
            "grow_steps": self.grow_steps,
            "merge_steps": self.merge_steps,
        }
        record = Signal(32 * RESULT.words)
        position = 0
        for f in RESULT.fields:
            self.sync += If(self.finished, record[position : position + f.bits].eq(contents[f.name]))
            position += f.bits

        # Words: the record, then the correction in the order of the graph's edges
        extra = correction_words(num_edges)
        padded = Cat(self.correction, Constant(0, 32))
        words = [record[32 * k : 32 * (k + 1)] for k in range(RESULT.words)]
        words += [padded[32 * k : 32 * (k + 1)] for k in range(extra)]
        sending = Signal(max=max(len(words), 2))
        final = Signal()
        self.comb += [
            Case(sending, {k: self.source.data.eq(w) for k, w in enumerate(words)}),
            final.eq((sending == len(words) - 1) | (~self.with_correction & (sending == RESULT.words - 1))),
            self.source.first.eq(sending == 0),
            self.source.last.eq(final),
        ]

        self.fsm = fsm = FSM(reset_state="RECEIVE")
        fsm.act("RECEIVE", If(self.start, NextState("DECODE")))
        fsm.act("DECODE",
            self.finished.eq(self.finish),
            If(self.finish, NextValue(sending, 0), NextState("SETTLE")),
        )  # fmt: skip
        fsm.act("SETTLE", If(self.settled | ~self.with_correction, NextState("SEND")))
        fsm.act("SEND",
            self.source.valid.eq(1),
            If(self.source.ready,
                NextValue(sending, sending + 1),
                If(final, NextState("RECEIVE")),
            ),
        )  # fmt: skip
        self.comb += [
            self.receiving.eq(fsm.ongoing("RECEIVE")),
            self.decoding.eq(fsm.ongoing("DECODE")),
        ]
