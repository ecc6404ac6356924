# SPDX-License-Identifier: BSD-2-Clause
"""Requests of the host, from whatever datagrams bring them, checked whole and executed once."""

from __future__ import annotations

from liteeth.mac.crc import LiteEthMACCRC32, LiteEthMACCRCEngine
from litex.gen import LiteXModule
from litex.gen.common import reverse_bytes
from litex.soc.interconnect import stream, wishbone
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import FSM, Case, Cat, If, Memory, Mux, NextState, NextValue, Signal

from triplane.gateware.link.etherbone import (
    BODY_WORD,
    BYTE_ENABLES,
    CHECKSUM_WORD,
    FLAG_WRITE_FIFO,
    FLAGS_OTHER_SPACES,
    HEADER,
    MAX_COUNT,
    PROBE,
    PROBE_OFFSET,
    PROBE_REPLY,
    RECORD_WORD,
    SEQUENCE_BITS,
    WORD_BYTES,
)

PEER_BITS = 32 + 16
"""Of an IPv4 address and a port, or of what else tells one host from another."""

DATAGRAM = stream.EndpointDescription([("data", 32), ("error", 1)], [("peer", PEER_BITS), ("length", 16)])
"""A datagram in words, its first byte in the highest bits. `length` is in bytes; `error` counts with `last`."""

FIFO_BIT = 24 + FLAG_WRITE_FIFO.bit_length() - 1
"""Of a record header."""

REQUEST_DEPTH = 512
"""Words of the longest request, more than an Ethernet frame holds."""


PATIENCE = 256
"""Cycles that an access to the bus may take, those in which it waits for other masters among them."""


