# SPDX-License-Identifier: BSD-2-Clause
"""How figures look, and how they reach a notebook or a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triplane.host.outputs import write_whole

BOARD = "#1f5fa8"
OTHERS = "#7a7f87"
INK = "#111111"
ACCENT = "#d9822b"
GOOD = "#2e7d4f"
LIMIT = "#b3261e"
FAINT = "#d5d8dd"

Scale = Callable[[Any], Any]

DPI = 150
SCREEN_DPI = 110


class Picture(Figure):
    """A figure that a notebook shows without pyplot, and that is written to a file whole or not at all."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")

    def _repr_png_(self) -> bytes:
        return self.png(SCREEN_DPI)

    def png(self, dpi: int = DPI) -> bytes:
        """The picture as PNG."""
        image = io.BytesIO()
        self.savefig(image, format="png", dpi=dpi)
        return image.getvalue()

    def save(self, path: Path | str) -> None:
        """Write it as PNG; the file appears whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        write_whole(Path(path), self.png())


def cycles_and_ns(clock_hz: int) -> tuple[Scale, Scale]:
    """The two functions of a second axis in ns beside one in cycles."""
    return lambda cycles: cycles / clock_hz * 1e9, lambda ns: ns * clock_hz / 1e9


def titled(axes: Axes, title: str) -> None:
    """A title at the left, and no frame at the top and at the right."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["right", "top"]].set_visible(False)
