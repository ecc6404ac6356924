# SPDX-License-Identifier: BSD-2-Clause
"""The complex multiplier under Verilator against its model, and against whole numbers without a limit."""

import numpy as np
import pytest

from triplane.gateware.dsp.multiply import ComplexMultiplier
from triplane.sim.models.dsp.multiply import multiply
from triplane.sim.vectors import run_vectors

PINS = ("a_re", "a_im", "b_re", "b_im")


def factors(a_bits: int, b_bits: int, count: int) -> dict[str, np.ndarray]:
    """All sixteen corners, then random ones, many of them small."""
    rng = np.random.default_rng(a_bits)
    values = {}
    for number, pin in enumerate(PINS):
        limit = 2 ** ((a_bits if number < 2 else b_bits) - 1)
        corners = np.where(np.arange(16) >> number & 1, limit - 1, -limit)
        random = rng.integers(-limit, limit, count) >> rng.integers(0, 12, count)
        values[pin] = np.concatenate([corners, random])
    return values


@pytest.mark.parametrize(("a_bits", "b_bits", "out_bits", "shift"), [(27, 18, 16, 26), (16, 16, 20, 4)])
def test_against_model(a_bits, b_bits, out_bits, shift):
    core = ComplexMultiplier(a_bits, b_bits, out_bits, shift)
    stimuli = factors(a_bits, b_bits, 3000)
    outputs = {"re": core.re, "im": core.im, "saturated": core.saturated}
    found = run_vectors(core, {pin: getattr(core, pin) for pin in PINS}, outputs, stimuli, "multiplier")
    a, b = (stimuli["a_re"], stimuli["a_im"]), (stimuli["b_re"], stimuli["b_im"])
    re, im, saturated = multiply(a, b, out_bits=out_bits, shift=shift)
    assert 0 < saturated.mean() < 1
    for name, expected in (("re", re), ("im", im), ("saturated", saturated)):
        np.testing.assert_array_equal(found[name][core.LATENCY :], expected[: -core.LATENCY])


def test_too_wide():
    with pytest.raises(ValueError, match="27 by 18 bits, not 19 by 20"):
        ComplexMultiplier(19, 20, 16, 8)
    with pytest.raises(ValueError, match="shifted by 1 to 31, not 0"):
        ComplexMultiplier(16, 16, 16, 0)
