# SPDX-License-Identifier: BSD-2-Clause
"""Figures. `draw_...` draws on axes that are given, `..._figure` makes a picture that a notebook shows.

style.py      colours, and pictures that show themselves
replay.py     latency of decoding, logical error rates
"""

from triplane.host.plots.replay import draw_latency, draw_rates, plot_replay
from triplane.host.plots.style import Picture

__all__ = ["Picture", "draw_latency", "draw_rates", "plot_replay"]
