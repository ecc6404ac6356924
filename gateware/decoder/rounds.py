# SPDX-License-Identifier: BSD-2-Clause
"""The way into a decoder: words of rounds in, the detection events of a whole shot out with its last word."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import If, Signal

from triplane.gateware.decoder.graph import DecodingGraph


class RoundCatcher(LiteXModule):
    r"""Counts the words of a shot and catches each detector in its word; the last word bypasses the catch.

    All words but the last enter at any time, the last only while `may_start` is high.

    ```
    sink     word 0 | word 1 | word 2 (last)
    start   ___________________/--------\___
    events                     | all valid |
    ```

    Args:
        graph: its layers say which bit of which word is which detector.

    Attributes:
        sink: words of rounds, `words_per_round` per round, least significant first, `num_layers` rounds per shot.
        may_start: input; the last word of a shot may enter.
        restart: input; forget the words of an unfinished shot.
        start: 1 in the cycle in which the last word is taken.
        events: detector -> its detection event, valid while `start` is high.
    """

    def __init__(self, graph: DecodingGraph) -> None:
        self.sink = stream.Endpoint([("data", 32)])
        self.may_start = Signal()
        self.restart = Signal()
        self.start = Signal()
        self.events: dict[int, Signal] = {}

        # # #

        total = len(graph.layers) * graph.words_per_round
        word = Signal(max=max(total, 2))
        taken, last_word = Signal(), Signal()
        self.comb += [
            last_word.eq(word == total - 1),
            self.sink.ready.eq(~last_word | self.may_start),
            taken.eq(self.sink.valid & self.sink.ready),
            self.start.eq(taken & last_word),
        ]
        self.sync += [
            If(taken, word.eq(word + 1)),
            If(self.start | self.restart, word.eq(0)),
        ]
        caught = [Signal() for _ in range(graph.num_detectors)]
        for r, layer in enumerate(graph.layers):
            for k, detector in enumerate(layer):
                position = r * graph.words_per_round + k // 32
                bit = self.sink.data[k % 32]
                self.sync += If(taken & (word == position), caught[detector].eq(bit))
                self.events[detector] = bit if position == total - 1 else caught[detector]
