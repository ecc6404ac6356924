# SPDX-License-Identifier: BSD-2-Clause
"""Records that wait in taps, one at a time, become packets in the slots of a ring."""

from __future__ import annotations

from collections.abc import Sequence

from litex.gen import LiteXModule
from migen import FSM, Array, Case, Cat, Constant, If, NextState, NextValue, Signal, bits_for
from migen.genlib.roundrobin import SP_CE, RoundRobin

from triplane.gateware.link.records.layouts import HEADER, MAGIC, PREFIX, VERSION, WORD_BITS, Reason
from triplane.gateware.link.records.tap import RecordTap


class RecordPacker(LiteXModule):
    r"""Writes records behind one another into a slot, and the header when the packet is closed.

    ```
             .--- DISCARD <---.
             v                |
    -----> AWAIT ---------> BEGIN ---------> COPY ---> AWAIT
             |                |
             '----> CLOSE <---'  the record does not fit
    ```

    Taps take turns, record by record. A slot is begun only when there is a record for it, and only where there is room.

    Args:
        taps: where records come from.
        slot_words: words of a slot.

    Attributes:
        build: input; first 32 bits of the build hash.
        now: input; cycle counter.
        session, sequence: inputs; numbers of the session, and of the packet that is open or the next to be.
        linger: input; cycles for which a packet may be open.
        flush: input; close the packet that is open once no record waits.
        room: input; the slot of packet `sequence` may be used.
        granted: input; a word that is written in this cycle is taken.
        write, word, data: what is written into the slot.
        closed: high for one cycle when the packet is complete.
        recorded: high for one cycle when a record is complete.
    """

    RECORD_GAP = 2
    """Cycles from the last word of a record to the first word of the next, in a packet that is open."""

    FLUSH_LATENCY = HEADER.words + 1
    """Cycles from `flush`, where nothing waits, to `closed`."""

    def __init__(self, taps: Sequence[RecordTap], slot_words: int) -> None:
        longest = max(tap.most for tap in taps) + HEADER.words + 1
        if longest > slot_words:
            raise ValueError(
                f"a slot must hold the header and the longest record, {longest} words, not {slot_words} words only"
            )
        self.build = Signal(32)
        self.now = Signal(64)
        self.session, self.sequence = Signal(32), Signal(32)
        self.linger = Signal(32)
        self.flush, self.room, self.granted = Signal(), Signal(), Signal()
        self.write, self.word, self.data = Signal(), Signal(max=slot_words), Signal(WORD_BITS)
        self.closed, self.recorded = Signal(), Signal()

        # # #

        # The tap whose turn it is
        self.arbiter = arbiter = RoundRobin(len(taps), SP_CE)
        turn = arbiter.grant
        take_word, take_note = Signal(), Signal()
        data, words, void, lost = Signal(WORD_BITS), Signal(8), Signal(), Signal(16)
        self.comb += [
            arbiter.request.eq(Cat(*(tap.notes.valid for tap in taps))),
            data.eq(Array(tap.words.data for tap in taps)[turn]),
            words.eq(Array(tap.notes.words for tap in taps)[turn]),
            void.eq(Array(tap.notes.void for tap in taps)[turn]),
            lost.eq(Array(tap.notes.lost for tap in taps)[turn]),
            *(tap.words.ready.eq(take_word & (turn == k)) for k, tap in enumerate(taps)),
            *(tap.notes.ready.eq(take_note & (turn == k)) for k, tap in enumerate(taps)),
        ]

        # The packet that is open
        opened, expired, flushing, forget = (Signal() for _ in range(4))
        end, left, step = Signal(bits_for(slot_words)), Signal(8), Signal(max=HEADER.words)
        age, cycle, records, reason = Signal(32), Signal(64), Signal(16), Signal(16)
        contents = {
            "magic": Constant(MAGIC, 32),
            "version": Constant(VERSION, 16),
            "words": end - HEADER.words,
            "session": self.session,
            "sequence": self.sequence,
            "cycle_lo": cycle[:32],
            "cycle_hi": cycle[32:],
            "records": records,
            "reason": reason,
            "build": self.build,
        }
        header, offset = Signal(WORD_BITS * HEADER.words), 0
        for field in HEADER.fields:
            self.comb += header[offset : offset + field.bits].eq(contents[field.name])
            offset += field.bits
        kinds = Array(Constant(int(tap.kind), PREFIX.fields[0].bits) for tap in taps)

        def close(why: Reason) -> list:
            return [NextValue(reason, int(why)), NextValue(step, 0), NextState("CLOSE")]

        self.fsm = fsm = FSM(reset_state="AWAIT")
        fsm.act("AWAIT",
            If(opened & expired,
                *close(Reason.TIMEOUT),
            ).Elif(arbiter.request != 0,
                arbiter.ce.eq(1),
                NextState("BEGIN"),
            ).Elif(opened & flushing,
                *close(Reason.FLUSH),
            ).Else(forget.eq(1)),
        )  # fmt: skip
        fsm.act("BEGIN",
            NextValue(left, words),
            If(void,
                NextState("DISCARD"),
            ).Elif(~opened,
                NextValue(end, HEADER.words),
                NextValue(records, 0),
                NextValue(cycle, self.now),
                NextValue(opened, self.room),
            ).Elif(end + words >= slot_words,
                *close(Reason.FULL),
            ).Else(
                self.write.eq(1),
                If(self.granted, NextValue(end, end + 1), NextState("COPY")),
            ),
        )  # fmt: skip
        fsm.act("COPY",
            self.write.eq(1),
            If(self.granted,
                take_word.eq(1),
                NextValue(end, end + 1),
                NextValue(left, left - 1),
                If(left == 1,
                    take_note.eq(1),
                    self.recorded.eq(1),
                    NextValue(records, records + 1),
                    NextState("AWAIT"),
                ),
            ),
        )  # fmt: skip
        fsm.act("DISCARD",
            take_word.eq(1),
            NextValue(left, left - 1),
            If(left == 1, take_note.eq(1), NextState("AWAIT")),
        )  # fmt: skip
        fsm.act("CLOSE",
            self.write.eq(1),
            If(self.granted,
                NextValue(step, step + 1),
                If(step == HEADER.words - 1,
                    self.closed.eq(1),
                    forget.eq(1),
                    NextValue(opened, 0),
                    NextState("AWAIT"),
                ),
            ),
        )  # fmt: skip
        closing = fsm.ongoing("CLOSE")
        self.comb += [
            self.word.eq(end),
            self.data.eq(data),
            If(fsm.ongoing("BEGIN"), self.data.eq(Cat(kinds[turn], words, lost))),
            If(closing,
                self.word.eq(step),
                Case(step, {k: self.data.eq(header[32 * k : 32 * (k + 1)]) for k in range(HEADER.words)}),
            ),
        ]  # fmt: skip
        self.sync += [
            If(opened, age.eq(age + 1), If(age >= self.linger, expired.eq(1))).Else(age.eq(0), expired.eq(0)),
            If(self.flush, flushing.eq(1)).Elif(forget, flushing.eq(0)),
        ]
