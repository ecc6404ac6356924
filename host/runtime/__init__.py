# SPDX-License-Identifier: BSD-2-Clause
"""Plane B: what runs beside the board within milliseconds, such as the outer decoder of hard shots.

Nothing in the fabric waits for it: an answer that comes before the barrier amends the frame, a later one does not.
"""
