# SPDX-License-Identifier: BSD-2-Clause
"""The decoder: rounds of detection events in, result records out, the union-find arrays between them."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import FSM, Case, Cat, Constant, If, NextState, NextValue, Signal, bits_for

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.layouts import RESULT, UNMATCHED, correction_words
from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.gateware.decoder.unionfind.edge import WeightClass
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
        self.sink = stream.Endpoint([("data", 32)])
        self.source = stream.Endpoint([("data", 32)])
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
            description="Half-units that every cluster grows while the arrays load; at most the smallest weight.",
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
            WeightClass(graph.weight_bits, self._first_growth.storage) for _ in range(graph.num_classes)
        ]
        self.submodules += weights
        index = Signal.like(self._weight_index.storage)
        self.sync += [
            If(self._weight_data.re, index.eq(index + 1)),
            If(self._weight_index.re, index.eq(self._weight_index.storage)),
        ]
        for number, register in enumerate(weights):
            self.sync += If(
                self._weight_data.re & (index == number), register.weight.eq(self._weight_data.storage)
            )
        self.comb += self.table_changed.eq(self._weight_data.re | self._first_growth.re)

        # Arrays
        observables = max(graph.num_observables, 1)
        self.arrays = arrays = [UnionFindArray(plan, observables, weights) for plan in plans]
        self.submodules += arrays
        start, all_idle, all_done = Signal(), Signal(), Signal()
        self.comb += [
            all_idle.eq(_all(array.idle for array in arrays)),
            *(array.load.eq(start) for array in arrays),
            *(array.peel.eq(self._control.fields.correction) for array in arrays),
        ]

        # Rounds: a shot's words are counted, each detector is caught in its word, the last word bypasses the catch.
        total = self.num_layers * self.words_per_round
        word = Signal(max=max(total, 2))
        taken, last_word, may_start = Signal(), Signal(), Signal()
        self.comb += [
            last_word.eq(word == total - 1),
            self.sink.ready.eq(~last_word | may_start),
            taken.eq(self.sink.valid & self.sink.ready),
            start.eq(taken & last_word),
        ]
        self.sync += [
            If(taken, word.eq(word + 1)),
            If(start | self._control.fields.restart, word.eq(0)),
        ]
        caught = [Signal() for _ in range(graph.num_detectors)]
        events: dict[int, Signal] = {}
        for r, layer in enumerate(graph.layers):
            for k, detector in enumerate(layer):
                position = r * self.words_per_round + k // 32
                self.sync += If(taken & (word == position), caught[detector].eq(self.sink.data[k % 32]))
                events[detector] = self.sink.data[k % 32] if position == total - 1 else caught[detector]
        for plan, array in zip(plans, arrays, strict=True):
            self.comb += array.events.eq(Cat(*(events[detector] for detector in plan.vertices)))

        # Result: the record is complete in the cycle in which the last array is done.
        #
        #   cycle        0      1     2    ...    n
        #   start     __/--\__________________________
        #   elapsed       0     1     2           n
        #   all_done  __________________________/--\__    record: decode_cycles = n
        done = []
        for array in arrays:
            earlier = Signal()
            done.append(array.done | earlier)
            self.sync += If(start, earlier.eq(0)).Elif(array.done, earlier.eq(1))
        elapsed, sequence, stamp = Signal(16), Signal(32), Signal(64)
        self.sync += [
            elapsed.eq(elapsed + 1),
            If(start, elapsed.eq(1), stamp.eq(self.now)),
            If(self._control.fields.restart, sequence.eq(0)).Elif(all_done, sequence.eq(sequence + 1)),
        ]
        self.flips = XorTree([array.observables for array in arrays], observables)
        unmatched = Signal()
        self.comb += unmatched.eq(_any(array.unmatched for array in arrays))
        contents = {
            "sequence": sequence,
            "timestamp_lo": stamp[:32],
            "timestamp_hi": stamp[32:],
            "decode_cycles": elapsed,
            "flags": Cat(unmatched, Constant(0, 15)),
            "observables": Cat(self.flips.output, Constant(0, 32)),
            "grow_steps": sum((array.grow_steps for array in arrays[1:]), arrays[0].grow_steps),
            "merge_steps": sum((array.merge_steps for array in arrays[1:]), arrays[0].merge_steps),
        }
        assert UNMATCHED == 1, "the flag's place in the record is bit 0"
        record = Signal(32 * RESULT.words)
        position = 0
        for f in RESULT.fields:
            self.sync += If(all_done, record[position : position + f.bits].eq(contents[f.name]))
            position += f.bits
        self.comb += self.unmatched.eq(all_done & unmatched)

        # Correction, in the order of the graph's edges
        edge_bits = Signal(32 * self.correction_words)
        used = {
            e.index: a.correction[k]
            for p, a in zip(plans, arrays, strict=True)
            for k, e in enumerate(p.edges)
        }
        self.comb += edge_bits.eq(Cat(*(used[index] for index in range(len(graph.edges)))))
        words = [record[32 * k : 32 * (k + 1)] for k in range(RESULT.words)]
        words += [edge_bits[32 * k : 32 * (k + 1)] for k in range(self.correction_words)]
        sending = Signal(max=max(len(words), 2))
        with_correction = self._control.fields.correction
        final = Signal()
        self.comb += [
            Case(sending, {k: self.source.data.eq(w) for k, w in enumerate(words)}),
            final.eq((sending == len(words) - 1) | (~with_correction & (sending == RESULT.words - 1))),
            self.source.first.eq(sending == 0),
            self.source.last.eq(final),
        ]

        self.fsm = fsm = FSM(reset_state="RECEIVE")
        fsm.act("RECEIVE", may_start.eq(all_idle), If(start, NextState("DECODE")))
        fsm.act("DECODE",
            all_done.eq(_all(done)),
            If(all_done, NextValue(sending, 0), NextState("PEEL")),
        )  # fmt: skip
        fsm.act("PEEL", If(all_idle | ~with_correction, NextState("SEND")))
        fsm.act("SEND",
            self.source.valid.eq(1),
            If(self.source.ready,
                NextValue(sending, sending + 1),
                If(final, NextState("RECEIVE")),
            ),
        )  # fmt: skip
        self.comb += [
            self._status.fields.busy.eq(~fsm.ongoing("RECEIVE")),
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
