# SPDX-License-Identifier: BSD-2-Clause
"""Receiving the record stream: in order, exactly once, whatever the network does; what is gone is told."""

import random
import time
from types import SimpleNamespace

import numpy as np
import pytest

from triplane.gateware.link.records.layouts import FAULT, HEADER, VERSION, Kind, Reason
from triplane.hal.errors import RecordStreamError, UnsupportedError
from triplane.hal.packets import Packet, PacketError, StreamRecord, decode, encode
from triplane.hal.registers import RegisterMap
from triplane.hal.stream import Overwritten, StreamReceiver
from triplane.sim.models.link.records import Passing, StreamModel, TapModel, packet_bytes, prefix

SLOTS, SLOT_WORDS = 8, 32
REGISTERS = (
    *("session", "address", "port", "control", "linger", "acknowledge", "fetch", "word", "active", "next"),
    *("acknowledged", "sent", "recorded", "shape", "lost_result", "lost_fault"),
)
CYCLES = 20
"""That an access to a register takes."""

PACE = 12
"""Cycles from one word to the next, where records come at leisure."""


class Stream:
    """The golden model of a record stream behind registers, and the datagrams that it sends.

    Every access takes cycles. `fate` says how many times a datagram arrives; `late` keeps some back.
    """

    address, port = 0x7F000001, 4000

    def __init__(self, fate=lambda: 1, late=lambda: False, pace=PACE):
        fields = {
            "control": [{"name": "flush", "offset": 0, "bits": 1, "access": "pulse", "description": ""}],
            "shape": [
                {"name": "slots", "offset": 0, "bits": 16, "access": "ro", "description": ""},
                {"name": "slot_words", "offset": 16, "bits": 16, "access": "ro", "description": ""},
            ],
        }
        entry = {"words": 1, "bits": 32, "access": "rw", "description": ""}
        self.registers = RegisterMap(
            {
                "registers": {
                    f"stream_{name}": {"address": 4 * k, **entry, "fields": fields.get(name, [])}
                    for k, name in enumerate(REGISTERS)
                }
            }
        )
        self.model = StreamModel({Kind.RESULT: TapModel(7), Kind.FAULT: TapModel(3)}, SLOTS, SLOT_WORDS)
        self.values = dict.fromkeys(REGISTERS, 0)
        self.arriving, self.kept_back, self.queue = [], [], []
        self.fate, self.late, self.pace = fate, late, pace
        self.now = 0
        self.closed = False
        self._page, self._at = b"", 0

    # The board

    def read(self, address):
        return int(self.burst_read(address, 1)[0])

    def burst_read(self, address, count, *, increment=True):
        self.elapse(CYCLES)
        name = REGISTERS[address // 4]
        if name == "word":
            page = np.frombuffer(self._page, "<u4")
            found, self._at = page[self._at : self._at + count], self._at + count
            return found
        known = {
            "active": self.model.session,
            "shape": SLOT_WORDS << 16 | SLOTS,
            "lost_result": self.model.lost[Kind.RESULT],
            "lost_fault": self.model.lost[Kind.FAULT],
        }
        value = known[name] if name in known else getattr(self.model, name)
        return np.array([value], np.uint32)

    def write(self, address, value):
        self.elapse(CYCLES)
        name = REGISTERS[address // 4]
        self.values[name] = value
        if name == "session":
            self.model.begin(value)
        elif name == "linger":
            self.model.linger = value
        elif name == "acknowledge":
            self.model.acknowledge(value)
        elif name == "fetch":
            self._page, self._at = (self.model.fetch(value) or bytes(128)).ljust(128, b"\0"), 0
        elif name == "control":
            self.elapse(1, flush=True)

    def elapse(self, cycles, flush=False):
        for _ in range(cycles):
            due = self.queue and self.now % self.pace == 0
            passing = [self.queue.pop(0) if due else None, None]
            packet = self.model.step(passing, self.now, flush=flush)
            self.now += 1
            self.model.sent = self.model.next
            if packet is not None and self.values["port"]:
                (self.kept_back if self.late() else self.arriving).extend([packet] * self.fate())

    def put(self, *records):
        for record in records:
            self.queue += [Passing(w, k == 0, k == len(record) - 1) for k, w in enumerate(record)]

    # The network

    def receive(self, timeout_s):
        if timeout_s and not self.arriving:
            time.sleep(0.0005)  # the receiver's patience is in seconds
        self.elapse(CYCLES if timeout_s else 1)
        if not self.arriving and self.kept_back:
            self.arriving, self.kept_back = self.kept_back, []
        return self.arriving.pop(0) if self.arriving else None

    def close(self):
        self.closed = True


def words(packets):
    return [record.words.tolist() for packet in packets for record in packet.of(Kind.RESULT)]


def records(count, seed=1):
    rng = random.Random(seed)
    return [[k, *(rng.getrandbits(32) for _ in range(4))] for k in range(count)]


@pytest.mark.parametrize("weather", ["fair", "lost", "doubled", "swapped", "all", "nothing arrives"])
def test_every_record_comes_once_and_in_order(weather):
    rng = random.Random(3)
    fates = {"lost": [0] + [1] * 4, "doubled": [1, 2], "all": [0, 1, 1, 2], "nothing arrives": [0]}
    stream = Stream(
        lambda: rng.choice(fates.get(weather, [1])),
        lambda: weather in ("swapped", "all") and rng.random() < 0.3,
    )
    given = records(300)
    with StreamReceiver(stream, stream, linger_cycles=100) as receiver:
        packets = []
        for at in range(0, len(given), 6):
            stream.put(*given[at : at + 6])
            while stream.queue:
                packets += receiver.take(0.001)
        while receiver.counts["delivered"] < 40:
            packets += receiver.take(1.0)
        packets += receiver.finish()
        assert words(packets) == given
        assert [packet.sequence for packet in packets] == list(range(len(packets)))
        assert receiver.records == {Kind.RESULT: len(given)}
        assert not any(receiver.lost_on_board().values())
        assert receiver.counts["delivered"] == len(packets)
        assert bool(receiver.counts["fetched"]) >= (weather in ("lost", "nothing arrives"))
        assert bool(receiver.counts["repeated"]) >= (weather == "doubled")
    assert stream.closed
    assert stream.model.session == 0


def test_without_a_network_all_is_fetched():
    stream = Stream()
    given = records(20)
    with StreamReceiver(stream) as receiver:
        stream.put(*given)
        stream.elapse(1500)
        packets = receiver.finish()
        assert words(packets) == given
        assert receiver.counts["fetched"] == len(packets)


def test_what_the_board_lost_is_told():
    stream = Stream(pace=1)
    given = records(200)
    with StreamReceiver(stream, stream) as receiver:
        stream.put(*given)
        stream.elapse(2000)  # nobody takes anything
        packets = receiver.finish()
        stream.elapse(500)
        stream.put([1000, 1])
        stream.elapse(100)
        packets += receiver.finish()
        found = [record for packet in packets for record in packet.of(Kind.RESULT)]
        assert found[-1].words.tolist() == [1000, 1]
        assert len(found) + receiver.lost[Kind.RESULT] == 201
        assert receiver.lost_on_board() == {Kind.RESULT: receiver.lost[Kind.RESULT], Kind.FAULT: 0}


def test_what_somebody_else_acknowledged_is_told():
    stream = Stream(fate=lambda: 0, pace=1)
    with StreamReceiver(stream, stream) as receiver:
        stream.put(*records(30))
        stream.elapse(600)
        stream.model.acknowledge(3)
        stream.elapse(600)
        delivered = receiver.take(1.0)
        assert delivered[0] == Overwritten(0, 3)
        assert str(delivered[0]) == "packets 0 to 2 were overwritten before they were fetched"
        assert [packet.sequence for packet in delivered[1:]] == list(range(3, 3 + len(delivered) - 1))
        assert receiver.counts["overwritten"] == 3


def test_another_session_is_noticed():
    stream = Stream()
    with StreamReceiver(stream, stream) as receiver:
        stream.model.begin(5)
        with pytest.raises(RecordStreamError, match="another host has begun a session"):
            receiver.take(1.0)
    assert stream.model.session == 5, "what is another's is left alone"


def test_strangers_are_counted():
    stream = Stream()
    with StreamReceiver(stream, stream) as receiver:
        foreign = packet_bytes(
            [prefix(Kind.FAULT, 3, 0), 1, 2, 3], 1, session=receiver.session ^ 1, sequence=0
        )
        stream.arriving += [b"", b"x" * 99, foreign]
        assert receiver.take() == []
        assert receiver.counts["strays"] == 3


def test_a_board_without_a_stream_is_refused():
    with pytest.raises(UnsupportedError, match="no record stream"):
        StreamReceiver(SimpleNamespace(registers={}))


PACKET = Packet(
    7,
    2**32 - 1,
    2**40 + 3,
    Reason.FLUSH,
    0xC0FFEE,
    (
        StreamRecord(Kind.RESULT, 0, np.arange(12, dtype=np.uint32)),
        StreamRecord(99, 65535, np.arange(0, dtype=np.uint32)),
        StreamRecord(Kind.FAULT, 2, np.arange(3, dtype=np.uint32)),
    ),
)


def test_a_packet_survives_its_bytes():
    data = encode(PACKET)
    assert data[:4] == b"TPRS"
    found = decode(data)
    assert encode(found) == data
    assert (found.session, found.sequence, found.cycle) == (7, 2**32 - 1, 2**40 + 3)
    assert [(r.kind, r.lost, r.words.tolist()) for r in found.of(Kind.FAULT)] == [(3, 2, [0, 1, 2])]


def test_every_shorter_or_longer_packet_is_refused():
    data = encode(PACKET)
    for end in range(len(data)):
        with pytest.raises(PacketError):
            decode(data[:end])
    with pytest.raises(PacketError, match=f"should have {len(data)} bytes and has {len(data) + 4}"):
        decode(data + bytes(4))


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        (0, 0, "begins with 0x53525054, not 0x00000000"),
        (1, 18 << 16 | VERSION + 1, "of version 2 of the record stream, and this host reads 1"),
        (2, 0, "of session 0"),
        (6, 0, "at least 1 record, not 0"),
        (6, 2, "4 words are behind the last record"),
        (6, 4, "ends after 3 of its 4 records"),
        (HEADER.words, 60 << 8 | 1, "record 0 of the packet has 60 words, 17 are there"),
    ],
)
def test_what_is_wrong_with_a_packet_is_said(word, value, message):
    damaged = np.frombuffer(encode(PACKET), "<u4").copy()
    damaged[word] = value
    with pytest.raises(PacketError, match=message):
        decode(damaged.tobytes())


def test_what_does_not_fit_is_not_encoded():
    record = StreamRecord(Kind.FAULT, 0, np.zeros(FAULT.words, np.uint32))
    for wrong, message in (
        ((), "at least 1 record"),
        ((StreamRecord(1, 65536, record.words),), "not 3 and 65536"),
        ((StreamRecord(1, 0, np.zeros(256, np.uint32)),), "not 256 and 0"),
    ):
        with pytest.raises(PacketError, match=message):
            encode(Packet(1, 0, 0, 0, 0, wrong))
    with pytest.raises(PacketError, match="session has 32 bits; 4294967296 does not fit"):
        encode(Packet(2**32, 0, 0, 0, 0, (record,)))
