# SPDX-License-Identifier: BSD-2-Clause
"""The way out of a decoder: what is known when a window is decoded becomes its record, word by word."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import FSM, Case, Cat, Constant, If, Mux, NextState, NextValue, Signal

from triplane.gateware.decoder.layouts import RESULT, correction_words


class RecordSender(LiteXModule):
    r"""Follows a window from its last word to the last word of its record; one window at a time.

    The record is taken one cycle after `finish`, while nobody waits for it: of what ends late in that cycle only the
    frame is needed at once. What the window's last word brought with it (its time of entry) is taken in the cycle of
    `start`.

    ```
      cycle        0      1     2    ...    n    n+1    n+2
      start     __/--\______________________________________
      elapsed       0     1     2           n    n+1
      cycles                    1          n-1    n
      finish    __________________________/--\______________    decode_cycles = n
      made      _______________________________/--\_________    the record is taken from `fields`
      valid     _____________________________________/------    its first word, without a correction
    ```

    Args:
        num_edges: bits of the physical correction that can follow the record; 0 for a decoder that makes none.

    Attributes:
        source: words of result records (`layouts.RESULT`, then the correction where it is asked for).
        now: input; cycle counter of the system.
        restart: input; count windows from 0.
        start: input; the last word of a window is taken. Only while `receiving` is high.
        entered: input, valid with `start`; low half of the cycle counter when that word entered.
        finish: input; the decoder is done, two cycles after `start` or later. Ignored unless `decoding` is high, where
            it makes `finished`.
        fields: inputs by name, valid with `made`: all fields of the record that are not made here.
        correction, counted: inputs; bit k = edge k, held from `settled` until the record is sent. An edge is sent where
            both are set: whole words are chosen first, so that a word of gates does for all edges.
        with_correction: input; append the correction.
        settled: input; the correction is complete.
        receiving: no window is being decoded or sent.
        decoding: a window is being decoded.
        finished: 1 in the cycle in which a window ends.
        made: 1 in the cycle after that.
        elapsed: cycles since `start`, 65535 at most.
        cycles: the same a cycle later; with `made`, those of the window.
        wait: cycles from that word's entry to `start`, from two cycles after it on.
    """

    OWN = ("sequence", "timestamp_lo", "timestamp_hi", "decode_cycles", "waited")
    """Fields that are made here."""

    def __init__(self, num_edges: int) -> None:
        self.source = stream.Endpoint([("data", 32)])
        self.now = Signal(64)
        self.restart = Signal()
        self.start = Signal()
        self.entered = Signal(32)
        self.finish = Signal()
        self.fields = {f.name: Signal(f.bits) for f in RESULT.fields if f.name not in self.OWN}
        self.correction = Signal(max(num_edges, 1))
        self.counted = Signal(len(self.correction))
        self.with_correction = Signal()
        self.settled = Signal()
        self.receiving = Signal()
        self.decoding = Signal()
        self.finished = Signal()
        self.made = Signal()
        self.elapsed = elapsed = Signal(16)
        self.cycles = Signal(16)
        self.wait = Signal(32)

        # # #

        # Record. The cycle of entry had the high half that the counter has now, unless the low half has wrapped since.
        sequence, taken, entered = Signal(32), Signal(64), Signal(32)
        waited, entered_high = Signal(16), Signal(32)
        self.sync += [
            If(elapsed != 2 ** len(elapsed) - 1, elapsed.eq(elapsed + 1)),
            self.cycles.eq(elapsed),
            If(self.start, elapsed.eq(1), taken.eq(self.now), entered.eq(self.entered)),
            self.made.eq(self.finished),
            If(self.restart, sequence.eq(0)).Elif(self.made, sequence.eq(sequence + 1)),
        ]
        wrapped = Signal()
        self.sync += [self.wait.eq(taken[:32] - entered), wrapped.eq(entered > taken[:32])]
        self.comb += [
            waited.eq(Mux(self.wait[16:] != 0, 0xFFFF, self.wait)),
            entered_high.eq(taken[32:] - wrapped),
        ]
        contents = self.fields | {
            "sequence": sequence,
            "timestamp_lo": entered,
            "timestamp_hi": entered_high,
            "decode_cycles": self.cycles,
            "waited": waited,
        }
        record = Signal(32 * RESULT.words)
        position = 0
        for f in RESULT.fields:
            self.sync += If(self.made, record[position : position + f.bits].eq(contents[f.name]))
            position += f.bits

        # Words: the record, then the correction in the order of the graph's edges
        extra = correction_words(num_edges)
        words = [record[32 * k : 32 * (k + 1)] for k in range(RESULT.words)]
        words += _words(self.correction, extra)
        gates = [Constant(2**32 - 1, 32)] * RESULT.words + _words(self.counted, extra)
        sending = Signal(max=max(len(words), 2))
        word, gate = Signal(32), Signal(32)
        final = Signal()
        self.comb += [
            Case(
                sending,
                {k: [word.eq(w), gate.eq(g)] for k, (w, g) in enumerate(zip(words, gates, strict=True))},
            ),
            self.source.data.eq(word & gate),
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


def _words(bits: Signal, count: int) -> list:
    """The first `count` words of `bits`, filled up with zeros."""
    padded = Cat(bits, Constant(0, 32))
    return [padded[32 * k : 32 * (k + 1)] for k in range(count)]
