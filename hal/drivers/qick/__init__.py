# SPDX-License-Identifier: BSD-2-Clause
"""Boards that run QICK's own firmware, as boards of lesser capability.

QICK (the Quantum Instrumentation Control Kit) has a timed processor, generators and readouts of its own. A control
program that stays within what these can do is compiled for the board's configuration (`soccfg`), assembled by QICK's
assembler, and run by QICK's software on the board; whatever goes beyond is refused by name, with its place in the
source.

    firmware, offboard    what a configuration says; one worked out without a board
    wiring                which generators and readouts are which channels
    steps, state, flow    a program followed along all its ways
    machine, processor    what it asks of a timed processor; QICK's tProcessor v2
    waves, readout        pulses and windows in QICK's units
    compiler, link, board all of it together; the way to a board; the board

Why words are compiled, and not source: a program is checked, stored and named by what a sequencer would be loaded with,
and there is one translation, whatever made the words. Why settings are followed and the program is unrolled by them,
rather than kept in the processor's registers: an instruction of QICK's processor costs time that it does not have, and
a pulse with a fixed frequency, phase and gain is one instruction.

What can go wrong: QICK does not notice an event that comes too late. How far its processor is ahead is assumed
(`Wiring.lead_cycles`, `decision_cycles`), and nothing here was run on a board.
"""

from triplane.hal.drivers.qick.board import ACCUMULATED, QickBoard, connect_qick
from triplane.hal.drivers.qick.compiler import Compiled, compile_program
from triplane.hal.drivers.qick.firmware import Limits, descriptor_of, limits_of, shipped_config
from triplane.hal.drivers.qick.link import SocLink
from triplane.hal.drivers.qick.wiring import Drive, Line, Wiring, usual_wiring

__all__ = [
    "ACCUMULATED",
    "Compiled",
    "Drive",
    "Limits",
    "Line",
    "QickBoard",
    "SocLink",
    "Wiring",
    "compile_program",
    "connect_qick",
    "descriptor_of",
    "limits_of",
    "shipped_config",
    "usual_wiring",
]
