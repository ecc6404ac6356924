# SPDX-License-Identifier: BSD-2-Clause
"""Boards: one folder each, with pins, clocks and the capability descriptor; logic stays in `gateware`."""

from pathlib import Path


def descriptor_path(board: str) -> Path:
    """Path of a board's `descriptor.yaml`.

    Raises:
        ValueError: no such board; the message lists those that are.
    """
    path = Path(__file__).parent / board / "descriptor.yaml"
    if not path.is_file():
        known = sorted(folder.parent.name for folder in Path(__file__).parent.glob("*/descriptor.yaml"))
        raise ValueError(f"no board named {board!r}; there are: {', '.join(known)}")
    return path
