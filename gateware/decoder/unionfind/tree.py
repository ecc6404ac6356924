# SPDX-License-Identifier: BSD-2-Clause
"""Reductions over many cells, emitted as trees of named signals.

A wide reduction written as one expression becomes a chain in synthesis and a single huge expression in simulation
(the C++ compiler then does not finish); a tree with a signal per node does neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_

from litex.gen import LiteXModule
from migen import Cat, Constant, Replicate, Signal


def bits(parts: Sequence) -> Cat | Constant:
    """One-bit parts side by side, the first least significant; 0 where there are none, which Verilog cannot write."""
    return Cat(*parts) if parts else Constant(0)


def below(value: Signal, limit: int):
    """`value < limit` for a constant of at most the value's width, without the carry chain that `<` becomes.

    One LUT for values of up to six bits.
    """
    result = 0
    for k in range(len(value)):
        result = ~value[k] | result if limit >> k & 1 else ~value[k] & result
    return result


def lowest(value: Signal) -> Cat:
    """`value` with only its lowest set bit, by prefixes: `value & ~(value - 1)` would be a carry chain."""
    return Cat(value[k] & (value[:k] == 0) if k else value[0] for k in range(len(value)))


def none_and_one(value: Signal) -> tuple:
    """Whether no bit of `value` is set, and whether exactly one is; six bits fill a LUT for each."""
    none, one = 1, 0
    for start in range(0, len(value), 6):
        group = [value[k] for k in range(start, min(start + 6, len(value)))]
        alone = [
            reduce(and_, [bit if k == chosen else ~bit for k, bit in enumerate(group)])
            for chosen in range(len(group))
        ]
        clear = ~reduce(or_, group)
        one = (one & clear) | (none & reduce(or_, alone))
        none = none & clear
    return none, one


def masked(bit: Signal, value: Signal | int, width: int):
    """`value` where `bit` is set, else 0."""
    return Replicate(bit, width) & value


class _Tree(LiteXModule):
    """Balanced reduction with `arity` inputs per node."""

    def __init__(self, inputs: Sequence, width: int, arity: int, combine: Callable) -> None:
        level = list(inputs)
        while len(level) > 1:
            following = []
            for start in range(0, len(level), arity):
                group = level[start : start + arity]
                if len(group) == 1:
                    following.append(group[0])
                    continue
                node = Signal(width)
                self.comb += node.eq(combine(group))
                following.append(node)
            level = following
        self.output = Signal(width)
        if level:
            self.comb += self.output.eq(level[0])


def _fold(operator: Callable) -> Callable:
    def combine(group: Sequence):
        result = group[0]
        for item in group[1:]:
            result = operator(result, item)
        return result

    return combine


class OrTree(_Tree):
    """`output` is the OR of all inputs, 0 where there are none. Six inputs fill one LUT6."""

    def __init__(self, inputs: Sequence, width: int = 1) -> None:
        super().__init__(inputs, width, 6, _fold(lambda a, b: a | b))


class XorTree(_Tree):
    """`output` is the XOR of all inputs, 0 where there are none."""

    def __init__(self, inputs: Sequence, width: int = 1) -> None:
        super().__init__(inputs, width, 6, _fold(lambda a, b: a ^ b))


class MaskTree(LiteXModule):
    """`output` is the OR of the values whose bit is set; three of them fill one LUT6 per bit.

    Args:
        inputs: (bit, value) signals.
        width: width of a value.
    """

    def __init__(self, inputs: Sequence, width: int) -> None:
        self.output = Signal(width)

        # # #

        nodes = []
        for start in range(0, len(inputs), 3):
            node = Signal(width)
            self.comb += node.eq(reduce(or_, [masked(bit, v, width) for bit, v in inputs[start : start + 3]]))
            nodes.append(node)
        self.tree = OrTree(nodes, width)
        self.comb += self.output.eq(self.tree.output)


class First(LiteXModule):
    """`output` has only the lowest set bit of `requests`, by prefixes in groups of five: one LUT6 a bit and level."""

    def __init__(self, requests: Sequence) -> None:
        self.output = Signal(max(len(requests), 1))

        # # #

        self.comb += self.output.eq(
            bits(
                [request & ~before for request, before in zip(requests, self._before(requests), strict=True)]
            )
        )

    def _before(self, requests: Sequence) -> list:
        """For each request, whether an earlier one is set."""
        groups = [requests[start : start + 5] for start in range(0, len(requests), 5)]
        anyone = []
        for group in groups:
            some = Signal()
            self.comb += some.eq(reduce(or_, group))
            anyone.append(some)
        before = self._before(anyone) if len(groups) > 1 else [0]
        result = []
        for group, start in zip(groups, before, strict=True):
            for k in range(len(group)):
                earlier = Signal()
                self.comb += earlier.eq(reduce(or_, group[:k], start))
                result.append(earlier)
        return result
