# SPDX-License-Identifier: BSD-2-Clause
"""Named arrays as the bytes of a file, and back; nothing that is executed when it is read."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def npz(arrays: Mapping[str, Array]) -> bytes:
    """NumPy's compressed form."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # numpy takes any names
    return stream.getvalue()


def read_npz(path: Path) -> dict[str, Array]:
    """Arrays of a file; ValueError where it holds anything else."""
    with np.load(path, allow_pickle=False) as loaded:
        return dict(loaded)
