# SPDX-License-Identifier: BSD-2-Clause
"""Nothing is lost, repeated or put in another order: a scoreboard that follows one item, any item, through a module."""

from __future__ import annotations

from typing import Any

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Cat, If, Mux, Signal

from triplane.sim.formal.bench import FormalBench


class Scoreboard(LiteXModule):
    """Claims about a module that hands on what it takes, in the order in which it takes it.

    The solver tags at most one item of a run as it enters, whichever it likes; the scoreboard remembers it and how many
    items are ahead of it. When these have left, the next to leave has to be the tagged one. Since the tag may be
    on any item, what holds of it holds of all, and since only items inside are counted, the counters do not wrap:
    with an engine that proves, the result is for runs of any length (the data independence of P. Wolper, POPL 1986).

    Claims, each named with `prefix`:

        invented    an item leaves only after it has entered
        crowded     no more than `capacity` items are inside
        tagged      the tagged item leaves as it entered, in its turn: not lost, repeated, altered or overtaken
        stuck       with `latency`: while an item is inside and `open` is 1, one leaves at least every `latency` cycles

    A loss of the last item of all shows only in `stuck`, so give a latency where the module has one.

    Args:
        bench: takes the claims and the free inputs.
        entered, left: 1 in a cycle in which an item enters, or leaves.
        item_in, item_out: the item, valid with `entered` and `left`; equally wide.
        capacity: items that can be inside at once.
        through: an item may leave in the cycle in which it enters.
        flush: 1 in a cycle after which the module is empty, whatever it held; items that enter with it are forgotten.
        latency, open: see above; `open` is 1 where nothing outside keeps an item from leaving.
        prefix: begins the names of the claims.

    Attributes:
        inside: number of items inside.
        tagged: the tagged item is inside.

    On a module with a sink and a source `stream_scoreboard` does all of the wiring. For a barrier, let an item be a
    round: `entered` when the round is taken, `left` when the frame holds it, and claim of the release that `tagged` is
    0 wherever the tagged round is one that the barrier waits for.
    """

    def __init__(
        self,
        bench: FormalBench,
        entered: Any,
        item_in: Any,
        left: Any,
        item_out: Any,
        *,
        capacity: int,
        through: bool = False,
        flush: Any = 0,
        latency: int | None = None,
        open: Any = 1,  # noqa: A002 (a gate is open)
        prefix: str = "",
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self.inside = Signal(max=capacity + 2)
        self.tagged = Signal()

        # # #

        pick = bench.free(f"{prefix}pick", Signal())
        ahead, spent, starts = Signal(max=capacity + 2), Signal(), Signal()
        item = Signal(len(item_in))
        coming, going = Signal(), Signal()
        self.comb += [
            coming.eq(entered),
            going.eq(left),
            starts.eq(coming & pick & ~spent),
        ]
        # Ahead of an item are those inside before it enters. `turn`: nothing is ahead of the tagged item any more.
        turn = Signal()
        arrives_and_goes = starts & (self.inside == 0) if through else 0
        self.comb += turn.eq((self.tagged & (ahead == 0)) | arrives_and_goes)
        self.sync += [
            self.inside.eq(self.inside + coming - going),
            If(starts,
                spent.eq(1),
                self.tagged.eq(~(turn & going)),
                item.eq(item_in),
                ahead.eq(self.inside - going),
            ).Elif(self.tagged & going,
                If(ahead == 0, self.tagged.eq(0)).Else(ahead.eq(ahead - 1)),
            ),
            If(flush, self.inside.eq(0), self.tagged.eq(0), ahead.eq(0)),
        ]  # fmt: skip
        expected = Signal(len(item_in))
        self.comb += expected.eq(Mux(self.tagged, item, item_in) if through else item)
        empty = (self.inside == 0) & (~coming if through else 1)
        bench.always(f"{prefix}invented", ~(going & empty))
        bench.always(f"{prefix}crowded", self.inside <= capacity)
        bench.always(f"{prefix}tagged", ~(going & turn) | (Cat(item_out) == expected))
        bench.sometime(f"{prefix}tagged_leaves_last", going & turn & (self.inside == 1) & self.tagged)
        bench.sometime(f"{prefix}tagged_waits", self.tagged & (ahead == capacity - 1))
        if latency is not None:
            waited = Signal(max=latency + 1)
            self.sync += [
                If(going | (self.inside == 0) | flush, waited.eq(0))
                .Elif(~open, waited.eq(0))
                .Else(waited.eq(waited + 1)),
            ]
            bench.always(f"{prefix}stuck", ~open | going | (self.inside == 0) | (waited + 1 < latency))


def drive_stream(bench: FormalBench, endpoint: stream.Endpoint, prefix: str) -> None:
    """The environment feeds an endpoint as the protocol has it: what is offered stays until it is taken."""
    for name, signal in _fields(endpoint, "valid").items():
        bench.free(f"{prefix}_{name}", signal)
    bench.assume(f"{prefix}_keeps", _keeps(bench, endpoint))


def keeps_stream(bench: FormalBench, endpoint: stream.Endpoint, prefix: str, unless: Any = 0) -> None:
    """Claims that what the endpoint offers stays until it is taken; `unless`: 1 where an offer may be withdrawn."""
    bench.always(f"{prefix}_keeps", _keeps(bench, endpoint, unless))


def stream_scoreboard(
    bench: FormalBench,
    sink: stream.Endpoint,
    source: stream.Endpoint,
    *,
    capacity: int,
    through: bool = False,
    flush: Any = 0,
    latency: int | None = None,
    prefix: str = "",
) -> Scoreboard:
    """The scoreboard between two endpoints of one layout, and all that is around it.

    Feeds the sink with any words, takes from the source when it likes, and claims besides the order that the
    source keeps its offers:

        class Bench(FormalBench):
            def __init__(self):
                super().__init__()
                self.fifo = fifo = stream.SyncFIFO([("data", 32)], 4)
                stream_scoreboard(self, fifo.sink, fifo.source, capacity=4, latency=1)

        result = check(emit(Bench()), "prove", depth=20, engine=PROVER)
        assert result, str(result)
    """
    drive_stream(bench, sink, f"{prefix}sink")
    bench.free(f"{prefix}source_ready", source.ready)
    keeps_stream(bench, source, f"{prefix}source", flush)
    for endpoint, label in ((sink, "in"), (source, "out")):
        for name, signal in _fields(endpoint).items():
            bench.watch(f"{prefix}{label}_{name}", signal)
    bench.watch(f"{prefix}taken", sink.ready)
    board = Scoreboard(
        bench,
        sink.valid & sink.ready,
        Cat(*_fields(sink).values()),
        source.valid & source.ready,
        Cat(*_fields(source).values()),
        capacity=capacity,
        through=through,
        flush=flush,
        latency=latency,
        open=source.ready,
        prefix=prefix,
    )
    bench.submodules += board
    return board


def _fields(endpoint: stream.Endpoint, *more: str) -> dict[str, Signal]:
    signals = {name: getattr(endpoint, name) for name in (*more, "first", "last")}
    for record in (endpoint.payload, endpoint.param):
        signals |= {name: getattr(record, name) for name, *_ in record.layout}
    return signals


def _keeps(bench: FormalBench, endpoint: stream.Endpoint, unless: Any = 0) -> Any:
    offer = Cat(*_fields(endpoint, "valid").values())
    waiting, before = Signal(), Signal(len(offer))
    bench.sync += [waiting.eq(endpoint.valid & ~endpoint.ready & ~unless), before.eq(offer)]
    return bench.first | ~waiting | (offer == before)