class Exchange(LiteXModule):
    r"""Stores a datagram, checks it, executes it on the bus, and answers.

    ```
    RECEIVE -> LOAD -> JUDGE -> WRITE ... -> READ ... -> SEND -> RECEIVE
                         '--- probe, repetition -----------^
                         '--- malformed, refused ---------------> RECEIVE
    ```

    Nothing is executed before the last word has come, and the whole has the shape and the checksum that it says. What
    a request is, and which are executed, is told in `etherbone`. While one is executed the next one waits at `sink`:
    hosts have one request under way.

    Args:
        bus_bits: address bits of the bus, in words.

    Attributes:
        sink: datagrams (`DATAGRAM`). A word with `error` or a wrong length refuses the datagram.
        source: replies, to the peer that asked; no gap between their words once the first is there.
        bus: Wishbone master. An access that nothing answers within `PATIENCE` cycles is an error.
        executed: high for a cycle when a request with a key has been executed, unless its host only observes: the host
            of a job is alive.
    """

    def __init__(self, bus_bits: int = 30) -> None:
        self.sink = sink = stream.Endpoint(DATAGRAM)
        self.source = source = stream.Endpoint(DATAGRAM)
        self.bus = bus = wishbone.Interface(data_width=32, adr_width=bus_bits)
        self.executed = Signal()

        self._control = CSRStorage(
            fields=[
                CSRField(
                    "unguarded",
                    description="1: a request without a key may write, and may read nothing, for tools that know no "
                    "keys. It is executed as often as it arrives.",
                ),
                CSRField(
                    "observes",
                    description="1: who asks by this way watches another host's job, and keeps it alive with nothing.",
                ),
            ],
            description="What is executed.",
        )
        self._key = CSRStatus(
            fields=[
                CSRField("sequence", size=SEQUENCE_BITS, description="Of the last request with a key."),
                CSRField("session", size=16, description="In use; a new one must be ahead of it."),
            ],
            description="Key of the last request that was executed exactly once.",
        )
        counters = {
            "requests": "Requests that were executed, modulo 2**32.",
            "repeated": "Requests that came again and were answered from memory, modulo 2**32.",
            "refused": "Well-formed requests that were not executed: out of order, of another session or peer, or "
            "writes without a key. Modulo 2**32.",
            "malformed": "Datagrams that are no request, modulo 2**32.",
            "bus_errors": "Requests that were ended by an error of the bus, modulo 2**32.",
        }
        for name, description in counters.items():
            setattr(self, f"_{name}", CSRStatus(32, name=name, description=description))

        # # #

        def counted(name: str) -> NextValue:
            value = getattr(self, f"_{name}").status
            return NextValue(value, value + 1)

        # The request, word by word
        request, answers = Memory(32, REQUEST_DEPTH), Memory(32, 2 * (MAX_COUNT + 1))
        store, fetch = request.get_port(write_capable=True), request.get_port()
        keep, recall = answers.get_port(write_capable=True), answers.get_port()
        self.specials += request, store, fetch, answers, keep, recall
        words = Signal(max=REQUEST_DEPTH + 1)
        peer = Signal(PEER_BITS)
        head, second, record, key = (Signal(32) for _ in range(4))
        fifo, writes, reads = record[FIFO_BIT], record[8:16], record[:8]

        # Checksum of a packet, of its body first: a register between the words and the sum
        restart, add, add_word = Signal(), Signal(), Signal(32)
        adding, added = Signal(), Signal(32)
        state, crc, sealed = Signal(32), Signal(32), Signal(32)
        self.engine = engine = LiteEthMACCRCEngine(32, LiteEthMACCRC32.width, LiteEthMACCRC32.polynom)
        self.comb += [
            engine.data.eq(reverse_bytes(added)),
            engine.crc_prev.eq(state),
            crc.eq(state[::-1] ^ LiteEthMACCRC32.init),
            sealed.eq(Mux(crc == 0, 2**32 - 1, crc)),
        ]
        self.sync += [
            adding.eq(add),
            added.eq(add_word),
            If(adding, state.eq(engine.crc_next)),
            If(restart, state.eq(LiteEthMACCRC32.init)),
        ]

        # Its shape
        guarded = Signal()
        wanted, key_at = Signal(max=2 * (MAX_COUNT + 1) + BODY_WORD + 1), Signal(max=REQUEST_DEPTH)
        is_probe, well_formed = Signal(), Signal()
        self.comb += [
            key_at.eq(BODY_WORD + Mux(writes != 0, writes + 1, 0)),
            wanted.eq(key_at + Mux(reads != 0, reads + 1, 0)),
            guarded.eq((reads != 0) & (key != 0) & (second != 0)),
            is_probe.eq(head == HEADER | PROBE << PROBE_OFFSET),
            well_formed.eq(
                (head == HEADER)
                & (words == wanted)
                & (wanted != BODY_WORD)
                & (record[16:24] == BYTE_ENABLES)
                & ((record[24:] & FLAGS_OTHER_SPACES) == 0)
                & ((sealed == second) | (second == 0))
            ),
        ]

        # Whether it is executed
        session, sequence = self._key.fields.session, self._key.fields.sequence
        owner, owned = Signal(PEER_BITS), Signal()
        mine, opens = Signal(), Signal()
        distance = Signal(16)
        last = Cat(sequence, session)
        following = Signal(SEQUENCE_BITS)
        self.comb += [
            mine.eq(owned & (key[SEQUENCE_BITS:] == session) & (peer == owner)),
            following.eq(sequence + 1),
            distance.eq(key[SEQUENCE_BITS:] - session),
            opens.eq((key[:SEQUENCE_BITS] == 0) & (writes == 0) & (distance != 0) & ~distance[-1]),
        ]

        at, done = Signal(max=REQUEST_DEPTH), Signal(max=MAX_COUNT + 1)
        address, failed = Signal(32), Signal()
        waited, broken = Signal(max=PATIENCE + 1), Signal()
        # Of the answer to the last request with a key, and of the one under way
        kept, kept_seal, seal = Signal(max=MAX_COUNT + 1), Signal(32), Signal(32)
        answer_record = Signal(32)
        count, index, ending = (
            Signal.like(done),
            Signal(max=MAX_COUNT + 1 + BODY_WORD + 1),
            Signal.like(words),
        )
        following_index, answer = Signal.like(index), Signal.like(index)
        self.sync += If(bus.cyc & ~bus.ack & ~broken, waited.eq(waited + 1)).Else(waited.eq(0))
        self.comb += [
            broken.eq(bus.err | (waited == PATIENCE)),
            store.adr.eq(words),
            store.dat_w.eq(sink.data),
            fetch.adr.eq(at),
            keep.adr.eq(Cat(done, guarded)),
            keep.dat_w.eq(bus.dat_r),
            answer_record.eq(BYTE_ENABLES << 16 | done << 8),
            following_index.eq(Mux(source.valid & source.ready, index + 1, index)),
            answer.eq(following_index - (BODY_WORD + 1)),
            recall.adr.eq(Cat(answer[: len(done)], guarded)),
        ]
        self.fsm = fsm = FSM(reset_state="RECEIVE")
        fsm.act(
            "RECEIVE",
            sink.ready.eq(1),
            If(sink.valid,
                store.we.eq(words != REQUEST_DEPTH),
                restart.eq(words == 0),
                add.eq(words >= BODY_WORD),
                add_word.eq(sink.data),
                NextValue(peer, sink.peer),
                NextValue(at, 0),
                If(words != REQUEST_DEPTH, NextValue(words, words + 1)),
                If(sink.last,
                    If(sink.error | (words == REQUEST_DEPTH) | (sink.length != WORD_BYTES * (words + 1)),
                        NextValue(words, 0),
                        counted("malformed"),
                    ).Else(
                        NextState("LOAD"),
                    )
                ),
            ),
        )  # fmt: skip
        # Words 0 to 2, which come a cycle after their address; then the key, where there is one.
        fsm.act(
            "LOAD",
            NextValue(at, at + 1),
            Case(at, {
                1: NextValue(head, fetch.dat_r),
                2: NextValue(second, fetch.dat_r),
                3: [NextValue(record, fetch.dat_r), NextState("SEEK")],
                "default": [],
            }),
            # What is shorter has left words of an earlier one behind itself.
            If(at > words, NextState("DISCARD")),
        )  # fmt: skip
        fsm.act("SEEK", NextValue(at, key_at), add.eq(1), add_word.eq(record), NextState("FETCH_KEY"))
        fsm.act("FETCH_KEY", NextValue(at, BODY_WORD), add.eq(1), add_word.eq(head), NextState("TAKE_KEY"))
        fsm.act("TAKE_KEY", NextValue(key, fetch.dat_r), NextValue(at, BODY_WORD + 1), NextState("JUDGE"))
        fsm.act(
            "DISCARD",
            # A probe has no record, though LiteX's has something in its place.
            NextValue(words, 0),
            NextState("RECEIVE"),
            If(is_probe & (words >= RECORD_WORD),
                NextValue(ending, RECORD_WORD),
                NextValue(index, 0),
                NextState("SEND_PROBE"),
            ).Else(
                counted("malformed"),
            ),
        )  # fmt: skip
        fsm.act(
            "JUDGE",
            restart.eq(1),
            NextValue(done, 0),
            NextValue(failed, 0),
            NextValue(index, 0),
            NextValue(address, fetch.dat_r),  # the base of the writes
            If(~well_formed,
                NextState("DISCARD"),
            ).Elif(guarded & mine & (key[:SEQUENCE_BITS] == sequence),
                counted("repeated"),
                NextValue(count, kept),
                NextValue(seal, kept_seal),
                NextState("ANSWER"),
            ).Elif(guarded & (mine & (key[:SEQUENCE_BITS] == following) | opens),
                NextValue(last, key),
                NextValue(owner, peer),
                NextValue(owned, 1),
                NextState("PREPARE"),
            ).Elif(~guarded & ((writes == 0) | self._control.fields.unguarded),
                NextState("PREPARE"),
            ).Else(
                counted("refused"),
                NextValue(words, 0),
                NextState("RECEIVE"),
            ),
        )  # fmt: skip
        fsm.act(
            "PREPARE",
            add.eq(1),
            add_word.eq(key),
            # `at` is that of the first word to write, which is there in the next cycle.
            If(writes != 0,
                NextState("WRITE"),
            ).Else(
                NextState("PREPARE_READ"),
            ),
        )  # fmt: skip
        fsm.act(
            "WRITE",
            bus.cyc.eq(1),
            bus.stb.eq(1),
            bus.we.eq(1),
            bus.sel.eq(BYTE_ENABLES),
            bus.adr.eq(address[2:]),
            bus.dat_w.eq(fetch.dat_r),
            If(bus.ack | broken,
                NextValue(at, at + 1),
                NextValue(done, done + 1),
                If(~fifo, NextValue(address, address + WORD_BYTES)),
                If(broken,
                    NextValue(done, 0),
                    NextValue(failed, 1),
                    NextState("FINISH"),
                ).Elif(done == writes - 1,
                    NextValue(done, 0),
                    NextState("PREPARE_READ"),
                ).Else(
                    NextState("PREPARE_WRITE"),
                ),
            ),
        )  # fmt: skip
        fsm.act("PREPARE_WRITE", NextState("WRITE"))
        fsm.act("PREPARE_READ", NextValue(at, key_at + 1), NextState("FETCH_ADDRESS"))
        fsm.act("FETCH_ADDRESS", If(reads == 0, NextState("FINISH")).Else(NextState("TAKE_ADDRESS")))
        fsm.act("TAKE_ADDRESS", NextValue(address, fetch.dat_r), NextState("READ"))
        fsm.act(
            "READ",
            bus.cyc.eq(1),
            bus.stb.eq(1),
            bus.sel.eq(BYTE_ENABLES),
            bus.adr.eq(address[2:]),
            If(broken,
                NextValue(failed, 1),
                NextState("FINISH"),
            ).Elif(bus.ack,
                keep.we.eq(1),
                add.eq(1),
                add_word.eq(bus.dat_r),
                NextValue(at, at + 1),
                NextValue(done, done + 1),
                If(done == reads - 1, NextState("FINISH")).Else(NextState("FETCH_ADDRESS")),
            ),
        )  # fmt: skip
        fsm.act(
            "FINISH",
            counted("requests"),
            If(failed, counted("bus_errors")),
            If(guarded, NextValue(kept, done), self.executed.eq(~self._control.fields.observes)),
            NextValue(count, done),
            add.eq(1),
            add_word.eq(answer_record),
            If(reads == 0,
                NextValue(words, 0),
                NextState("RECEIVE"),
            ).Else(
                NextState("CLOSE"),
            ),
        )  # fmt: skip
        fsm.act("CLOSE", add.eq(1), add_word.eq(HEADER), NextState("SUM"))
        fsm.act("SUM", NextState("SEAL"))
        fsm.act(
            "SEAL", NextValue(seal, sealed), If(guarded, NextValue(kept_seal, sealed)), NextState("ANSWER")
        )
        fsm.act("ANSWER", NextValue(ending, count + (BODY_WORD + 1)), NextState("SEND"))

        # The reply
        probing = fsm.ongoing("SEND_PROBE")
        end = If(source.ready & source.last, NextValue(words, 0), NextState("RECEIVE"))
        forward = NextValue(index, following_index)
        fsm.act("SEND", source.valid.eq(1), forward, end)
        fsm.act("SEND_PROBE", source.valid.eq(1), forward, end)
        self.comb += [
            source.first.eq(index == 0),
            source.last.eq(index == ending - 1),
            source.peer.eq(peer),
            source.length.eq(WORD_BYTES * ending),
            Case(index, {
                0: source.data.eq(HEADER | Mux(probing, PROBE_REPLY << PROBE_OFFSET, 0)),
                CHECKSUM_WORD: source.data.eq(Mux(probing, second, seal)),
                RECORD_WORD: source.data.eq(BYTE_ENABLES << 16 | count << 8),
                BODY_WORD: source.data.eq(key),
                "default": source.data.eq(recall.dat_r),
            }),
        ]  # fmt: skip
