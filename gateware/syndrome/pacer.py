# SPDX-License-Identifier: BSD-2-Clause
"""Round pacer: releases one round of detection events every `period` cycles."""

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal

from triplane.gateware.syndrome.layouts import EVENT_LAYOUT

BACKLOG_BITS = 16
PERIOD_BITS = 24


class RoundPacer(LiteXModule):
    """Lets whole rounds pass from `sink` to `source`, each at its time.

    One word per cycle at most, no storage: a word passes combinationally. With period 4, two words per round, and a
    decoder that is not ready at first when the second round falls due (`due` counts rounds that may leave)::

        tick      _|T|___________|T|___________|T|____
        due       000011100000000011111111110001110000
        source    ....[0 1].......w w w w[2 3]..[4 5].
        stalled                   ^ counted once for the round

    Parameters
    ----------
    words_per_round: words that make one round, at least 1.

    Attributes
    ----------
    sink, source: event words; `source.last` marks the last word of a round, `source.first` the first.
    level: input; words that `sink` can deliver (its FIFO's level).
    safe: input; no round starts while it is high. A round that has begun is finished, so none is ever torn.
    clear: input; stops, forgets the schedule and zeroes the counters.
    running: high from start until the last round has left.
    starved, stalled: high for one cycle for each round that starts late because of the FIFO, or of the decoder.
    """

    LATENCY = 1
    """Cycles from the tick at which a round falls due to its first word."""

    def __init__(self, words_per_round: int) -> None:
        if words_per_round < 1:
            raise ValueError(f"words_per_round must be at least 1, not {words_per_round}")
        self.sink = stream.Endpoint(EVENT_LAYOUT)
        self.source = stream.Endpoint(EVENT_LAYOUT)
        self.level = Signal(32)
        self.safe = Signal()
        self.clear = Signal()
        self.running = Signal()
        self.starved = Signal()
        self.stalled = Signal()

        self.period = CSRStorage(
            PERIOD_BITS,
            reset=246,
            description="Cycles from one round to the next, at least 1; 0 counts as 1. Change it only while stopped.",
        )
        self.rounds = CSRStorage(32, description="Rounds to release after a start.")
        self.control = CSRStorage(
            fields=[
                CSRField(
                    "start",
                    pulse=True,
                    description="Write 1 to release `rounds` rounds, the first at once. Ignored while running.",
                ),
                CSRField("stop", pulse=True, description="Write 1 to release no further round."),
            ],
            description="Start and stop.",
        )
        self.status = CSRStatus(
            fields=[
                CSRField("running", description="1 from a start until the last round has left or a stop.")
            ],
            description="State of the pacer.",
        )
        self.released = CSRStatus(32, description="Rounds released since the last start or clear.")
        self.starved_rounds = CSRStatus(
            32,
            description="Rounds that fell due while the FIFO held no whole round. The schedule waited for them.",
        )
        self.stalled_rounds = CSRStatus(
            32,
            description="Rounds that started late since the decoder had not taken those before. The schedule went on.",
        )
        self.backlog_max = CSRStatus(
            BACKLOG_BITS,
            description="Most rounds that were due and not yet wholly taken by the decoder, at any time since start.",
        )

        # # #

        timer = Signal(PERIOD_BITS)
        left = Signal(32)
        due = Signal(BACKLOG_BITS)
        word = Signal(max=max(words_per_round, 2))
        fresh = Signal()
        tick = Signal()
        whole = Signal()
        transfer = Signal()
        round_done = Signal()
        hold = Signal()

        self.comb += [
            whole.eq(self.level >= words_per_round),
            # The host is late, not the decoder: wait. A full counter waits too, so that no tick is lost.
            hold.eq(((due != 0) & (word == 0) & ~whole) | (due == 2**BACKLOG_BITS - 1) | self.safe),
            tick.eq(self.running & (left != 0) & (timer == 0) & ~hold),
            self.sink.connect(self.source, omit={"valid", "ready", "first", "last"}),
            self.source.first.eq(word == 0),
            self.source.last.eq(word == words_per_round - 1),
            If(
                (due != 0) & ((word != 0) | (whole & ~self.safe)),
                self.source.valid.eq(self.sink.valid),
                self.sink.ready.eq(self.source.ready),
            ),
            transfer.eq(self.source.valid & self.source.ready),
            round_done.eq(transfer & self.source.last),
            self.starved.eq(fresh & ~whole),
            self.stalled.eq((fresh & whole & ~transfer) | (tick & (due > round_done))),
            self.status.fields.running.eq(self.running),
        ]
        self.sync += [
            due.eq(due + tick - round_done),
            # Each tick is judged once: right here where rounds before it are still under way, else one cycle later.
            fresh.eq(tick & (due == round_done)),
            If(self.running & ~hold & (timer != 0), timer.eq(timer - 1)),
            If(
                tick,
                left.eq(left - 1),
                timer.eq(self.period.storage - (self.period.storage != 0)),
            ),
            If(transfer, word.eq(word + 1)),
            If(round_done, word.eq(0), self.released.status.eq(self.released.status + 1)),
            If(self.starved, self.starved_rounds.status.eq(self.starved_rounds.status + 1)),
            If(self.stalled, self.stalled_rounds.status.eq(self.stalled_rounds.status + 1)),
            If(due > self.backlog_max.status, self.backlog_max.status.eq(due)),
            If(self.running & (left == 0) & (due == 0), self.running.eq(0)),
            If(
                self.control.fields.stop,
                left.eq(0),
                # The round that is under way is still due, no other.
                due.eq(((word != 0) | transfer) & (round_done == 0)),
            ),
            If(
                self.control.fields.start & ~self.running,
                self.running.eq(1),
                left.eq(self.rounds.storage),
                timer.eq(0),
                [
                    status.status.eq(0)
                    for status in (self.released, self.starved_rounds, self.stalled_rounds, self.backlog_max)
                ],
            ),
            If(
                self.clear,
                [signal.eq(0) for signal in (self.running, left, due, word, fresh, timer)],
                [
                    status.status.eq(0)
                    for status in (self.released, self.starved_rounds, self.stalled_rounds, self.backlog_max)
                ],
            ),
        ]
