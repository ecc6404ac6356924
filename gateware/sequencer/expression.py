# SPDX-License-Identifier: BSD-2-Clause
"""Numbers in source text: arithmetic on integers, constants by name, and units."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from triplane.gateware.sequencer.source import Complaint, Token

TURN = 1 << 32
SAMPLES_PER_CLOCK = 2
"""Samples that a generator makes a clock: what a frequency word is per."""

_LEVELS: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"|": operator.or_},
    {"^": operator.xor},
    {"&": operator.and_},
    {"<<": operator.lshift, ">>": operator.rshift},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.floordiv, "%": operator.mod},
)


@dataclass(frozen=True)
class Units:
    """What units mean: times become cycles, angles phase words, frequencies frequency words, each rounded.

    Attributes:
        clock_hz: system clock.
    """

    clock_hz: int

    @property
    def factors(self) -> dict[str, Fraction]:
        """Unit -> what one of it is."""
        clock = Fraction(self.clock_hz)
        word = Fraction(TURN) / (clock * SAMPLES_PER_CLOCK)
        return {
            "ns": clock / 10**9,
            "us": clock / 10**6,
            "ms": clock / 10**3,
            "deg": Fraction(TURN, 360),
            "turn": Fraction(TURN),
            "Hz": word,
            "kHz": word * 10**3,
            "MHz": word * 10**6,
        }

    def number(self, token: Token) -> int:
        """Value of a number.

        Raises:
            Complaint: its unit is unknown, or it has a fraction and no unit.
        """
        if token.text[:2].lower() in ("0x", "0b"):
            value = Fraction(int(token.text, 0))
        else:
            value = Fraction(token.text.replace("_", ""))
        if not token.unit:
            if value.denominator != 1:
                raise Complaint(f"{token.text} has a fraction; only a number with a unit may have one", token)
            return int(value)
        factor = self.factors.get(token.unit)
        if factor is None:
            known = ", ".join(self.factors)
            raise Complaint(f"there is no unit {token.unit!r}; there are: {known}", token)
        return round(value * factor)


class Expression:
    """Reads an expression out of tokens, from the position on that it is given.

    Args:
        tokens: of a line.
        position: of the first.
        names: constants.
        units: meaning of units.
    """

    def __init__(
        self, tokens: Sequence[Token], position: int, names: Mapping[str, int], units: Units
    ) -> None:
        self.tokens, self.position, self.names, self.units = tokens, position, names, units

    @property
    def next(self) -> Token | None:
        """The token that follows."""
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def take(self) -> Token:
        """The token that follows, passed by."""
        token = self.next
        if token is None:
            raise Complaint("a number is missing here")
        self.position += 1
        return token

    def value(self, level: int = 0) -> int:
        """The expression's value; `position` is then behind it."""
        if level == len(_LEVELS):
            return self._factor()
        result = self.value(level + 1)
        while (token := self.next) is not None and token.text in _LEVELS[level]:
            self.take()
            right = self.value(level + 1)
            try:
                result = _LEVELS[level][token.text](result, right)
            except (ZeroDivisionError, ValueError):
                raise Complaint(f"{result} {token.text} {right} has no value", token) from None
        return result

    def _factor(self) -> int:
        token = self.take()
        if token.kind == "number":
            return self.units.number(token)
        if token.kind == "name":
            if token.text not in self.names:
                raise Complaint(
                    f"there is no constant {token.text!r}; name one with .equ before this line", token
                )
            return self.names[token.text]
        if token.text in "+-~":
            value = self._factor()
            return {"+": value, "-": -value, "~": ~value}[token.text]
        if token.text == "(":
            value = self.value()
            closing = self.next
            if closing is None or closing.text != ")":
                raise Complaint("a closing bracket is missing", closing)
            self.take()
            return value
        raise Complaint(f"a number is expected, not {token.text!r}", token)
