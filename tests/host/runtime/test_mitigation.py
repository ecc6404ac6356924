# SPDX-License-Identifier: BSD-2-Clause
"""Readout errors, on bits that are flipped with known probabilities."""

import numpy as np
import pytest

from triplane.host.runtime.mitigation import ReadoutErrors

pytest.importorskip("mitiq", reason="needs the extra `mitigation`")

FLIPS = np.array([[0.02, 0.10], [0.30, 0.05], [0.01, 0.02]])


def flipped(rng, bits, flips=FLIPS):
    return bits ^ (rng.random(bits.shape) < np.where(bits, flips[:, 1], flips[:, 0]))


def test_errors_are_counted():
    rng = np.random.default_rng(1)
    zeros = flipped(rng, np.zeros((40_000, 3), bool))
    ones = flipped(rng, np.ones((40_000, 3), bool))
    found = ReadoutErrors.counted(zeros, ones)
    assert found.shots == 40_000
    assert np.abs(found.flips - FLIPS).max() < 4.5 * 0.5 / 200


def test_a_readout_that_says_nothing_is_refused():
    with pytest.raises(ValueError, match=r"qubit 1 is wrong for 100.0% of the zeros and 0.0% of the ones"):
        ReadoutErrors.counted(np.array([[0, 1]] * 9, bool), np.ones((9, 2), bool))


def test_products_of_tables_have_the_mean_of_the_true_bits():
    """Correlated bits: each qubit's table is of its own error alone, and their product is right all the same."""
    rng = np.random.default_rng(2)
    first = rng.random(200_000) < 0.3
    bits = np.column_stack([first, first ^ (rng.random(len(first)) < 0.1), ~first])
    read = flipped(rng, bits)
    errors = ReadoutErrors(FLIPS, 1)
    tables = [errors.table(qubit, np.array([1.0, -1.0])) for qubit in range(3)]
    products = np.prod(
        [table[column.astype(int)] for table, column in zip(tables, read.T, strict=True)], axis=0
    )
    exact = np.prod(1 - 2.0 * bits, axis=1).mean()
    raw = np.prod(1 - 2.0 * read, axis=1).mean()
    assert abs(products.mean() - exact) < 4.5 * products.std() / np.sqrt(len(products))
    assert abs(raw - exact) > 0.2


def test_a_distribution_is_that_of_the_true_bits():
    rng = np.random.default_rng(3)
    first = rng.random(50_000) < 0.5
    bits = np.column_stack([first, first, first])
    found = ReadoutErrors(FLIPS[::-1], 1).distribution(flipped(rng, bits), [2, 1, 0])
    assert found.shape == (8,)
    assert np.abs(found - [0.5, 0, 0, 0, 0, 0, 0, 0.5]).max() < 0.02
    assert found.sum() == pytest.approx(1)


def test_the_first_bit_weighs_least():
    found = ReadoutErrors(np.zeros((2, 2)), 1).distribution(np.array([[1, 0]] * 5, bool), [0, 1])
    assert np.allclose(found, [0, 1, 0, 0])


def test_a_distribution_of_many_bits_is_refused():
    with pytest.raises(ValueError, match="11 bits has too many numbers, 10 bits are the most"):
        ReadoutErrors(np.zeros((11, 2)), 1).distribution(np.zeros((1, 11), bool), range(11))
