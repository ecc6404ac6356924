# SPDX-License-Identifier: BSD-2-Clause
"""All checks, in the order in which what a check needs was checked before it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from triplane.hal.errors import BoardError
from triplane.host.doctor.converters import Converters
from triplane.host.doctor.finding import Finding, failed
from triplane.host.doctor.links import record_stream, transports
from triplane.host.doctor.memories import memories
from triplane.host.doctor.patient import Patient
from triplane.host.doctor.standing import clock, firmware, pll, streams, versions

CHECKS = {
    "versions": "host, gateware and firmware belong together",
    "firmware": "the soft core's self-test, and the safe state",
    "clock": "the system clock against the board's reference",
    "pll": "lock of the system clock's PLL",
    "streams": "samples from and to every converter, in every cycle",
    "memory": "what is written is held",
    "transports": "words there and back over every way to the board",
    "records": "the record stream, beside the records that the host fetches",
    "loopback": "a pulse from each line's DAC to its ADC, and how long it takes",
    "sync": "lines aligned with each other: tiles in step",
    "latency": "feedback that the board times itself, over a cable",
}
"""Name -> what is checked."""

REPEAT = "mend what is found wrong above, then repeat; if all else is right, report this"

Check = Callable[[Patient], Finding]


def checks(patient: Patient) -> dict[str, Check]:
    """The checks by name, in their order."""
    converters = Converters(patient)
    return {
        "versions": versions,
        "firmware": firmware,
        "clock": clock,
        "pll": pll,
        "streams": streams,
        "memory": memories,
        "transports": transports,
        "records": record_stream,
        "loopback": lambda _: converters.loopback(),
        "sync": lambda _: converters.sync(),
        "latency": lambda _: converters.latency(),
    }


def examine(
    patient: Patient,
    names: Collection[str] = tuple(CHECKS),
    report: Callable[[str, Finding], None] = lambda name, finding: None,
    begun: Callable[[str], None] = lambda name: None,
) -> dict[str, Finding]:
    """Examine a board.

    Args:
        patient: that is examined. What it was loaded with is gone afterwards.
        names: of the checks to make; `sync` and `latency` need what `loopback` measures, and make it themselves.
        report: told of each finding as it comes.
        begun: told of each check before it.

    Returns:
        Name -> finding, of those that were made.
    """
    findings: dict[str, Finding] = {}
    needed = set(names) | ({"loopback"} if {"sync", "latency"} & set(names) else set())
    for name, check in checks(patient).items():
        if name not in needed:
            continue
        begun(name)
        try:
            finding = check(patient)
        except BoardError as error:
            finding = failed(
                str(error), "mend what is found wrong above, then repeat; if all else is right, report this"
            )
        if name in names:
            findings[name] = finding
            report(name, finding)
    return findings
