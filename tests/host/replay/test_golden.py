# SPDX-License-Identifier: BSD-2-Clause
"""The gateware on the simulated board against the golden model: real shots, every field and every bit of correction."""

import pytest

from triplane.host.bench import BenchContext
from triplane.host.bench.replay import data_folder, mismatching_shots
from triplane.host.replay.datasets import load_dataset
from triplane.host.replay.progress import ProgressView


@pytest.mark.parametrize("name", ["surface_code_bX_d3_r05_center_3_5", "surface_code_bX_d5_r05_center_5_5"])
def test_sycamore_bit_for_bit(name: str) -> None:
    folder = data_folder() / "google_sycamore_2022" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; put the published data set there (doi:10.5281/zenodo.6804040)")
    with ProgressView() as view:
        assert mismatching_shots(load_dataset([folder], shots=2000), view, BenchContext(), name) == 0
