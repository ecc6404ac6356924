# SPDX-License-Identifier: BSD-2-Clause
"""Records of several sources, one at a time and whole, become packets in the slots of a ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import FSM, Array, Case, Cat, Constant, If, Mux, NextState, NextValue, ResetInserter, Signal, bits_for
from migen.genlib.roundrobin import SP_CE, RoundRobin

from triplane.gateware.link.records.layouts import (
    CUT,
    GUARDED,
    HEADER,
    HEADER_WORDS,
    MAGIC,
    REASON_BITS,
    SEQUENCE_BITS,
    SEQUENCE_WORD,
    VERSION,
    WORD_BITS,
    Kind,
    Reason,
)


@dataclass(frozen=True)
class RecordSource:
    """Where records of one kind come from.

    Attributes:
        kind: of the records.
        words: of the longest record, at least 1.
        depth: words of a queue in front, where a record waits while another kind has its turn; 0 for none.

    Raises:
        ValueError: there is no such kind, or a number is too small.
    """

    kind: Kind
    words: int
    depth: int = 0

    def __post_init__(self) -> None:
        if self.kind not in list(Kind):
            raise ValueError(f"there is no kind {self.kind}; there are {', '.join(k.name for k in Kind)}")
        if self.words < 1:
            raise ValueError(f"a record has at least 1 word, not {self.words}")
        if self.depth < 0:
            raise ValueError(f"a queue has at least 0 words, not {self.depth}")


class RecordPacker(LiteXModule):
    r"""Writes records behind one another into the open slot, and its header when the packet is closed.

    A record is never cut by another: once its first word is taken, words come from its source only, up to `last`. A
    source that gives a record up in the middle, and begins another one with `first`, or is silenced by `clear`,
    has the part removed that was written; that is counted, as is a record that does not fit.

    ```
    cycle     0      1      2      3                   n      n+1    n+2  ...  n+11
    source    offers        first  second       last
    state     AWAIT  OPEN   FILL   FILL   ...   FILL   FILL   CLOSE       ...  CLOSE  AWAIT
    slot             ~seq   word 0 word 1       word m        magic       ...  seq
    opened    ______/‾‾‾\__
    closed                                                                ____/‾‾‾‾\__
    ```

    `full` and the like are looked at in cycle n, between records; where none of them holds, the next word is taken
    then.

    Args:
        sources: where records come from; their turns go round.
        slot_words: words of a slot.

    Attributes:
        sinks: words of records by source, `first` and `last` on the ends of a record.
        now: input; cycle counter.
        clear: input; sources forget what they had: a record that is under way is given up.
        flush: input; close the packet that is open, after the record that is under way.
        session, renewed: inputs; the session's number, and 1 in the cycle in which it changes.
        timeout: input; cycles after which a packet that is open is closed.
        linger: input; cycles that a record of another kind waits for the open packet before it is closed.
        guarded: input; for the flag in the header.
        room: input; the next slot may be used.
        sequence: input; number of the packet that is open, or to be opened.
        write, word, data: what is written into the slot of that number.
        opened: 1 in a cycle in which the slot is used again.
        closed: 1 in a cycle in which a packet is complete.
        held: 1 in a cycle in which a record waits since there is no room.
        recorded, abandoned, cut: 1 in a cycle in which a record is complete, was given up by its source, or has
            ended without all of its words.
    """

    FLUSH_LATENCY = HEADER_WORDS + 1
    """Cycles from `flush`, between records, to `closed`; and from the first word of a packet, beside `timeout`."""

    RECORD_GAP = 0
    """Cycles between two records of one packet whose source does not pause."""

    PACKET_GAP = HEADER_WORDS + 3
    """Cycles between the last word of a packet and the first of the next, where there is room."""

    def __init__(self, sources: Sequence[RecordSource], slot_words: int) -> None:
        if not sources:
            raise ValueError("a record stream needs at least 1 source")
        kinds = [source.kind for source in sources]
        if len(set(kinds)) != len(kinds):
            raise ValueError(f"each kind has one source, not {', '.join(kind.name for kind in kinds)}")
        space = slot_words - HEADER_WORDS
        for source in sources:
            if source.words > space:
                raise ValueError(
                    f"a record of {source.words} words does not fit a slot of {slot_words}, of which {HEADER_WORDS} "
                    f"are the header's; {source.kind.name} needs more words a slot"
                )
        self.sinks = [stream.Endpoint([("data", WORD_BITS)]) for _ in sources]
        self.now = Signal(64)
        self.clear, self.flush, self.renewed = Signal(), Signal(), Signal()
        self.session = Signal(32)
        self.timeout, self.linger = Signal(32), Signal(16)
        self.guarded, self.room = Signal(), Signal()
        self.sequence = Signal(SEQUENCE_BITS)
        self.write, self.word, self.data = Signal(), Signal(max=slot_words), Signal(WORD_BITS)
        self.opened, self.closed, self.held = Signal(), Signal(), Signal()
        self.recorded, self.abandoned, self.cut = Signal(), Signal(), Signal()

        # # #

        # The source whose turn it is. `arbiter.grant` changes between packets only.
        self.arbiter = arbiter = RoundRobin(len(sources), SP_CE)
        stray = Signal(len(sources))
        offers = [
            self._whole(self._queue(sink, source.depth), stray[k])
            for k, (sink, source) in enumerate(zip(self.sinks, sources, strict=True))
        ]
        turn = arbiter.grant
        offer = stream.Endpoint([("data", WORD_BITS)])
        for name in ("valid", "first", "last", "data"):
            self.comb += getattr(offer, name).eq(Array(getattr(each, name) for each in offers)[turn])
        mine = Signal(len(offers))
        self.comb += [
            Case(turn, {k: mine.eq(1 << k) for k in range(len(offers))}),
            arbiter.request.eq(Cat(*(each.valid for each in offers))),
            *(each.ready.eq(offer.ready & (turn == k)) for k, each in enumerate(offers)),
        ]

        # What the open packet holds. `start` is where the record that is under way begins, `ceiling` the last place
        # where the longest record finds room.
        size = bits_for(slot_words)
        position, start, ceiling = Signal(size), Signal(size), Signal(size)
        length, record_words, records = Signal(size), Signal(size), Signal(size)
        session, kind = Signal(32), Signal(16)
        first_cycle, last_cycle = Signal(64), Signal(64)
        inside, fresh, cutting, was_cut = Signal(), Signal(), Signal(), Signal()
        odd, renewing, flushing, expired, impatient = (Signal() for _ in range(5))
        age, waited = Signal(32), Signal(16)

        # A word: a record that begins anew takes the place of the part that its source gave up.
        taken, anew, fits, new_length = Signal(), Signal(), Signal(), Signal(size)
        place = Signal(size)
        ending, filling = Signal(), Signal()
        self.comb += [
            fresh.eq((records == 0) & ~inside),
            anew.eq(inside & offer.first),
            place.eq(Mux(anew, start, position)),
            fits.eq(place != slot_words),
            new_length.eq(Mux(anew, 0, length) + fits),
            taken.eq(offer.valid & offer.ready),
            ending.eq(taken & offer.last),
            self.recorded.eq(ending),
            self.abandoned.eq((taken & anew) | (self.clear & filling & inside) | (stray != 0)),
            self.cut.eq(ending & (~fits | (cutting & ~anew))),
        ]
        word_taken = [
            position.eq(place + fits),
            length.eq(new_length),
            inside.eq(~offer.last),
            cutting.eq(~fits | (cutting & ~anew)),
            If((records == 0) & (~inside | anew), first_cycle.eq(self.now)),
            If(offer.last,
                start.eq(place + fits),
                length.eq(0),
                cutting.eq(0),
                was_cut.eq(was_cut | self.cut),
                records.eq(records + 1),
                last_cycle.eq(self.now),
                If(records == 0, record_words.eq(new_length)).Else(odd.eq(new_length != record_words)),
            ),
        ]  # fmt: skip
        given_up = [position.eq(start), length.eq(0), inside.eq(0), cutting.eq(0)]

        # Reasons to close, all of them registers
        closing, why, reason = Signal(), Signal(REASON_BITS), Signal(REASON_BITS)
        others = Signal()
        self.comb += [
            others.eq((arbiter.request & ~mine) != 0),
            closing.eq(1),
            If(position > ceiling, why.eq(Reason.FULL))
            .Elif(odd, why.eq(Reason.LENGTH))
            .Elif(renewing, why.eq(Reason.SESSION))
            .Elif(flushing, why.eq(Reason.FLUSH))
            .Elif(expired, why.eq(Reason.TIMEOUT))
            .Elif(impatient, why.eq(Reason.KIND))
            .Else(closing.eq(0)),
        ]
        # What was taken before a request, or with it, is closed by it.
        any_record = ~fresh | taken
        self.sync += If(filling,
            age.eq(age + 1),
            If(age >= self.timeout, expired.eq(1)),
            If(others, waited.eq(waited + 1), If(waited >= self.linger, impatient.eq(1))).Else(waited.eq(0)),
            If(self.renewed & any_record, renewing.eq(1)),
            If(self.flush & any_record, flushing.eq(1)),
        )  # fmt: skip

        # Header
        flags = Signal(16)
        self.comb += [
            flags[:REASON_BITS].eq(reason),
            flags[GUARDED.bit_length() - 1].eq(self.guarded),
            flags[CUT.bit_length() - 1].eq(was_cut),
        ]
        contents = {
            "magic": Constant(MAGIC, 32),
            "version": Constant(VERSION, 16),
            "kind": kind,
            "flags": flags,
            "records": records,
            "record_words": record_words,
            "words": start - HEADER_WORDS,
            "sequence": self.sequence,
            "session": session,
            "first_cycle_lo": first_cycle[:32],
            "first_cycle_hi": first_cycle[32:],
            "last_cycle_lo": last_cycle[:32],
            "last_cycle_hi": last_cycle[32:],
        }
        header = Signal(WORD_BITS * HEADER_WORDS)
        offset = 0
        for field in HEADER.fields:
            self.comb += header[offset : offset + field.bits].eq(contents[field.name])
            offset += field.bits
        # The word that says which packet the slot holds comes last.
        order = [k for k in range(HEADER_WORDS) if k != SEQUENCE_WORD] + [SEQUENCE_WORD]
        step = Signal(max=HEADER_WORDS)
        header_word, header_data = Signal.like(self.word), Signal(WORD_BITS)
        self.comb += Case(
            step,
            {
                n: [header_word.eq(k), header_data.eq(header[WORD_BITS * k : WORD_BITS * (k + 1)])]
                for n, k in enumerate(order)
            },
        )

        self.fsm = fsm = FSM(reset_state="AWAIT")
        fsm.act("AWAIT",
            arbiter.ce.eq(1),
            If(arbiter.request != 0, NextState("OPEN")),
        )  # fmt: skip
        fsm.act("OPEN",
            self.word.eq(SEQUENCE_WORD),
            self.data.eq(~self.sequence),
            If(~offer.valid | self.clear,
                NextState("AWAIT"),
            ).Elif(self.room,
                self.opened.eq(1),
                self.write.eq(1),
                NextState("FILL"),
            ).Else(self.held.eq(1)),
        )  # fmt: skip
        ceilings = Array(Constant(slot_words - source.words, size) for source in sources)
        self.sync += If(self.opened,
            *(s.eq(0) for s in (length, records, age, waited)),
            *(s.eq(0) for s in (inside, cutting, was_cut, odd, renewing, flushing, expired, impatient)),
            position.eq(HEADER_WORDS),
            start.eq(HEADER_WORDS),
            ceiling.eq(ceilings[turn]),
            kind.eq(Array(Constant(int(each), 16) for each in kinds)[turn]),
            session.eq(self.session),
        )  # fmt: skip
        fsm.act("FILL",
            filling.eq(1),
            self.word.eq(place),
            self.data.eq(offer.data),
            offer.ready.eq((inside | fresh | ~closing) & ~self.clear),
            self.write.eq(taken & fits),
            If(~fresh & ~inside & closing,
                NextValue(reason, why),
                NextValue(step, 0),
                NextState("CLOSE"),
            # Given up by its source before the first record was whole: the slot stays what it is.
            ).Elif(fresh & (~offer.valid | self.clear), NextState("AWAIT")),
        )  # fmt: skip
        self.sync += If(filling, If(self.clear, *given_up).Elif(taken, *word_taken))
        fsm.act("CLOSE",
            self.word.eq(header_word),
            self.data.eq(header_data),
            self.write.eq(1),
            NextValue(step, step + 1),
            If(step == HEADER_WORDS - 1, self.closed.eq(1), NextState("AWAIT")),
        )  # fmt: skip

    def _queue(self, sink: stream.Endpoint, depth: int) -> stream.Endpoint:
        """The end of a source's queue, or the source itself."""
        if not depth:
            return sink
        queue = ResetInserter()(stream.SyncFIFO([("data", WORD_BITS)], depth, buffered=depth > 64))
        self.submodules += queue
        self.comb += [sink.connect(queue.sink), queue.reset.eq(self.clear)]
        return queue.source

    def _whole(self, queue: stream.Endpoint, stray: Signal) -> stream.Endpoint:
        """Passes words from `first` to `last`; those of a record whose beginning was cleared away are dropped."""
        offer, begun = stream.Endpoint([("data", WORD_BITS)]), Signal()
        belongs = queue.first | begun
        self.comb += [
            queue.connect(offer, omit={"valid", "ready"}),
            offer.valid.eq(queue.valid & belongs),
            queue.ready.eq(offer.ready | ~belongs),
            stray.eq(queue.valid & ~belongs & queue.last),
        ]
        self.sync += [
            If(offer.valid & offer.ready, begun.eq(~queue.last)),
            If(self.clear, begun.eq(0)),
        ]
        return offer
