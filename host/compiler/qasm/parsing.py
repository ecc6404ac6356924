# SPDX-License-Identifier: BSD-2-Clause
"""Source text to syntax tree; what the parser says of a malformed text becomes an error with its place."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any

import openqasm3
from antlr4.error.Errors import RecognitionException
from openqasm3 import ast
from openqasm3.parser import QASM3ParsingError

from triplane.host.compiler.qasm.errors import QasmError

VERSIONS = ("3", "3.0", "3.1")
"""The parser knows the grammar of 3.1, which is 3.0 and `switch`."""

PLACED = re.compile(r"L(\d+):C(\d+): (.*)", re.DOTALL)

CONFUSED = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What the parser raises where the grammar lets through a text that its tree has no place for."""


def _offending(error: BaseException | None) -> RecognitionException | None:
    """The recogniser's own exception behind a cancelled parse."""
    while error is not None:
        for candidate in (error, *error.args):
            if isinstance(candidate, RecognitionException):
                return candidate
        error = error.__cause__
    return None


def _explained(error: QASM3ParsingError) -> QasmError:
    placed = PLACED.match(str(error))
    if placed is not None:
        return QasmError(placed[3], int(placed[1]), int(placed[2]) + 1)
    cause = _offending(error)
    token = getattr(cause, "offendingToken", None)
    if token is None:
        return QasmError("this is not OpenQASM 3")
    text = "the end of the program" if token.text == "<EOF>" else f"'{token.text}'"
    return QasmError(f"{text} is not expected here", token.line, token.column + 1)


def walk(node: Any) -> Iterator[ast.QASMNode]:
    """All nodes of a tree."""
    if isinstance(node, ast.QASMNode):
        yield node
        for part in vars(node).values():
            yield from walk(part)
    elif isinstance(node, list | tuple):
        for part in node:
            yield from walk(part)


def _mend(node: ast.QASMNode, source: str) -> None:
    """Columns of names that stand alone: openqasm3 1.0 gives their place from the beginning of the text instead."""
    names: list[ast.Identifier] = []
    if isinstance(node, ast.IndexedIdentifier):
        names = [node.name]
    elif isinstance(node, ast.QuantumGateDefinition):
        names = [*node.arguments, *node.qubits]
    for name in names:
        if name.span is not None:
            begin = source.rfind("\n", 0, name.span.start_column) + 1
            name.span.start_column -= begin


def parse(source: str) -> ast.Program:
    """The syntax tree of an OpenQASM 3 program.

    Raises:
        QasmError: the text is malformed, or of another version.
    """
    if not source.strip():
        raise QasmError("the program is empty")
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # ANTLR's lexer also prints what it raises
            tree = openqasm3.parse(source)
    except QASM3ParsingError as error:
        raise _explained(error) from error
    except RecursionError as error:
        raise QasmError("the program is nested too deeply") from error
    except CONFUSED as error:
        raise QasmError(f"the program cannot be parsed: {error}") from error
    if tree.version is not None and tree.version not in VERSIONS:
        remedy = "; qiskit.qasm2.loads reads OpenQASM 2" if tree.version.startswith("2") else ""
        raise QasmError(f"version {tree.version} is not one of {', '.join(VERSIONS)}{remedy}", 1, 1)
    for node in walk(tree):
        _mend(node, source)
    return tree
