# SPDX-License-Identifier: BSD-2-Clause
"""Live weights: a table is written and checked beside the one in use, and takes its place between two shots."""

from __future__ import annotations

from collections.abc import Sequence

from litex.gen import LiteXModule
from migen import Array, Cat, If, Mux, Signal, bits_for

from triplane.gateware.decoder.memory import CHECKING, TRUSTED, CheckedMemory
from triplane.gateware.decoder.window.plan import NOWHERE, WindowPlan

LEVEL_STRIDE = 8
"""Bits from one weight to the next in the word of a class: base weight first, then its alternatives."""


class TableLoader(LiteXModule):
    r"""The table in use, in registers, and the next one, in memory.

    The host writes the words of a table (word 0: the first growth; then one per class) and has them checked against
    their CRC-32. Asked to, the loader then waits for the end of the shot and shifts the memory through the registers
    of all classes, as one chain: no register needs an address, and none is used before all are right.

    ```
    cycle       0     1     2    ...  words    words+3
    address     0   | 1   | 2   |
    shift           | w0  | w1  |   | last
    busy       /‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾\__    the new lengths have reached every edge
    ```

    A word that is written while the registers are being filled is refused: the memory then lacks it, and the check that
    must follow says so. A table that fails its check leaves the one in use in force.

    Args:
        num_classes: weight classes.
        levels: alternatives per class; 0 to 3.
        weight_bits: width of a weight, at most 8.

    Attributes:
        write, write_index, write_data: inputs; store a word of the next table.
        check, expected: inputs; start its check.
        activate: input; take it over as soon as it is trusted and `between_shots` is high. Forgotten where the check
            fails or a word is written.
        between_shots: input; nothing is being decoded, and no shot has begun.
        state, found: of the next table, see `CheckedMemory`.
        pending: a table is wanted and right; no shot may begin.
        busy: registers are being filled.
        trusted: there is a table in use.
        crc: CRC-32 of the table in use, 0 without one.
        first_growth: of the table in use.
        weights: per class a list of base weight and alternatives.
        check_cycles, load_cycles: cycles of a check, and of `busy`.
    """

    SETTLE = 2
    """Cycles from the last word in its register to all edges having loaded their lengths."""

    def __init__(self, num_classes: int, levels: int, weight_bits: int) -> None:
        if not 1 <= weight_bits <= LEVEL_STRIDE:
            raise ValueError(f"a weight has 1 to {LEVEL_STRIDE} bits here, not {weight_bits}")
        if not 0 <= levels < 32 // LEVEL_STRIDE:
            raise ValueError(f"a class has 0 to {32 // LEVEL_STRIDE - 1} alternative weights, not {levels}")
        words = 1 + num_classes
        self.memory = memory = CheckedMemory(max(words, 2))
        self.check_cycles = memory.check_cycles
        self.load_cycles = words + 1 + self.SETTLE
        self.write, self.check = Signal(), Signal()
        self.write_index, self.write_data = Signal.like(memory.write_index), Signal.like(memory.write_data)
        self.expected = Signal(32)
        self.activate = Signal()
        self.between_shots = Signal()
        self.state, self.found = memory.state, memory.found
        self.pending = Signal()
        self.busy = Signal()
        self.trusted = Signal()
        self.crc = Signal(32)
        self.first_growth = Signal(weight_bits, reset=1)
        self.weights = [
            [Signal(weight_bits, reset=2**weight_bits - 1) for _ in range(1 + levels)]
            for _ in range(num_classes)
        ]

        # # #

        wanted, shift = Signal(), Signal()
        step = Signal(max=self.load_cycles + 1)
        self.comb += [
            memory.write.eq(self.write & ~self.busy),
            memory.check.eq(self.check & ~self.busy),
            memory.write_index.eq(self.write_index),
            memory.write_data.eq(self.write_data),
            memory.expected.eq(self.expected),
            memory.address.eq(step),
            self.pending.eq(wanted & (memory.state == TRUSTED)),
        ]
        self.sync += [
            shift.eq(self.busy & (step < words)),
            If(self.busy,
                step.eq(step + 1),
                If(step == self.load_cycles - 1, self.busy.eq(0), self.trusted.eq(1), self.crc.eq(self.found)),
            ).Elif(self.pending & self.between_shots,
                self.busy.eq(1),
                step.eq(0),
                wanted.eq(0),
            ).Elif((memory.state != TRUSTED) & (memory.state != CHECKING),
                wanted.eq(0),
            ),
            # Last, so that it holds in the cycle in which the check that it waits for begins.
            If(self.activate & ~self.busy, wanted.eq(1)),
            If(memory.write, wanted.eq(0)),
        ]  # fmt: skip

        # The chain: a word enters at the last class and ends where it belongs when all have entered.
        entering = memory.data
        for weights in reversed(self.weights):
            self.sync += If(shift, *(
                w.eq(entering[LEVEL_STRIDE * k : LEVEL_STRIDE * k + weight_bits]) for k, w in enumerate(weights)
            ))  # fmt: skip
            padding = LEVEL_STRIDE - weight_bits
            padded = [part for w in weights for part in ((w, Signal(padding)) if padding else (w,))]
            entering = Cat(*padded)
        self.sync += If(shift, self.first_growth.eq(entering[:weight_bits]))


def share_buses(plan: WindowPlan) -> tuple[list[tuple[int, ...]], list[int]]:
    """Which buses a plan's edges need, and the bus of each edge: `tuples` of `LengthBuses`, and indices into them."""
    buses: dict[tuple[int, ...], int] = {}
    of_edge = []
    for edge in plan.edges:
        present = {c for c in edge.classes if c != NOWHERE}
        # Where one class serves all kinds that have the edge, it serves those that lack it as well.
        key = (present.pop(),) * len(plan.kinds) if len(present) == 1 else edge.classes
        of_edge.append(buses.setdefault(key, len(buses)))
    return list(buses), of_edge


class LengthBuses(LiteXModule):
    """What edges load: one bus per tuple of classes that occurs, switched by window kind and relief level.

    Edges of the same class in every kind share a bus.

    Args:
        weights: of the classes, see `TableLoader`.
        tuples: per bus its class in each kind of window, below 0 where its edges are absent (any weight will do).

    Attributes:
        kind: input; number of the kind.
        level: input; 0 for the base weights, 1 + k for alternative k.
        lengths: weights in `tuples`' order, one cycle after `kind` and `level`.
    """

    LATENCY = 1

    def __init__(
        self, weights: Sequence[Sequence[Signal]], tuples: Sequence[tuple[int, ...]], weight_bits: int
    ) -> None:
        self.kind = Signal(bits_for(max(max(map(len, tuples), default=1) - 1, 1)))
        self.level = Signal(2)
        self.lengths = [Signal(weight_bits) for _ in tuples]

        # # #

        chosen = []
        for alternatives in weights:
            weight = Signal(weight_bits)
            self.comb += weight.eq(
                Array(alternatives)[self.level] if len(alternatives) > 1 else alternatives[0]
            )
            chosen.append(weight)
        for length, classes in zip(self.lengths, tuples, strict=True):
            present = sorted({c for c in classes if c >= 0})
            if len(present) == 1:
                self.sync += length.eq(chosen[present[0]])
                continue
            choice = chosen[present[-1]]
            for number, c in enumerate(classes):
                if c >= 0:
                    choice = Mux(self.kind == number, chosen[c], choice)
            self.sync += length.eq(choice)
