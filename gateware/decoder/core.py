# SPDX-License-Identifier: BSD-2-Clause
"""The decoder: rounds of detection events in, result records out, the union-find arrays between them."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import Cat, If, Signal, bits_for

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.layouts import RESULT, UNMATCHED, correction_words
from triplane.gateware.decoder.rounds import RoundCatcher
from triplane.gateware.decoder.sender import RecordSender
from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.gateware.decoder.unionfind.plan import plan_arrays
from triplane.gateware.decoder.unionfind.tree import XorTree

MAX_CYCLES = 2**16 - 1
"""Largest latency that a result record can hold."""


class Decoder(LiteXModule):
    """Decodes one shot after another with one union-find array per connected component, side by side.

    All rounds but the last can enter while the shot before is being decoded; the last is taken when the arrays and
    the result are free, and its last word starts them in the same cycle.

    Args:
        graph: the decoding graph; it shapes the hardware, its weights are loaded over the bus.

    Attributes:
        sink: words of rounds, `words_per_round` per round, least significant first, `num_layers` rounds per shot.
        source: words of result records (`layouts.RESULT`, then the correction where it is asked for).
        now: cycle counter of the system, for time stamps.
        table_changed: 1 in a cycle in which the bus rewrites a weight or the first growth.
        unmatched: 1 in the cycle in which a shot ends with detection events that nothing explains.
        bound: worst-case cycles from the last word entering to the observables valid.
    """

    def __init__(self, graph: DecodingGraph) -> None:
        plans = plan_arrays(graph)
        self.graph = graph
        self.num_layers = len(graph.layers)
        self.words_per_round = graph.words_per_round
        self.correction_words = correction_words(len(graph.edges))
        self.result_words = RESULT.words
        self.bound = max(plan.bound for plan in plans)
        if self.bound > MAX_CYCLES:
            raise ValueError(
                f"the worst case of {self.bound} cycles does not fit the result record's {MAX_CYCLES}; "
                "decode fewer rounds at a time"
            )
        self.rounds = rounds = RoundCatcher(graph)
        self.sender = sender = RecordSender(len(graph.edges))
        self.sink = rounds.sink
        self.source = sender.source
        self.now = Signal(64)
        self.table_changed = Signal()
        self.unmatched = Signal()

        self._control = CSRStorage(
            fields=[
                CSRField(
                    "correction", size=1, description="Append the physical correction to every result record."
                ),
                CSRField(
                    "restart",
                    size=1,
                    pulse=True,
                    description="Forget rounds of an unfinished shot and count shots from 0.",
                ),
            ],
            description="Mode of the decoder.",
        )
        self._status = CSRStatus(
            fields=[
                CSRField("busy", size=1, description="A shot is being decoded or its record is being sent."),
                CSRField(
                    "bound",
                    size=16,
                    offset=16,
                    description="Worst-case decode cycles, computed when the gateware was built.",
                ),
            ],
            description="State of the decoder.",
        )
        self._first_growth = CSRStorage(
            graph.weight_bits + 1,
            reset=1,
            description="Half-units that every cluster grows before the arrays look; at most the smallest weight.",
        )
        self._weight_index = CSRStorage(
            bits_for(max(graph.num_classes - 1, 1)),
            description="Weight register that the next write to weight_data goes to.",
        )
        self._weight_data = CSRStorage(
            graph.weight_bits,
            description="Weight to store, 1 or more; weight_index then moves to the next register.",
        )

        # # #

        # Weight registers
        self.weights = weights = [
            Signal(graph.weight_bits, reset=2**graph.weight_bits - 1) for _ in range(graph.num_classes)
        ]
        index = Signal.like(self._weight_index.storage)
        self.sync += [
            If(self._weight_data.re, index.eq(index + 1)),
            If(self._weight_index.re, index.eq(self._weight_index.storage)),
        ]
        for number, register in enumerate(weights):
            self.sync += If(self._weight_data.re & (index == number), register.eq(self._weight_data.storage))
        self.comb += self.table_changed.eq(self._weight_data.re | self._first_growth.re)

        # Arrays
        observables = max(graph.num_observables, 1)
        self.arrays = arrays = [UnionFindArray(plan, observables, weights) for plan in plans]
        self.submodules += arrays
        all_idle, finished = Signal(), Signal()
        self.comb += all_idle.eq(_all(array.idle for array in arrays))

        # Shot: its rounds start the arrays, the last array that is done ends it
        self.comb += [
            sender.now.eq(self.now),
            rounds.may_start.eq(sender.receiving & all_idle),
            sender.start.eq(rounds.start),
            *(core.restart.eq(self._control.fields.restart) for core in (rounds, sender)),
            *(array.load.eq(rounds.start) for array in arrays),
            *(array.load_base.eq(rounds.start) for array in arrays),
            *(array.first_growth.eq(self._first_growth.storage) for array in arrays),
            *(array.peel.eq(finished & self._control.fields.correction) for array in arrays),
        ]
        self.sync += finished.eq(sender.finished)
        for plan, array in zip(plans, arrays, strict=True):
            self.comb += array.events.eq(Cat(*(rounds.events[detector] for detector in plan.vertices)))
        done = []
        for array in arrays:
            earlier = Signal()
            done.append(array.done | earlier)
            self.sync += If(rounds.start, earlier.eq(0)).Elif(array.done, earlier.eq(1))

        # Result
        self.flips = XorTree([array.observables for array in arrays], observables)
        unmatched = Signal()
        assert UNMATCHED == 1, "the flag's place in the record is bit 0"
        used = {
            e.index: a.correction[k]
            for p, a in zip(plans, arrays, strict=True)
            for k, e in enumerate(p.edges)
        }
        self.comb += [
            sender.finish.eq(_all(done)),
            unmatched.eq(_any(array.unmatched for array in arrays)),
            sender.flags.eq(unmatched),
            sender.observables.eq(self.flips.output),
            sender.grow_steps.eq(sum((array.grow_steps for array in arrays[1:]), arrays[0].grow_steps)),
            sender.merge_steps.eq(sum((array.merge_steps for array in arrays[1:]), arrays[0].merge_steps)),
            sender.correction.eq(Cat(*(used[index] for index in range(len(graph.edges))))),
            sender.with_correction.eq(self._control.fields.correction),
            sender.settled.eq(all_idle & ~finished),
            self.unmatched.eq(sender.finished & unmatched),
            self._status.fields.busy.eq(~sender.receiving),
            self._status.fields.bound.eq(self.bound),
        ]


def _all(bits):
    result = 1
    for bit in bits:
        result = result & bit
    return result


def _any(bits):
    result = 0
    for bit in bits:
        result = result | bit
    return result
