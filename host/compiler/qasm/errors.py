# SPDX-License-Identifier: BSD-2-Clause
"""The one exception of this package: where in the source, what was wrong, what to do."""

from __future__ import annotations

from openqasm3 import ast

EXCERPT = 160
"""Characters of a line that are shown, around the place that is meant."""


class QasmError(ValueError):
    """A program that cannot be lowered.

    Attributes:
        message: what was wrong, without its place.
        line: line of the source, from 1; 0 where the program as a whole is meant.
        column: column of the source, from 1.
        excerpt: that line of the source.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.excerpt = ""

    def within(self, source: str) -> QasmError:
        """The same error, which shows its line of `source` from now on."""
        lines = source.split("\n")  # as ANTLR counts them
        if 0 < self.line <= len(lines):
            self.excerpt = lines[self.line - 1]
        return self

    def __str__(self) -> str:
        if not self.line:
            return self.message
        place = f"line {self.line}, column {self.column}: {self.message}"
        if not self.excerpt:
            return place
        first = max(0, self.column - 1 - EXCERPT // 2) if len(self.excerpt) > EXCERPT else 0
        shown = self.excerpt.expandtabs(1)[first : first + EXCERPT]
        return f"{place}\n    {shown}\n    {' ' * (self.column - 1 - first)}^"


class NotKnownError(QasmError):
    """A value is asked for while compiling that only the run can tell.

    Attributes:
        blame: variables and bits of the circuit that the value hangs on; None: it is not about them.
        loop: the loop that cannot be unrolled because of it, if that is why.
    """

    blame: frozenset[object] | None = None
    loop: ast.QASMNode | None = None


def _place(node: ast.QASMNode) -> tuple[int, int]:
    span = node.span
    return (span.start_line, span.start_column + 1) if span is not None else (0, 0)


def wrong(node: ast.QASMNode, message: str) -> QasmError:
    """The error at a node."""
    return QasmError(message, *_place(node))


def not_known(node: ast.QASMNode, message: str, blame: frozenset[object] | None = None) -> NotKnownError:
    """The error at a node, of a value that is not known when compiling."""
    error = NotKnownError(message, *_place(node))
    error.blame = blame
    return error
