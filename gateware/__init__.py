# SPDX-License-Identifier: BSD-2-Clause
"""Plane C's hardware, in Migen: one folder per stage of the data's way through the machine.

    syndrome/   detection events in from the bus, paced by rounds
    decoder/    detection events -> observable flips and corrections
    link/       result records out to the bus
    soc.py      all of these, with counter, faults, identification and clock gate, behind one register map

Gateware knows nothing of the host: it imports neither `host` nor `hal` nor `sim`.
"""
