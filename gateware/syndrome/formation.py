# SPDX-License-Identifier: BSD-2-Clause
"""Syndrome formation: results of readout in, detection events of whole rounds out, by a table that the bus loads."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal, bits_for

from triplane.gateware.decoder.memory import TRUSTED
from triplane.gateware.decoder.table import WORD_BITS
from triplane.gateware.syndrome.collector import DEFAULT_AHEAD, TIMEOUT_BITS, LowestSlot
from triplane.gateware.syndrome.former import DEFAULT_QUEUE, RoundFormer
from triplane.gateware.syndrome.recorder import DEFAULT_RECORDS, RoundRecorder
from triplane.gateware.syndrome.shape import EXPECTED, FIRST_EVENT, HOLD, SyndromeShape
from triplane.gateware.syndrome.store import WideStore

NO_FAULT, UNTRUSTED, OVERRUN, DOUBLED, TIMED_OUT = range(5)
"""Causes that stop formation."""

CAUSES = {
    "untrusted": "A round was armed or open without a trusted table, or is of a kind that the table lacks.",
    "overrun": "A round was armed while as many were open as may be.",
    "doubled": "A slot came again before its round was complete.",
    "timed_out": "A slot of the open round has not come in time.",
}
"""Name to meaning, from cause 1 on."""


class SyndromeFormation(LiteXModule):
    r"""Forms the detection events of every round that the sequencer arms.

    ```
    cycle           0         1         2         3
    arm  __/‾‾\ ... ______________________________________   kind, last, known with it; before the first slot
    valid       ... __/‾‾\________________________________   the round's last slot
    bits                   | all of them
    formed      ... ______________________/‾‾\____________   events, observables, record
    source      ... ______________________[w0]______[w1]__   LATENCY = 2: words follow without a gap
    ```

    A complete round that finds the queue full waits and raises `held_up`: nothing is lost yet, and whoever hears of it
    has the time of a round to stop. What makes a loss certain stops formation: no round is armed and no slot taken any
    more, rounds that are complete still go out, and the decoder never sees a round after one that is missing.

    Args:
        shape: what is built; `SyndromeTable.shape` is the least that a circuit needs.
        ahead: rounds that may be armed and not yet complete.
        queue_rounds: rounds that wait for the decoder.
        records: records that wait to be sent.

    Attributes:
        valid, bit, leaked: inputs, one bit per slot: a result, its value, whether it was outside the qubit's states.
        arm: input; a round begins, of this
        round_kind: input; the slots of that kind's entry are expected from the next cycle on;
        last: input; it is the last of its shot;
        known: input; bits that are known beforehand, such as Stim's sweep bits.
        source: event words for the decoder, `words_per_round` per round.
        records: words of the record of every round.
        now: input; cycle counter.
        clear: input; forget everything but the table. The register's restart does the same.
        formed: 1 in the cycle in which the events of a round are there, which `source` offers from then on.
        observables: measured parity of each observable in the shot so far, valid from `formed` on until the next.
        last_formed, leaks: valid with `formed`: the shot is complete; slots of the round that leaked.
        untrusted, overrun, doubled, timed_out: 1 in a cycle in which formation stops for that cause.
        held_up: 1 in a cycle in which a complete round finds the queue full.
        record_lost: 1 in a cycle in which a record has no room.
        table_changed: 1 in a cycle in which the bus rewrites a word of the table or its CRC.
        stopped: since a fault, until it is cleared.
        check_cycles: cycles that a check of the table takes.
    """

    LATENCY = RoundFormer.LATENCY
    """Cycles from the last slot of a round to its first word."""

    def __init__(
        self,
        shape: SyndromeShape,
        *,
        ahead: int = DEFAULT_AHEAD,
        queue_rounds: int = DEFAULT_QUEUE,
        records: int = DEFAULT_RECORDS,
    ) -> None:
        self.shape = shape
        self.words_per_round = shape.words_per_round
        self.former = former = RoundFormer(shape, ahead=ahead, queue_rounds=queue_rounds)
        self.recorder = recorder = RoundRecorder(shape, records)
        self.store = store = WideStore(shape.kinds, shape.entry_words)
        self.lowest = lowest = LowestSlot(shape.slots)
        collector, table = former.collector, store.table
        self.check_cycles = table.check_cycles
        self.valid, self.bit, self.leaked = collector.valid, collector.bit, collector.leaked
        self.arm, self.round_kind = Signal(), Signal.like(former.kind)
        self.last, self.known = former.last, former.known
        self.source, self.records = former.source, recorder.source
        self.now = Signal(64)
        self.clear = Signal()
        self.formed, self.last_formed, self.leaks = former.formed, former.last_out, former.leaks
        self.observables = former.observables
        self.untrusted, self.overrun, self.doubled, self.timed_out = (Signal() for _ in CAUSES)
        self.held_up, self.record_lost = former.held_up, recorder.lost
        self.table_changed = Signal()
        self.stopped = Signal()
        self._add_registers()

        # # #

        # Table: what it says of slots when a round is armed, and of bits when one is open
        words, shown = shape.row_words, shape.slots
        wanted = Signal(shape.slots)
        slot_words = -(-shape.slots // WORD_BITS)
        self.comb += [
            wanted.eq(store.read(self.round_kind, EXPECTED * words, slot_words)[:shown]),
            former.hold.eq(store.read(self.round_kind, HOLD * words, slot_words)[:shown]),
            *(
                row.eq(store.read(former.kind_open, (FIRST_EVENT + k) * words, words)[: shape.columns])
                for k, row in enumerate([*former.event_rows, *former.observable_rows])
            ),
            table.write.eq(self._table_data.re),
            table.write_data.eq(self._table_data.storage),
            table.check.eq(self._table_crc.re),
            table.expected.eq(self._table_crc.storage),
            self.table_changed.eq(self._table_data.re | self._table_crc.re),
            self._table_found.status.eq(table.found),
        ]
        self.sync += [
            If(self._table_data.re, table.write_index.eq(table.write_index + 1)),
            If(self._table_index.re, table.write_index.eq(self._table_index.storage)),
        ]

        # Rounds
        clear, trusted, there = Signal(), Signal(), Signal()
        self.comb += [
            clear.eq(self.clear | self._control.fields.restart),
            trusted.eq(table.state == TRUSTED),
            there.eq(trusted & (wanted != 0)),
            former.trusted.eq(trusted),
            former.kind.eq(self.round_kind),
            former.clear.eq(clear),
            collector.arm.eq(self.arm & there),
            collector.wanted.eq(wanted),
            collector.stop.eq(self.stopped),
            collector.timeout.eq(self._timeout.storage),
        ]

        # Records. The round was complete in the cycle before `formed`.
        complete_at = Signal(64)
        self.sync += If(collector.leave, complete_at.eq(self.now))
        self.comb += [
            recorder.formed.eq(former.formed),
            recorder.clear.eq(clear),
            *(
                recorder.fields[name].eq(signal)
                for name, signal in {
                    "sequence": former.rounds_formed,
                    "shot": former.shot,
                    "round": former.round,
                    "time": complete_at,
                    "kind": former.kind_out,
                    "last": former.last_out,
                    "observables": former.observables,
                    "measured": former.bits,
                    "leaked": former.leaks,
                    "known": former.known_out,
                    "events": former.events,
                }.items()
            ),
        ]

        # Faults: the first one stops
        cause = Signal(bits_for(len(CAUSES)))
        self.comb += [
            self.untrusted.eq(~self.stopped & ((self.arm & ~there) | (collector.open & ~trusted))),
            self.overrun.eq(collector.refused),
            self.doubled.eq(collector.doubled),
            self.timed_out.eq(collector.timed_out),
        ]
        for number, name in reversed(list(enumerate(CAUSES, 1))):
            self.comb += If(getattr(self, name), cause.eq(number))
        # Registers that follow until then hold what was: nothing waits for the cause.
        followed = (
            (self._fault_round, former.round_open),
            (self._fault_shot, former.shot_open),
            (self._fault_cycle, self.now),
        )
        for register, present in followed:
            held = Signal(len(present))
            self.sync += If(~self.stopped, held.eq(present))
            self.comb += If(self.stopped, register.status.eq(held))
        shows_slot = Signal()
        self.sync += [
            If(~self.stopped,
                self._status.fields.cause.eq(cause),
                self.stopped.eq(cause != NO_FAULT),
                shows_slot.eq((cause == DOUBLED) | (cause == TIMED_OUT)),
                lowest.bits.eq(collector.culprits),
            ),
            If(clear, self.stopped.eq(0), self._status.fields.cause.eq(NO_FAULT), shows_slot.eq(0)),
        ]  # fmt: skip
        self.comb += If(shows_slot, self._fault_slot.status.eq(lowest.number))
        self.comb += [
            self._status.fields.busy.eq(collector.open | former.formed | (former.sender.level != 0)),
            self._status.fields.stopped.eq(self.stopped),
            self._status.fields.table.eq(table.state),
            self._rounds.status.eq(former.rounds_formed),
            self._shots.status.eq(former.shot_open),
        ]
        stray = Signal()  # a register: it is known late in its cycle
        self.sync += stray.eq(collector.stray & ~clear)
        for counter, event in (
            (self._held_up, self.held_up),
            (self._stray, stray),
            (self._records_lost, recorder.lost),
        ):
            self.sync += [
                If(event, counter.status.eq(counter.status + 1)),
                If(clear, counter.status.eq(0)),
            ]
        self.sync += [
            If(former.sender.level > self._backlog_max.status,
                self._backlog_max.status.eq(former.sender.level),
            ),
            If(clear, self._backlog_max.status.eq(0)),
        ]  # fmt: skip

    def _add_registers(self) -> None:
        self._control = CSRStorage(
            fields=[
                CSRField(
                    "restart",
                    pulse=True,
                    description="Forget faults, counters, and rounds that have not gone out; the table stays.",
                )
            ],
            description="Start afresh.",
        )
        self._status = CSRStatus(
            fields=[
                CSRField("busy", description="A round is open, or waits for the decoder."),
                CSRField("stopped", description="A fault has stopped formation."),
                CSRField(
                    "table",
                    size=2,
                    offset=4,
                    description="Whether the table is trusted.",
                    values=[
                        ("``0b00``", "Not checked since reset, or since a word was written."),
                        ("``0b01``", "Being checked."),
                        ("``0b10``", "Its CRC is not the expected one."),
                        ("``0b11``", "Trusted."),
                    ],
                ),
                CSRField(
                    "cause",
                    size=bits_for(len(CAUSES)),
                    offset=8,
                    description="Why formation stopped.",
                    values=[
                        ("``0b000``", "It has not."),
                        *((f"``0b{k:03b}``", meaning) for k, meaning in enumerate(CAUSES.values(), 1)),
                    ],
                ),
            ],
            description="State of syndrome formation.",
        )
        self._timeout = CSRStorage(
            TIMEOUT_BITS,
            reset=2**TIMEOUT_BITS - 1,
            description="Cycles in which the slots of the open round may come, from its becoming the open one.",
        )
        self._fault_round = CSRStatus(32, description="Round of its shot that was open at the fault.")
        self._fault_shot = CSRStatus(32, description="Shot that was open at the fault.")
        self._fault_slot = CSRStatus(
            16, description="Lowest slot that came again, or has not come; 0 for other causes."
        )
        self._fault_cycle = CSRStatus(64, description="Cycle counter at the fault.")
        self._rounds = CSRStatus(32, description="Rounds formed since the last restart.")
        self._shots = CSRStatus(32, description="Shots formed since the last restart.")
        self._held_up = CSRStatus(
            32, description="Rounds since the last restart that were complete and found the queue full."
        )
        self._backlog_max = CSRStatus(
            16, description="Most rounds since the last restart that waited for the decoder at once."
        )
        self._stray = CSRStatus(
            32, description="Cycles since the last restart in which a slot came that no round waited for."
        )
        self._records_lost = CSRStatus(
            32, description="Records since the last restart that had no room and were dropped."
        )
        self._table_index = CSRStorage(
            bits_for(self.shape.words - 1),
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
