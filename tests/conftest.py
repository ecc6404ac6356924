# SPDX-License-Identifier: BSD-2-Clause
"""What all tests share: where published data lie, and why a test is skipped where they are absent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from triplane.host.bench.replay import data_folder


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
