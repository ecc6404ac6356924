# SPDX-License-Identifier: BSD-2-Clause
"""The gateware on the simulated board against the golden model: real shots, every field and every bit of correction."""

from collections.abc import Callable
from pathlib import Path

import pytest

from triplane.host.bench import BenchContext
from triplane.host.bench.replay import mismatching_shots
from triplane.host.replay.datasets import load_dataset
from triplane.host.replay.progress import ProgressView


@pytest.mark.parametrize("name", ["surface_code_bX_d3_r05_center_3_5", "surface_code_bX_d5_r05_center_5_5"])
def test_sycamore_bit_for_bit(name: str, published_data: Callable[[str], Path]) -> None:
    folder = published_data("google_sycamore_2022") / name
    with ProgressView() as view:
        assert mismatching_shots(load_dataset([folder], shots=2000), view, BenchContext(), name) == 0
