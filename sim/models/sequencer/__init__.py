# SPDX-License-Identifier: BSD-2-Clause
"""Golden models of the sequencer: what a program plays, when, and what it does not survive."""
