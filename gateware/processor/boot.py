# SPDX-License-Identifier: BSD-2-Clause
"""Which image runs, how long it may be silent, and what happens when it does not work."""

from __future__ import annotations

from functools import reduce
from operator import or_

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import FSM, If, NextState, NextValue, Signal

from triplane.gateware.processor.layouts import FATAL, Cause

HOLD_CYCLES = 4
"""Cycles that the processor is kept in reset."""


class BootControl(LiteXModule):
    r"""Starts the processor from slot A or B, and from A again when it does not work.

    Slot B runs only right after its whole contents were read back and found right, and at first on trial: unless it is
    confirmed in time, the next reset is into A. So is every reset for cause, whichever slot ran: A is what works.

    ```
    reboot_b _/-\________________________________________________
    hold     ___/-------------------------------------\__________   the processor is in reset
    check    ___/-\_____________________________________________   slot B is read back, 8,194 cycles
    checking _____/----------------------------\________________
    slot     ----------------------------------< B if it was right
    trial    ______________________________________/------------   until confirmed, or rolled back
    ```

    Args:
        watchdog_cycles: from one kick to the next at most, and from the reset to the first.
        trial_cycles: from the reset to the confirmation of slot B at most.

    Attributes:
        kick, confirm: inputs; of the firmware.
        reboot_a, reboot_b: inputs; the firmware asks for a slot.
        trap, stray: inputs; the firmware has done what it must not.
        now: input; cycle counter.
        hold: keeps the processor in reset.
        restarts: one cycle, at the beginning of a reset.
        expired: one cycle; firmware was found not to work, or the host took it away.
        slot: that the processor reads; 0 is A.
        cause: of the last reset.
        confirmed: what runs is kept.
        check: one cycle; check slot B.
        checking, trusted: inputs; of slot B.
    """

    def __init__(self, watchdog_cycles: int, trial_cycles: int) -> None:
        for name, cycles in (("watchdog_cycles", watchdog_cycles), ("trial_cycles", trial_cycles)):
            if not 2 <= cycles < 2**32:
                raise ValueError(f"{name} must be 2 to {2**32 - 1}, not {cycles}")
        for name in (
            "kick", "confirm", "reboot_a", "reboot_b", "trap", "stray", "hold", "restarts", "expired", "slot",
            "check", "checking", "trusted",
        ):  # fmt: skip
            setattr(self, name, Signal(name=name))
        self.confirmed = Signal(reset=1)
        self.now = Signal(64)
        self.cause = Signal(4)

        self._control = CSRStorage(
            fields=[
                CSRField("reboot_a", pulse=True, description="Write 1 to start slot A. The board goes safe."),
                CSRField(
                    "reboot_b",
                    pulse=True,
                    description="Write 1 to check slot B and start it, or A if it is not right. The board goes safe.",
                ),
            ],
            description="Starts the processor anew, whatever it does: for a firmware that does not answer.",
        )
        self._status = CSRStatus(
            fields=[
                CSRField("slot", description="The slot that runs.", values=[("``0``", "A"), ("``1``", "B")]),
                CSRField(
                    "cause",
                    size=4,
                    description="Why the processor was started last.",
                    values=[(f"``{cause:d}``", cause.name) for cause in Cause],
                ),
                CSRField(
                    "confirmed", description="What runs will not be rolled back for want of confirmation."
                ),
                CSRField("held", description="The processor is in reset, or slot B is checked."),
                CSRField(
                    "expiries",
                    size=8,
                    offset=8,
                    description="Firmware was found not to work so many times; stops at 255.",
                ),
            ],
            description="What runs, and why.",
        )
        self._started = CSRStatus(64, description="Cycle in which the processor was started last.")

        # # #

        fields, status = self._control.fields, self._status.fields
        silence, age, held = Signal(32), Signal(32), Signal(max=HOLD_CYCLES + 1)
        runs, due = Signal(), Signal()
        reason = Signal(4)
        reasons = {
            Cause.HOST: fields.reboot_a | fields.reboot_b,
            Cause.FIRMWARE: self.reboot_a | self.reboot_b,
            Cause.UNCONFIRMED: self.slot & ~self.confirmed & (age == trial_cycles - 1),
            Cause.WATCHDOG: silence == watchdog_cycles - 1,
            Cause.TRAP: self.trap,
            Cause.STRAY: self.stray,
        }
        self.comb += [
            # The last of them counts: what was found wrong before what was asked for.
            [If(condition, due.eq(1), reason.eq(cause)) for cause, condition in reasons.items()],
            self.restarts.eq(runs & due),
            self.expired.eq(self.restarts & reduce(or_, (reason == cause for cause in (*FATAL, Cause.HOST)))),
            status.confirmed.eq(self.confirmed),
            status.slot.eq(self.slot),
            status.cause.eq(self.cause),
            status.held.eq(self.hold),
            self.hold.eq(~runs),
        ]
        self.sync += [
            silence.eq(silence + 1),
            age.eq(age + 1),
            If(self.kick | ~runs, silence.eq(0)),
            If(~runs, age.eq(0)),
            If(runs & self.confirm, self.confirmed.eq(1)),
            If(self.restarts & reduce(or_, (reason == cause for cause in FATAL)) & (status.expiries != 255),
                status.expiries.eq(status.expiries + 1),
            ),
        ]  # fmt: skip
        self.fsm = fsm = FSM(reset_state="HOLD")
        fsm.act(
            "HOLD",
            NextValue(held, held + 1),
            If(held == HOLD_CYCLES,
                NextValue(self._started.status, self.now),
                NextState("RUN"),
            ),
        )  # fmt: skip
        fsm.act(
            "RUN",
            runs.eq(1),
            If(due,
                NextValue(held, 0),
                NextValue(self.cause, reason),
                NextValue(self.slot, 0),
                NextValue(self.confirmed, 1),
                NextState("HOLD"),
                If(((reason == Cause.HOST) & fields.reboot_b) | ((reason == Cause.FIRMWARE) & self.reboot_b),
                    NextState("CHECK"),
                ),
            ),
        )  # fmt: skip
        fsm.act("CHECK", self.check.eq(1), NextState("WAIT"))
        fsm.act(
            "WAIT",
            If(~self.checking,
                NextState("HOLD"),
                If(self.trusted,
                    NextValue(self.slot, 1),
                    NextValue(self.confirmed, 0),
                ).Else(
                    NextValue(self.cause, Cause.CORRUPT),
                ),
            ),
        )  # fmt: skip
