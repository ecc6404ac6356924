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
from migen import Cat, Constant, Mux, Signal


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


def single(value: Signal):
    """Exactly one bit of `value` is set; six bits fill one LUT."""
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
    return one


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


class FirstTree(LiteXModule):
    """Picks the payload of the first valid input. Three payloads and two valid bits fill a LUT5, so nodes take three.

    Args:
        inputs: (valid, payload) signals, most urgent first.
        width: width of a payload.

    Attributes:
        valid: some input is valid.
        payload: that of the first valid input, of the last input where none is.
    """

    def __init__(self, inputs: Sequence, width: int) -> None:
        self.valid = Signal()
        self.payload = Signal(width)

        # # #

        level = list(inputs)
        while len(level) > 1:
            following = []
            for start in range(0, len(level), 3):
                group = level[start : start + 3]
                if len(group) == 1:
                    following.append(group[0])
                    continue
                valid, payload = Signal(), Signal(width)
                choice = group[-1][1]
                for earlier_valid, earlier in reversed(group[:-1]):
                    choice = Mux(earlier_valid, earlier, choice)
                self.comb += [valid.eq(reduce(or_, [v for v, _ in group])), payload.eq(choice)]
                following.append((valid, payload))
            level = following
        self.comb += [self.valid.eq(level[0][0]), self.payload.eq(level[0][1])]
