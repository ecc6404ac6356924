# SPDX-License-Identifier: BSD-2-Clause
"""What a board says of itself: versions, firmware, clocks, streams of samples."""

from __future__ import annotations

from triplane.firmware.image import committed
from triplane.gateware.processor.layouts import State
from triplane.hal.drivers.supervision import SELF_TEST_DONE
from triplane.host.doctor.finding import Finding, failed, ok, skipped, warning
from triplane.host.doctor.patient import Patient

WINDOW_S = 5.0
"""For the reference to have ended two windows; a simulated board takes some of it."""

TOLERANCE = 1e-3
"""Of the ratio of both clocks: oscillators are right to 1e-4, a wrong divider is wrong by a hundredth."""

NO_HEALTH = "this gateware has no health registers"


def versions(patient: Patient) -> Finding:
    """Gateware and firmware are those that this host would put there; connecting has compared the gateware."""
    found = patient.board.identify()
    hardware = f"gateware {found.build_hash[:12]}, register map {found.version}"
    shown = {"gateware": found.build_hash, "register_map": found.version}
    if not patient.has("processor_version"):
        return ok(f"{hardware}, no soft core: as this host expects", **shown)
    ours, crc, version = committed(), patient.get("processor_image_crc"), patient.get("processor_version")
    runs = ".".join(str(version >> shift & 0xFF) for shift in (16, 8, 0))
    if crc != ours.crc:
        return warning(
            f"{hardware}; but the soft core runs another image than this host's: firmware {runs}, CRC {crc:#010x}, not "
            f"{ours.crc:#010x}",
            "if nobody has updated it on purpose, reboot the soft core into slot A (docs/firmware.md, Update)",
            **shown,
            firmware=runs,
        )
    return ok(f"{hardware}, firmware {runs}: as this host expects", **shown, firmware=runs)


def firmware(patient: Patient) -> Finding:
    """The soft core has booted, passed its self-test, and holds no fault."""
    if not patient.has("processor_self_test"):
        return skipped("this board has no soft core")
    found = patient.get("processor_self_test")
    if found != SELF_TEST_DONE:
        return failed(
            f"the soft core's self-test has not passed (processor_self_test: {found:#010x})",
            "power the board up again; if that does not help, flash it again (docs/firmware.md says what each bit is)",
            self_test=found,
        )
    fault = patient.board.fault()
    state = State(patient.fields("processor_job")["state"])
    if fault is not None:
        return warning(
            f"the board is in its safe state since {fault}",
            "nothing needs to be done before the next run, which clears it; look for the cause if it comes again",
            state=state.name.lower(),
        )
    return ok(
        f"the soft core has passed its self-test; its job is {state.name.lower()}", state=state.name.lower()
    )


def clock(patient: Patient) -> Finding:
    """The system clock runs at the rate that it should, against the board's reference."""
    if not patient.has("health_window"):
        return skipped(NO_HEALTH)
    first = patient.fields("health_window")
    if not patient.wait(lambda: _ended(patient, first["ended"]) >= 2, WINDOW_S):
        return failed(
            "the reference that the system clock is measured by stands still",
            "check that the clock chip is programmed (xrfclk on an RFSoC board) and that SYSREF or the oscillator "
            "reaches the fabric; load the clocks again, then the overlay",
            measured_cycles=0,
        )
    expected, measured = patient.get("health_expected"), patient.get("health_measured")
    hertz = patient.get("identification_clock_hz")
    ratio = measured / expected
    shown = {"measured_cycles": measured, "expected_cycles": expected, "ratio": ratio}
    if abs(ratio - 1) > TOLERANCE:
        return failed(
            f"the system clock runs at {ratio:.6g} of what it should: {measured} cycles in {first['ticks']} ticks of "
            f"the reference, not {expected}; if the reference is right, at {hertz * ratio / 1e6:.6g} MHz, not "
            f"{hertz / 1e6:g}",
            "program the clock chip for this board's frequencies and load the gateware again: all times are off",
            **shown,
        )
    return ok(
        f"{measured} cycles in {first['ticks']} ticks of the reference, of {expected} at {hertz / 1e6:g} MHz",
        **shown,
    )


def _ended(patient: Patient, since: int) -> int:
    """Windows that have ended since; the counter has 16 bits."""
    return (patient.fields("health_window")["ended"] - since) % 2**16


def pll(patient: Patient) -> Finding:
    """The PLL of the system clock is locked, and stays so."""
    if not patient.has("health_pll"):
        return skipped(NO_HEALTH)
    before = patient.fields("health_pll")
    patient.pulse("health_control", "clear")
    patient.board.elapse(100_000)
    found = patient.fields("health_pll")
    shown = {"locked": found["locked"], "lost_before": before["lost"], "lost_now": found["lost"]}
    if not found["locked"] or found["lost"]:
        return failed(
            "the PLL of the system clock is not locked"
            if not found["locked"]
            else "the PLL loses its lock again and again",
            "check the reference clock's level and frequency and the board's supplies, then load the gateware again",
            **shown,
        )
    if before["lost"]:
        return warning(
            "the PLL is locked now, and has lost its lock since somebody looked last",
            "if nobody has changed the clocks meanwhile, check the reference and the supplies",
            **shown,
        )
    return ok("the PLL of the system clock is locked", **shown)


def streams(patient: Patient) -> Finding:
    """Every converter gives or takes a sample in every cycle."""
    if not patient.has("health_streams"):
        return skipped(NO_HEALTH)
    if patient.fabric is None:
        return skipped("this board has no converters")
    names = stream_names(patient.fabric.drives, patient.fabric.lines)
    patient.pulse("health_control", "clear")
    patient.board.elapse(100_000)
    flowing, missed = patient.get("health_streams"), patient.get("health_streams_lost")
    silent = [name for k, name in enumerate(names) if not flowing >> k & 1]
    broken = [name for k, name in enumerate(names) if missed >> k & 1 and name not in silent]
    shown = {"flowing": flowing, "missed": missed}
    fix = (
        "the tile of that converter is not running: check its clock, start it up and synchronise the tiles again "
        "(docs/boards.md, Clocks)"
    )
    if silent:
        return failed(f"no samples: {', '.join(silent)}", fix, **shown)
    if broken:
        return failed(f"samples are missing now and then: {', '.join(broken)}", fix, **shown)
    return ok(f"all {len(names)} streams of samples flow in every cycle", **shown)


def stream_names(drives: int, lines: int) -> list[str]:
    """Of bits of `health_streams`."""
    adcs = [f"ADC of line {line}" for line in range(lines)]
    return [*adcs, *(f"DAC of channel {channel}" for channel in range(drives + lines))]
