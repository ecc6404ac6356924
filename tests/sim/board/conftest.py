# SPDX-License-Identifier: BSD-2-Clause
"""A stand-in for the decoder: same streams and registers, compiled in seconds, and it can be told to hang."""

from types import SimpleNamespace

import pytest
from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRField, CSRStorage
from migen import If, Signal

from triplane.gateware.decoder.layouts import RESULT
from triplane.sim.board import Design, SimulatedBoard, build_board


class ParityDecoder(LiteXModule):
    """Answers each shot with the XOR of its words as observables, `delay` cycles after the last one."""

    num_layers = 4
    words_per_round = 1
    result_words = RESULT.words
    correction_words = 0
    shot_words = 4

    def __init__(self):
        self.sink = stream.Endpoint([("data", 32)])
        self.source = stream.Endpoint([("data", 32)])
        self.now = Signal(64)
        self.table_changed = Signal()
        self._control = CSRStorage(
            fields=[
                CSRField("correction", description="Ignored."),
                CSRField("restart", pulse=True, description="Count shots from 0."),
                CSRField("hang", description="Answer no more."),
                CSRField("unmatched", description="Set the unmatched flag in every record."),
            ],
            description="Mode.",
        )
        self._delay = CSRStorage(16, description="Cycles from the last word to the record.")
        self._table = CSRStorage(8, description="A table.")

        # # #

        word, left, sending = Signal(2), Signal(16), Signal(max=RESULT.words + 1)
        parity, sequence, stamp = Signal(32), Signal(32), Signal(64)
        busy, answering = Signal(), Signal()
        flags = self._control.fields.unmatched << 16
        values = [sequence, stamp[:32], stamp[32:], self._delay.storage | flags, parity, parity, 0, 0, 0, 0]
        self.comb += [
            self.table_changed.eq(self._table.re),
            self.sink.ready.eq(~busy),
            answering.eq(busy & (left == 0) & ~self._control.fields.hang),
            self.source.valid.eq(answering),
            self.source.first.eq(sending == 0),
            self.source.last.eq(sending == RESULT.words - 1),
            [If(sending == index, self.source.data.eq(value)) for index, value in enumerate(values)],
        ]
        self.sync += [
            If(left != 0, left.eq(left - 1)),
            If(
                self.sink.valid & self.sink.ready,
                word.eq(word + 1),
                parity.eq(self.sink.data ^ parity),
                If(word == 0, parity.eq(self.sink.data)),
                If(word == self.shot_words - 1, busy.eq(1), left.eq(self._delay.storage), stamp.eq(self.now)),
            ),
            If(
                self.source.valid & self.source.ready,
                sending.eq(sending + 1),
                If(self.source.last, sending.eq(0), busy.eq(0), sequence.eq(sequence + 1)),
            ),
            If(self._control.fields.restart, sequence.eq(0), word.eq(0)),
        ]


DEPTH = 64


@pytest.fixture(scope="session")
def design():
    return Design(ParityDecoder, ("parity", "1"), event_depth=DEPTH, result_depth=DEPTH)


@pytest.fixture(scope="session")
def build(design):
    return build_board(design)


class Access(SimpleNamespace):
    """A board with its registers by name."""

    def address(self, name):
        return self.registers[name]["address"]

    def get(self, name):
        words = self.board.read(self.address(name), self.registers[name]["words"])
        return sum(int(word) << 32 * index for index, word in enumerate(words))

    def set(self, name, value):
        words = self.registers[name]["words"]
        self.board.write(self.address(name), [value >> 32 * index & 0xFFFFFFFF for index in range(words)])

    def pulse(self, name, field):
        (offset,) = [f["offset"] for f in self.registers[name]["fields"] if f["name"] == field]
        self.set(name, 1 << offset)

    def field(self, name, field):
        (entry,) = [f for f in self.registers[name]["fields"] if f["name"] == field]
        return self.get(name) >> entry["offset"] & (1 << entry["bits"]) - 1

    def stream(self, events, results, idle_limit=2000):
        return self.board.stream(
            events,
            results,
            status_address=self.address("link_status"),
            events_address=self.address("events_data"),
            results_address=self.address("results_data"),
            idle_limit=idle_limit,
        )

    def start(self, events, period=1):
        """Program the pacer for these event words and start it."""
        self.set("pacer_period", period)
        self.set("pacer_rounds", len(events))
        transfer = self.stream(events, len(events) // ParityDecoder.shot_words * RESULT.words)
        self.board.fill(transfer)
        self.pulse("pacer_control", "start")
        return transfer


@pytest.fixture
def access(build):
    with SimulatedBoard(build.library) as board:
        yield Access(board=board, registers=build.registers["registers"])


@pytest.fixture
def another(build):
    """Makes more boards of the same build."""
    boards = []

    def make():
        boards.append(SimulatedBoard(build.library))
        return Access(board=boards[-1], registers=build.registers["registers"])

    yield make
    for board in boards:
        board.close()
