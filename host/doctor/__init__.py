# SPDX-License-Identifier: BSD-2-Clause
"""`triplane doctor`: what is wrong with a board, and what to do about it.

finding.py     what a check says
patient.py     the board, and the ways to it
standing.py    versions, firmware, clocks, PLL, streams of samples
memories.py    tables written and checked
links.py       every way to the board, and its record stream
converters.py  loopback: pulses that the board times itself
examine.py     all checks in their order
command.py     from the command line to the printed findings
"""

from triplane.host.doctor.examine import CHECKS, examine
from triplane.host.doctor.finding import Finding, Status
from triplane.host.doctor.patient import Patient

__all__ = ["CHECKS", "Finding", "Patient", "Status", "examine"]
