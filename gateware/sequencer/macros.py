# SPDX-License-Identifier: BSD-2-Clause
"""Macros: taken out of the source, and put in where they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from triplane.gateware.sequencer.isa import MNEMONICS
from triplane.gateware.sequencer.source import Complaint, Diagnostic, Line, Token

MACRO_DEPTH = 16


@dataclass
class _Macro:
    parameters: tuple[str, ...]
    body: list[Line] = field(default_factory=list)


class Macros:
    """The macros of a source.

    Labels inside a macro are those of the expansion: every call has a scope of its own.

    Args:
        errors: takes what is wrong.

    Attributes:
        names: of the macros so far.
    """

    def __init__(self, errors: list[Diagnostic]) -> None:
        self.errors = errors
        self.macros: dict[str, _Macro] = {}
        self.scopes = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the macros."""
        return tuple(self.macros)

    def expand(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines without macros' definitions, and with their bodies where they are called."""
        yield from self._expanded(self._without_macros(lines), 0)

    def _without_macros(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Takes the macros out."""
        macro: _Macro | None = None
        opened: Line | None = None
        for line in lines:
            head = line.tokens[0]
            if head.text == ".macro":
                macro, opened = self._macro_or_error(line), line
            elif head.text == ".endmacro":
                if macro is None:
                    self.errors.append(Complaint("there is no macro that ends here", head).at(line))
                macro = None
            elif macro is not None:
                macro.body.append(line)
            else:
                yield line
        if macro is not None and opened is not None:
            self.errors.append(Complaint("this macro has no .endmacro", opened.tokens[0]).at(opened))

    def _macro_or_error(self, line: Line) -> _Macro:
        try:
            return self._macro(line)
        except Complaint as complaint:
            self.errors.append(complaint.at(line))
            return _Macro(())

    def _macro(self, line: Line) -> _Macro:
        if len(line.tokens) < 2 or line.tokens[1].kind != "name":
            raise Complaint("a macro needs a name", *line.tokens[1:2])
        name = line.tokens[1]
        if name.text in MNEMONICS or name.text in self.macros:
            raise Complaint(f"{name.text!r} is an instruction or a macro already", name)
        parameters = []
        for argument in arguments(line.tokens[2:]):
            if len(argument) != 1 or argument[0].kind != "name":
                raise Complaint("a parameter is a name", *argument[:1])
            parameters.append(argument[0].text)
        self.macros[name.text] = macro = _Macro(tuple(parameters))
        return macro

    def _expanded(self, lines: Iterable[Line], depth: int) -> Iterator[Line]:
        for line in lines:
            # What a label stands before may be a macro's call.
            tokens = line.tokens
            start = 2 if len(tokens) > 2 and tokens[1].text == ":" else 0
            macro = self.macros.get(tokens[start].text) if tokens[start].kind == "name" else None
            if macro is None:
                yield line
                continue
            if start:
                yield replace(line, tokens=tokens[:start])
            try:
                body = self._body(line, macro, tokens[start:], depth)
            except Complaint as complaint:
                self.errors.append(complaint.at(line))
            else:
                yield from self._expanded(body, depth + 1)

    def _body(self, line: Line, macro: _Macro, call: tuple[Token, ...], depth: int) -> list[Line]:
        if depth == MACRO_DEPTH:
            raise Complaint(
                f"macros call each other more than {MACRO_DEPTH} deep; does one call itself?", call[0]
            )
        given = arguments(call[1:])
        if len(given) != len(macro.parameters):
            needs = ", ".join(macro.parameters) or "nothing"
            raise Complaint(
                f"{call[0].text} takes {needs}: {len(macro.parameters)} arguments, not {len(given)}",
                call[0],
                call[-1],
            )
        self.scopes += 1
        values = dict(zip(macro.parameters, given, strict=True))
        return [
            inner.with_tokens(
                tuple(
                    # An argument stands where its parameter did, so that an error shows the macro's own line.
                    replace(t, column=token.column, length=token.length)
                    for token in inner.tokens
                    for t in values.get(token.text, (token,))
                ),
                self.scopes,
                line,
            )
            for inner in macro.body
        ]


def arguments(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], ...]:
    """Tokens between commas outside brackets."""
    if not tokens:
        return ()
    arguments: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth <= 0:
            arguments.append([])
        else:
            arguments[-1].append(token)
    return tuple(map(tuple, arguments))
