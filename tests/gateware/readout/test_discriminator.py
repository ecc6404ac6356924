# SPDX-License-Identifier: BSD-2-Clause
"""The discriminator under Verilator against its model: every integral around the boundaries, and the extremes."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triplane.gateware.readout.discriminator import Discriminator
from triplane.gateware.readout.layouts import SOFT_SHIFTS, Discriminant
from triplane.sim.models.readout.discriminator import discriminate
from triplane.sim.readout import SimulatedDiscriminator

LOW, HIGH = -(1 << 26), (1 << 26) - 1
COEFFICIENT = st.integers(-(1 << 17), (1 << 17) - 1)
OFFSET = st.integers(-(1 << 46), (1 << 46) - 1)
INTEGRAL = st.integers(LOW, HIGH)


@pytest.fixture(scope="module")
def gateware() -> SimulatedDiscriminator:
    return SimulatedDiscriminator()


def simulate(gateware: SimulatedDiscriminator, i, q, registers: Discriminant) -> None:
    """Results of the gateware, `LATENCY` after their integrals, are the model's."""
    bit, leaked, soft = gateware(i, q, registers)
    expected = discriminate(i, q, registers)
    np.testing.assert_array_equal(bit, expected.bit)
    np.testing.assert_array_equal(leaked, expected.leaked)
    np.testing.assert_array_equal(soft, expected.soft)
    np.testing.assert_array_equal(soft >= 0, bit)


def square(centre: tuple[int, int], half: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """All integrals around a point."""
    offsets = np.arange(-half, half)
    i, q = np.meshgrid(centre[0] + offsets, centre[1] + offsets)
    return i.ravel(), q.ravel()


def test_latency(gateware):
    assert Discriminator.LATENCY == 4
    for latency in (3, 5):
        with pytest.raises(AssertionError, match=f"came after {latency} cycles"):
            gateware([1], [2], Discriminant(1, 1, 0), latency)


@pytest.mark.parametrize("a2", [1, -77, 131071])
@pytest.mark.parametrize("a1", [1, -3, -131072])
def test_all_integrals_around_the_corner_of_three_classes(gateware, a1, a2):
    """Boundaries of all three pairs of classes meet in the middle of the square."""
    b1, b2, centre = 5, -131072, (1000, -20000)
    c1, c2 = -(a1 * centre[0] + b1 * centre[1]), -(a2 * centre[0] + b2 * centre[1])
    simulate(gateware, *square(centre), Discriminant(a1, b1, c1, a2, b2, c2))
    d = discriminate(*square(centre), Discriminant(a1, b1, c1, a2, b2, c2))
    assert (d.d1 == 0).any()
    assert {(bool(b), bool(k)) for b, k in zip(d.bit, d.leaked, strict=True)} >= {(0, 0), (1, 0), (1, 1)}


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_equal_projections_are_not_leaked(gateware, offset):
    i, q = square((0, 0))
    registers = Discriminant(3, 1, 7, 3, 1, 7 + offset)
    simulate(gateware, i, q, registers)
    d = discriminate(i, q, registers)
    np.testing.assert_array_equal(d.leaked, (d.d2 > 0) & (offset > 0))


@pytest.mark.parametrize("number", range(len(SOFT_SHIFTS)))
def test_soft_values(gateware, number):
    """Every step of the soft value, its two limits and their neighbours."""
    shift = SOFT_SHIFTS[number]
    edges = ((np.arange(-140, 141) << shift)[:, None] + np.arange(-2, 4)).ravel()
    a1 = 1 << min(max(shift - 17, 0), 16)
    i = np.clip(edges // a1, LOW, HIGH)
    q = np.clip(edges - i * a1, LOW, HIGH)
    registers = Discriminant(a1, 1, 0, soft_shift=number)
    simulate(gateware, i, q, registers)
    if shift < SOFT_SHIFTS[-1]:  # the largest step is for integrals with both coefficients at full scale
        assert set(discriminate(i, q, registers).soft.tolist()) == set(range(-128, 128))


@settings(max_examples=150, deadline=None)
@given(st.builds(Discriminant, COEFFICIENT, COEFFICIENT, OFFSET, COEFFICIENT, COEFFICIENT, OFFSET,
                 st.integers(0, 7)), st.lists(st.tuples(INTEGRAL, INTEGRAL), min_size=1, max_size=20))  # fmt: skip
@example(Discriminant(-(1 << 17), -(1 << 17), -(1 << 46), (1 << 17) - 1, (1 << 17) - 1, (1 << 46) - 1),
         [(LOW, LOW), (HIGH, HIGH), (LOW, HIGH)])  # fmt: skip
@example(Discriminant(-(1 << 17), -(1 << 17), (1 << 46) - 1, 0, 0, -(1 << 46)), [(LOW, LOW), (HIGH, HIGH)])
def test_nothing_wraps(gateware, registers, integrals):
    i, q = np.array(integrals).T
    simulate(gateware, i, q, registers)


def test_registers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a1 has 18 bits, signed; 131072 does not fit"):
        Discriminant(131072, 0, 0)
    with pytest.raises(ValueError, match="c2 has 47 bits"):
        Discriminant(0, 0, 0, c2=1 << 46)
    with pytest.raises(ValueError, match="soft_shift is 0 to 7, not 8"):
        Discriminant(0, 0, 0, soft_shift=8)
    with pytest.raises(ValueError, match="integrals have 27 bits"):
        discriminate([1 << 26], [0], Discriminant(0, 0, 0))
