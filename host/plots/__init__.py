# SPDX-License-Identifier: BSD-2-Clause
"""Figures. `draw_...` draws on axes that are given, `..._figure` makes a picture that a notebook shows.

    style.py      colours, and pictures that show themselves
    replay.py     latency of decoding, logical error rates
    ledger.py     latencies by stage
    counts.py     how often outcomes came
    windows.py    what a decoder corrected in a memory
    timeline.py   what channels played, and which result led to it
    names.py      what channels, results and pulses are called
    causes.py     which result led to which event
    conditions.py conditions of a compiled circuit in its own words

Needs no extra; nothing is drawn by pyplot, so that no figure stays in memory that nobody holds.
"""

from triplane.host.plots.counts import counts_figure, draw_counts
from triplane.host.plots.ledger import draw_ledger, ledger_figure
from triplane.host.plots.names import Names, lengths, names_of
from triplane.host.plots.replay import draw_latency, draw_rates, plot_replay
from triplane.host.plots.style import Picture
from triplane.host.plots.timeline import draw_timeline, timeline_figure
from triplane.host.plots.windows import WindowsError, draw_cycles, draw_defects, hardest, windows_figure

__all__ = [
    "Names",
    "Picture",
    "WindowsError",
    "counts_figure",
    "draw_counts",
    "draw_cycles",
    "draw_defects",
    "draw_latency",
    "draw_ledger",
    "draw_rates",
    "draw_timeline",
    "hardest",
    "ledger_figure",
    "lengths",
    "names_of",
    "plot_replay",
    "timeline_figure",
    "windows_figure",
]
