# SPDX-License-Identifier: BSD-2-Clause
"""What runs on a person's machine or beside the board: command line, replay, provenance, benchmarks, plots.

Hardware is reached through `hal` alone.
"""
