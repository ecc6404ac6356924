# SPDX-License-Identifier: BSD-2-Clause
"""The ways into and out of a decoder: every word of a round counts once, every shot has one record, in order."""

import os
from types import SimpleNamespace

import pytest
from migen import Array, Cat, Constant, If, Mux, Signal

from triplane.gateware.decoder.layouts import RESULT, correction_words
from triplane.gateware.decoder.rounds import RoundCatcher
from triplane.gateware.decoder.sender import RecordSender
from triplane.sim.formal import MISSING, PROVER, FormalBench, check, emit, installed
from triplane.sim.formal.scoreboard import drive_stream

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)
long = pytest.mark.skipif(os.environ.get("FORMAL") != "all", reason="takes long; `make formal` runs it")


def graph(layer_sizes, words_per_round):
    """As much of a decoding graph as the catcher reads."""
    detectors = iter(range(sum(layer_sizes)))
    layers = [[next(detectors) for _ in range(size)] for size in layer_sizes]
    return SimpleNamespace(layers=layers, words_per_round=words_per_round, num_detectors=sum(layer_sizes))


class Catch(FormalBench):
    """The catcher beside a record of the words that were taken since the shot began, newest last."""

    def __init__(self, layers):
        super().__init__()
        self.catcher = catcher = RoundCatcher(layers)
        drive_stream(self, catcher.sink, "sink")
        self.free("may_start", catcher.may_start)
        self.free("restart", catcher.restart)
        total = len(layers.layers) * layers.words_per_round
        taken, words = Signal(max=total + 1), [Signal(32) for _ in range(total)]
        last, transfer = taken == total - 1, catcher.sink.valid & catcher.sink.ready
        following = [*words[1:], catcher.sink.data]
        self.sync += [
            If(transfer,
                *(word.eq(newer) for word, newer in zip(words, following, strict=True)),
                taken.eq(Mux(last, 0, taken + 1)),
            ),
            If(catcher.restart, taken.eq(0)),
        ]  # fmt: skip
        self.always("starts_with_the_last_word", catcher.start == (transfer & last))
        self.always("takes_all_but_the_last_word", catcher.sink.ready == (~last | catcher.may_start))
        for r, layer in enumerate(layers.layers):
            for k, detector in enumerate(layer):
                bit = following[r * layers.words_per_round + k // 32][k % 32]
                self.always(f"event{detector}", ~catcher.start | (catcher.events[detector] == bit))
        again = Signal()
        self.sync += If(catcher.start, again.eq(1))
        self.sometime("a_second_shot", again & catcher.start)
        self.sometime("waits", catcher.sink.valid & ~catcher.sink.ready)
        self.watch("start", catcher.start)
        self.watch("taken", taken)


class Send(FormalBench):
    """The sender beside the words that its records should have.

    The environment starts a shot only while the sender receives, finishes it two cycles later or at any time
    after that, and holds the correction, as a decoder does.
    """

    def __init__(self, num_edges):
        super().__init__()
        self.sender = sender = RecordSender(num_edges)
        for name in ("now", "entered", "settled", "restart"):
            self.free(name, getattr(sender, name))
        for name, field in sender.fields.items():
            self.free(f"field_{name}", field)
        self.constant("with_correction", sender.with_correction)
        self.constant("correction", sender.correction)
        self.constant("counted", sender.counted)
        self.free("source_ready", sender.source.ready)
        # Built in, not assumed: the prover then finds the registers that are equal in both, and little is left to do.
        self.comb += sender.start.eq(self.free("wish", Signal()) & sender.receiving)

        # The record that is to come: built when the shot starts and finishes, sent once.
        shots, record = Signal(32), Signal(32 * RESULT.words)
        elapsed, cycles, taken, entered = Signal(16), Signal(16), Signal(64), Signal(32)
        waited, before = Signal(32), Signal(32)  # in the queue; high half of the clock at the time of entry
        decoding, made, due = Signal(), Signal(), Signal()
        extra = correction_words(num_edges)
        sent = Signal(max=RESULT.words + extra + 1)
        finished = decoding & sender.finish
        self.comb += [
            sender.finish.eq(self.free("done", Signal()) & (elapsed > 1)),
            waited.eq(taken[:32] - entered),
            before.eq(taken[32:] - (entered > taken[:32])),
        ]
        contents = sender.fields | {
            "sequence": shots,
            "timestamp_lo": entered,
            "timestamp_hi": before,
            "decode_cycles": cycles,
            "waited": Mux(waited[16:] != 0, Constant(0xFFFF, 16), waited[:16]),
        }
        self.sync += [
            If(elapsed != 0xFFFF, elapsed.eq(elapsed + 1)),
            cycles.eq(elapsed),
            made.eq(finished),
            If(sender.start,
                elapsed.eq(1), taken.eq(sender.now), entered.eq(sender.entered), decoding.eq(1),
            ),
            If(finished,
                decoding.eq(0),
                due.eq(1),
                sent.eq(0),
            ),
            If(made,
                shots.eq(shots + 1),
                record.eq(Cat(*(contents[f.name] for f in RESULT.fields))),
            ),
            If(sender.restart, shots.eq(0)),
        ]  # fmt: skip
        words = [record[32 * k : 32 * (k + 1)] for k in range(RESULT.words)]
        padded = Cat(sender.correction & sender.counted, Constant(0, 32))
        words += [padded[32 * k : 32 * (k + 1)] for k in range(extra)]
        length = Mux(sender.with_correction, len(words), RESULT.words)
        final, moves = Signal(), Signal()
        self.comb += [
            final.eq(sent == length - 1),
            moves.eq(sender.source.valid & sender.source.ready),
        ]
        self.sync += If(moves, sent.eq(sent + 1), If(final, due.eq(0)))
        # A word that waits stays: `valid` by this claim, its contents by the next two, since `sent` counts only moves.
        waits = Signal()
        self.sync += waits.eq(sender.source.valid & ~sender.source.ready)
        self.always("stays", ~waits | sender.source.valid)
        self.always("made_once", sender.made == made)
        self.always("nothing_without_a_shot", ~sender.source.valid | due)
        self.always("word", ~sender.source.valid | (sender.source.data == Array(words)[sent]))
        self.always(
            "marks",
            ~sender.source.valid | (Cat(sender.source.first, sender.source.last) == Cat(sent == 0, final)),
        )
        self.always("one_shot_at_a_time", sender.receiving == ~(decoding | due))
        delay = Signal(2)
        fine = ~due | ~sender.settled | sender.source.valid
        self.sync += If(fine, delay.eq(0)).Else(delay.eq(delay + 1))
        self.always("sent_once_settled", fine | (delay < 1))

        self.sometime("a_correction", moves & final & sender.with_correction & (sender.correction != 0))
        self.sometime("a_second_record", moves & final & (record[:32] == 1))
        self.watch("valid", sender.source.valid)
        self.watch("data", sender.source.data)
        self.watch("last", sender.source.last)
        self.watch("expected_word", sent)


def holds(bench, cover_depth=20):
    problem = emit(bench)
    result = check(problem, "prove", depth=20, engine=PROVER)
    assert result, str(result)
    reached = check(problem, "cover", depth=cover_depth)
    assert reached, str(reached)


@pytest.mark.parametrize(
    ("layers", "words"),
    [([2, 2, 1], 1), pytest.param([1], 1, marks=long), pytest.param([34, 3], 2, marks=long)],
)
def test_each_detector_is_the_bit_of_its_word(layers, words):
    holds(Catch(graph(layers, words)))


@long
@pytest.mark.parametrize("num_edges", [0, 40])
def test_each_shot_has_one_record(num_edges):
    holds(Send(num_edges), cover_depth=30)
