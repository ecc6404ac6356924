# SPDX-License-Identifier: BSD-2-Clause
"""The command line. Commands import what they need when they run, so that `--help` and first lines come at
once.

Exit codes: 0 done; 1 an error, told in one message; 2 a command line that cannot be parsed; 130 cancelled with Ctrl-C;
143 and 129 ended by SIGTERM and SIGHUP.
"""

from triplane.host.cli import (
    access,
    building,
    calibrating,
    decoding,
    doctor,
    jobs,
    programs,
    runs,
    service,
    serving,
)
from triplane.host.cli.app import app
from triplane.host.termination import terminable

__all__ = [
    "app",
    "building",
    "calibrating",
    "decoding",
    "doctor",
    "jobs",
    "main",
    "programs",
    "runs",
    "serving",
]


def main() -> None:
    """Entry point of the `triplane` command."""
    with terminable():
        app(prog_name="triplane")
