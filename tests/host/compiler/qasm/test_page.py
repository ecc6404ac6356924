# SPDX-License-Identifier: BSD-2-Clause
"""The table of what runs is what runs, and the programs use the whole language."""

import re
from pathlib import Path

import pytest
from openqasm3 import ast

from triplane.host.bench.dynamic.corpus import examples
from triplane.host.compiler.qasm import QasmError, loads
from triplane.host.compiler.qasm.parsing import parse, walk

ROOT = Path(__file__).resolve().parents[4]
PROGRAMS = examples()
ROW = re.compile(r"^\| (?P<feature>[^|]+) \| `(?P<example>(?:[^`])+)` \| (?P<result>[^|]+) \|$", re.M)
HEAD = 'OPENQASM 3.1; include "stdgates.inc"; qubit[3] q; bit[3] c; '

ROWS = [match.groupdict() for match in ROW.finditer((ROOT / "docs" / "openqasm.md").read_text())]

NOT_STATEMENTS = {"Statement", "QuantumStatement"}
"""Classes that statements derive from."""

NEVER_PARSED = {"CalibrationGrammarDeclaration", "CalibrationStatement"}
"""In the table, not among the programs."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["feature"])
def test_a_line_of_the_table_is_true(row):
    text = HEAD + row["example"].replace("\\|", "|")
    if row["result"].split(":")[0] == "runs":
        assert loads(text).circuit.num_qubits >= 3
        return
    assert row["result"].startswith("refused: ")
    with pytest.raises(QasmError) as error:
        loads(text)
    assert row["result"].removeprefix("refused: ") in str(error.value)


def test_no_line_of_the_table_escapes_the_test():
    lines = [
        line for line in (ROOT / "docs" / "openqasm.md").read_text().splitlines() if line.startswith("| ")
    ]
    assert len(ROWS) == len(lines) - 1 > 50


def test_the_programs_use_every_statement_of_the_language():
    used = {type(node).__name__ for example in PROGRAMS for node in walk(parse(example.source))}
    statements = {
        name
        for name in ast.__all__
        if issubclass(kind := getattr(ast, name), ast.Statement) and kind.__name__ not in NOT_STATEMENTS
    }
    assert statements - used <= NEVER_PARSED


def test_the_programs_use_every_operator():
    nodes = [node for example in PROGRAMS for node in walk(parse(example.source))]
    binary = {node.op.name for node in nodes if isinstance(node, ast.BinaryExpression)}
    assert binary == {operator.name for operator in ast.BinaryOperator}
    assigned = {node.op.name for node in nodes if isinstance(node, ast.ClassicalAssignment)}
    assert assigned == {operator.name for operator in ast.AssignmentOperator} - {"~="}
    unary = {node.op.name for node in nodes if isinstance(node, ast.UnaryExpression)}
    assert unary == {operator.name for operator in ast.UnaryOperator}
    modifiers = {node.modifier.name for node in nodes if isinstance(node, ast.QuantumGateModifier)}
    assert modifiers == {modifier.name for modifier in ast.GateModifierName}
