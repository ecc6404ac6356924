# SPDX-License-Identifier: BSD-2-Clause
"""Plane B: what runs beside the board within milliseconds, such as the outer decoder of hard shots.

Nothing in the fabric waits for it but a barrier with a time-out: an answer that comes before amends the frame, a later
one does not.
"""
