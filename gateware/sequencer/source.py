# SPDX-License-Identifier: BSD-2-Clause
"""Source text of a program: its tokens, where they stand, and what is said about those that are wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t]+)
  | (?P<comment>;.*)
  | (?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*(\.[0-9]+)?)(?P<unit>[A-Za-z]+)?
  | (?P<name>\.?[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*)
  | (?P<mark><<|>>|[-+*/%&|^~(),:=])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A piece of a line.

    Attributes:
        kind: "number", "name" or "mark".
        text: as written; a number without its unit.
        unit: of a number, "" for none.
        column: from 1.
        length: in characters.
    """

    kind: str
    text: str
    column: int
    length: int
    unit: str = ""


@dataclass(frozen=True)
class Line:
    """A line of source, or of a macro that it has called.

    Attributes:
        file, number, text: where it stands.
        tokens: without spaces and comment.
        scope: number of the macro's expansion, 0 outside; labels inside are its own.
        called_from: the line that called the macro.
    """

    file: str
    number: int
    text: str
    tokens: tuple[Token, ...]
    scope: int = 0
    called_from: Line | None = None

    def with_tokens(self, tokens: tuple[Token, ...], scope: int, caller: Line) -> Line:
        """The line in an expansion."""
        return replace(self, tokens=tokens, scope=scope, called_from=caller)


@dataclass(frozen=True)
class Diagnostic:
    """One error, with the place that it is about."""

    line: Line
    column: int
    length: int
    message: str

    def __str__(self) -> str:
        text = self.line.text.expandtabs(1)
        shown = [
            f"{self.line.file}:{self.line.number}:{self.column}: {self.message}",
            f"    {text}",
            f"    {' ' * (self.column - 1)}^{'~' * (self.length - 1)}",
        ]
        caller = self.line.called_from
        while caller is not None:
            shown.append(f"  in the macro called at {caller.file}:{caller.number}: {caller.text.strip()}")
            caller = caller.called_from
        return "\n".join(shown)


class AssemblyError(ValueError):
    """The source is wrong; `diagnostics` has every error found, in the order of lines."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        count = len(diagnostics)
        tail = [f"{count} errors"] if count > 1 else []
        super().__init__("\n".join([*map(str, diagnostics), *tail]))


class Complaint(Exception):  # noqa: N818 (it never leaves the assembler)
    """An error about some tokens of the line that is being read."""

    def __init__(self, message: str, token: Token | None = None, last: Token | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.token = token
        self.last = last or token

    def at(self, line: Line) -> Diagnostic:
        """The error on its line; without a token it is about the end of the line."""
        if self.token is None or self.last is None:
            end = max((t.column + t.length for t in line.tokens), default=1)
            return Diagnostic(line, end, 1, self.message)
        return Diagnostic(
            line, self.token.column, self.last.column + self.last.length - self.token.column, self.message
        )


def read_lines(text: str, file: str, errors: list[Diagnostic]) -> Iterator[Line]:
    """Lines that hold tokens; characters that make none are added to `errors`."""
    for number, content in enumerate(text.splitlines(), 1):
        tokens: list[Token] = []
        position = 0
        bare = Line(file, number, content, ())
        while position < len(content):
            match = _TOKEN.match(content, position)
            if match is None:
                errors.append(
                    Diagnostic(
                        bare, position + 1, 1, f"{content[position]!r} is no part of any word or number here"
                    )
                )
                break
            kind = next(k for k in ("space", "comment", "number", "name", "mark") if match[k] is not None)
            if kind not in ("space", "comment"):
                tokens.append(Token(kind, match[kind], position + 1, len(match[0]), match["unit"] or ""))
            position = match.end()
        else:
            if tokens:
                yield replace(bare, tokens=tuple(tokens))
