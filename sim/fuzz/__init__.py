# SPDX-License-Identifier: BSD-2-Clause
"""Malformed traffic for the pins of a simulated board, and a watch over what it does there.

    frames.py    Ethernet frames and serial bytes that are wrong somewhere, by a seed
    pins.py      the board's network and serial line as links, in this process
    hunt.py      sends them, asks after each few whether the board is as it was, and keeps what it finds

What is right at every layer is a request, and executed; so mutations that leave a packet whole get another session's
key, or none.
"""

from triplane.sim.fuzz.frames import network_frame, serial_bytes
from triplane.sim.fuzz.hunt import Finding, Hunt, replay
from triplane.sim.fuzz.pins import NetworkPins, SerialPins

__all__ = ["Finding", "Hunt", "NetworkPins", "SerialPins", "network_frame", "replay", "serial_bytes"]
