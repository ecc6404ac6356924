# SPDX-License-Identifier: BSD-2-Clause
"""Figures. `draw_...` draws on axes that are given, `..._figure` makes a picture that a notebook shows.

    style.py      colours, and pictures that show themselves
    replay.py     latency of decoding, logical error rates
    timeline.py   what channels played, and which result led to it
    names.py      what channels, results and pulses are called
    conditions.py conditions of a compiled circuit in its own words

Needs no extra; nothing is drawn by pyplot, so that no figure stays in memory that nobody holds.
"""

from triplane.host.plots.names import Names, lengths, names_of
from triplane.host.plots.replay import draw_latency, draw_rates, plot_replay
from triplane.host.plots.style import Picture
from triplane.host.plots.timeline import draw_timeline, timeline_figure

__all__ = [
    "Names",
    "Picture",
    "draw_latency",
    "draw_rates",
    "draw_timeline",
    "lengths",
    "names_of",
    "plot_replay",
    "timeline_figure",
]
