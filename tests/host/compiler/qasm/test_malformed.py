# SPDX-License-Identifier: BSD-2-Clause
"""Malformed programs raise QasmError, whatever they are made of, and nothing else."""

import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triplane.host.bench.dynamic.corpus import examples
from triplane.host.compiler.qasm import QasmError, loads

PROGRAMS = examples()
TOKEN = re.compile(r"\w+|\s+|//[^\n]*|\S")
TOKENS = sorted(
    {t for example in PROGRAMS for t in TOKEN.findall(example.source) if t.strip() and t[:2] != "//"}
)
EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def refused_or_lowered(text):
    try:
        loads(text)
    except QasmError:
        return True
    return False


@pytest.mark.parametrize("example", PROGRAMS, ids=lambda example: example.name)
def test_a_program_with_tokens_lost_doubled_swapped_or_replaced(example):
    source = random.Random(example.name)
    tokens = TOKEN.findall(example.source)
    places = [number for number, token in enumerate(tokens) if token.strip() and token[:2] != "//"]
    refused = 0
    for _ in range(25):
        changed = list(tokens)
        for _ in range(source.choice([1, 1, 2])):
            place = source.choice(places)
            match source.choice(["lose", "double", "swap", "replace", "number"]):
                case "lose":
                    changed[place] = ""
                case "double":
                    changed[place] += " " + changed[place]
                case "swap":
                    other = source.choice(places)
                    changed[place], changed[other] = changed[other], changed[place]
                case "replace":
                    changed[place] = source.choice(TOKENS)
                case "number":
                    changed[place] = source.choice(["-1", "0", "99999", "1e400", "0.5", "4294967296", "-0.0"])
        refused += refused_or_lowered("".join(changed))
    assert refused > 0


@given(st.lists(st.sampled_from(TOKENS), max_size=40).map(" ".join))
@EXAMPLES
def test_tokens_in_any_order(text):
    refused_or_lowered("OPENQASM 3.0; " + text)


@given(st.text(max_size=60))
@EXAMPLES
def test_any_text(text):
    refused_or_lowered(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "int n = " + "(" * 3000 + "1" + ")" * 3000 + ";",
        "{" * 2000 + "}" * 2000,
        "qubit[100000000] q;",
        "array[int, 1000, 1000, 1000] a;",
        "const int n = 2 ** 2 ** 2 ** 2 ** 2 ** 2;",
        "const int n = 1 << 10000000000;",
        "int[8] n = 1 << (1 << 40);",
        "gate g a { U(0, 0, 0) a; } pow(1e300) @ g $0;",
        "ctrl(10000) @ gphase(0.1);",
        "x $99999999999;",
        "for int i in [0:1:100000000000] { }",
        "float f = 10.0 ** 1000.0;",
        "angle a = 1e400;",
        "int n = 1e400;",
        "bit[0] c;",
        "complex c = 1.0im / 0.0;",
        "duration d = 1e400s; delay[d] $0;",
    ],
    ids=lambda text: text[:20],
)
def test_what_would_take_all_memory_or_time_is_refused(text):
    with pytest.raises(QasmError):
        loads(text)
