# SPDX-License-Identifier: BSD-2-Clause
"""Integers of 8 bits: ours when compiling and ours of the run, against NumPy's."""

import itertools

import numpy as np
import pytest

from triplane.host.compiler.qasm import loads

CORNERS = [0, 1, 2, 3, 0x7E, 0x7F, 0x80, 0x81, 0xFE, 0xFF]
RANDOM = np.random.default_rng(20).integers(0, 256, size=(40, 2)).tolist()
PAIRS = [*itertools.product(CORNERS, CORNERS), *map(tuple, RANDOM)]

BOTH = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a & b": lambda a, b: a & b,
    "a | b": lambda a, b: a | b,
    "a ^ b": lambda a, b: a ^ b,
    "~a": lambda a, b: ~a,
    "-a": lambda a, b: -a,
    "a * 7": lambda a, b: a * a.dtype.type(7),
    "8 * a": lambda a, b: a * a.dtype.type(8),
    "a / 4": lambda a, b: np.trunc(a / 4.0).astype(a.dtype),
    "a % 4": lambda a, b: np.fmod(a, a.dtype.type(4)),
    "a << 3": lambda a, b: a << a.dtype.type(3),
    "a >> 3": lambda a, b: a >> a.dtype.type(3),
    "a >> 7": lambda a, b: a >> a.dtype.type(7),
    "a == b": lambda a, b: a == b,
    "a != b": lambda a, b: a != b,
    "a < b": lambda a, b: a < b,
    "a <= b": lambda a, b: a <= b,
    "a > b": lambda a, b: a > b,
    "a >= b": lambda a, b: a >= b,
}


def named(kind, values):
    """8-bit patterns as NumPy sees them."""
    return np.array(values, dtype=np.uint8).view(np.int8 if kind == "int" else np.uint8)


def wanted(kind, operation, pairs):
    a, b = (named(kind, column) for column in zip(*pairs, strict=True))
    with np.errstate(over="ignore"):
        return [format(int(number) & 0xFF, "08b") for number in BOTH[operation](a, b)]


@pytest.mark.parametrize("operation", BOTH)
@pytest.mark.parametrize("kind", ["int", "uint"])
def test_an_operation_of_the_run_is_numpys(kind, operation, distribution):
    program = loads(f"input {kind}[8] a; input {kind}[8] b; output uint[8] r; r = uint[8]({operation});")
    found = [distribution(program, {"a": a, "b": b}) for a, b in PAIRS]
    assert [next(iter(results)) for results in found] == [
        f"r={bits}" for bits in wanted(kind, operation, PAIRS)
    ]


@pytest.mark.parametrize("operation", [*BOTH, "a * b", "a / b", "a % b"])
@pytest.mark.parametrize("kind", ["int", "uint"])
def test_an_operation_when_compiling_is_numpys(kind, operation):
    pairs = [(a, b) for a, b in PAIRS if b or operation not in ("a / b", "a % b")][::3]
    for (a, b), bits in zip(pairs, _constants(kind, operation, pairs), strict=True):
        left, right = (int(named(kind, [number])[0]) for number in (a, b))
        text = f"input {kind}[8] a; input {kind}[8] b; output uint[8] r; r = uint[8]({operation}); r = r;"
        circuit = loads(text, inputs={"a": left, "b": right}).circuit
        stored = circuit.data[0].operation.rvalue.value
        assert format(stored, "08b") == bits


def _constants(kind, operation, pairs):
    if operation in BOTH:
        return wanted(kind, operation, pairs)
    a, b = (named(kind, column).astype(np.int64) for column in zip(*pairs, strict=True))
    if operation == "a * b":
        numbers = a * b
    else:
        quotient = np.trunc(a / b).astype(np.int64)
        numbers = quotient if operation == "a / b" else a - quotient * b
    return [format(int(number) & 0xFF, "08b") for number in numbers]


@pytest.mark.parametrize("amount", range(10))
def test_a_shift_by_an_amount_of_the_run(amount, distribution):
    text = (
        "input int[8] a; input uint[8] n; output uint[8] r; output uint[8] l;"
        "r = uint[8](a >> n); l = uint[8](a << n);"
    )
    program = loads(text)
    for a in CORNERS:
        signed = int(named("int", [a])[0])
        right, left = (signed >> amount) & 0xFF, (signed << amount) & 0xFF
        assert distribution(program, {"a": a, "n": amount}) == {f"r={right:08b} l={left:08b}": 1.0}


@pytest.mark.parametrize("value", [0, 1, 0x55, 0x80, 0xF1, 0xFF])
def test_rotations_and_counts_of_bits(value, distribution):
    text = (
        "input bit[8] a; output bit[8] l; output bit[8] r; output uint[4] n;"
        "l = rotl(a, 3); r = rotr(a, 3); n = popcount(a);"
    )
    bits = format(value, "08b")
    key = f"l={bits[3:] + bits[:3]} r={bits[-3:] + bits[:-3]} n={bits.count('1'):04b}"
    assert distribution(loads(text), {"a": value}) == {key: 1.0}
    assert distribution(loads(text, inputs={"a": bits})) == {key: 1.0}


@pytest.mark.parametrize("value", range(16))
def test_signs_are_kept_when_widening(value, distribution):
    text = "input int[4] a; output int[8] w; output uint[8] u; w = a; u = uint[4](a);"
    signed = value - 16 if value > 7 else value
    assert distribution(loads(text), {"a": value}) == {f"w={signed & 0xFF:08b} u={value:08b}": 1.0}
