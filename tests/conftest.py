# SPDX-License-Identifier: BSD-2-Clause
"""What all tests share: where published data lie, and why a test is skipped where they are absent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from triplane.hal.device import Device, load_device
from triplane.host.bench.replay import data_folder


@pytest.fixture(scope="session")
def three_qubits() -> Device:
    """The first three qubits of a line of five, on one readout line."""
    described = load_device("line5").model_dump()
    described["qubits"] = described["qubits"][:3]
    described["couplings"] = described["couplings"][:2]
    (line,) = described["lines"]
    line["tones"] = line["tones"][:3]
    line["crosstalk"] = [row[:3] for row in line["crosstalk"][:3]]
    return Device.model_validate(described)


@pytest.fixture(scope="session")
def published_data() -> Callable[[str], Path]:
    """Folder of a published data set by its name, such as "google_sycamore_2022"; skips the test where it is absent."""

    def find(name: str) -> Path:
        folder = data_folder() / name
        if not folder.is_dir():
            pytest.skip(
                f"{folder} is absent: README.md says where each data set comes from; put it there, or set "
                "TRIPLANE_DATA to the folder of published data"
            )
        return folder

    return find
