# SPDX-License-Identifier: BSD-2-Clause
"""Progress in a notebook: a bar and a line under the cell, which the next ones take the place of.

board = simulated_board(device, progress=Progress())
result = watch(sampler.run([circuit], shots=5000), shots=5000).result()
"""

from __future__ import annotations

import time
from html import escape
from typing import Any, Protocol, TypeVar

from triplane.host.replay.progress import COUNTED

LOOK_S = 0.3
"""Time between two looks at a job."""


class Running(Protocol):
    """What is needed of a job, such as `host.qiskit.TriplaneJob`."""

    done_shots: int

    def in_final_state(self) -> bool:
        """Whether it has ended."""


Job = TypeVar("Job", bound=Running)


class Progress:
    """Shows the last line that it was called with; lines that count ("compiling 3 of 15") as a bar."""

    def __init__(self) -> None:
        self._shown: Any = None

    def __call__(self, text: str) -> None:
        """Show a line in the place of the one before."""
        counted = COUNTED.fullmatch(text)
        bar = ""
        if counted is not None:
            bar = f'<progress value="{counted["done"]}" max="{counted["total"]}"></progress> '
        self._show(f"{bar}{escape(text)}", text)

    def clear(self) -> None:
        """Show nothing any more."""
        if self._shown is not None:
            self._show("", "")

    def _show(self, html: str, text: str) -> None:
        from IPython.display import display  # there wherever a notebook is

        content = {"text/html": html, "text/plain": text}
        if self._shown is None:
            self._shown = display(content, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._shown.update(content, raw=True)


def watch(job: Job, *, shots: int, progress: Progress | None = None) -> Job:
    """Show how far a job is until it ends; returns the job, whatever became of it.

    Args:
        job: that runs.
        shots: that it has in all.
        progress: where to show it; None: under this cell.
    """
    shown = progress or Progress()
    while not job.in_final_state():
        shown(f"shots {job.done_shots} of {shots}")
        time.sleep(LOOK_S)
    shown.clear()
    return job
