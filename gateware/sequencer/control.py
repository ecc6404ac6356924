# SPDX-License-Identifier: BSD-2-Clause
"""Registers that a host runs a program by: start, stop, step, breakpoints, state and counters."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import Cat, If, Signal

from triplane.gateware.sequencer.layouts import ADDRESS_BITS, START_LEAD, TIME_BITS
from triplane.gateware.sequencer.opcodes import REGISTER_BITS

NUM_BREAKPOINTS = 2


class ControlRegisters(LiteXModule):
    """The registers of a sequencer, apart from those of its tables, faults and trace.

    Attributes:
        start, stop, step, abort, clear: one cycle, as written.
        watchdog: cycles that a program may take.
        register, writes_register, register_data: a register of the program is written, or read through
            `register_value` (input).
        breaks: the instruction at `decoded_address` (input) has a breakpoint.
        next_address: input; the instruction that is executed next.
        now, cursor: inputs; time.
        executing, paused, starting, halted, drained, trusted: inputs; state.
        live, issues, waits, strays: inputs; what is counted.
        begin, halts, code: inputs; the program begins, or ends with that code.
    """

    def __init__(self) -> None:
        self.next_address = Signal(ADDRESS_BITS)
        self.decoded_address = Signal(ADDRESS_BITS)
        self.breaks = Signal()
        self.register = Signal(REGISTER_BITS)
        self.writes_register = Signal()
        self.register_data = Signal(32)
        self.register_value = Signal(32)
        self.now = Signal(64)
        self.cursor = Signal(TIME_BITS)
        for name in (
            "executing", "paused", "starting", "halted", "drained", "trusted",
            "live", "issues", "waits", "strays", "begin", "halts",
        ):  # fmt: skip
            setattr(self, name, Signal(name=name))
        self.code = Signal(32)

        self._control = CSRStorage(
            fields=[
                CSRField(
                    "start",
                    pulse=True,
                    description="Start the program at address 0 as soon as nothing plays or is measured; go on, if "
                    f"it is paused. Its cursor begins {START_LEAD} cycles after the start.",
                ),
                CSRField(
                    "stop",
                    pulse=True,
                    description="Pause before the next instruction; the cursor moves on with time.",
                ),
                CSRField("step", pulse=True, description="While paused: execute one instruction."),
                CSRField("abort", pulse=True, description="End the program, and drop all events that wait."),
                CSRField("clear", pulse=True, description="Leave the safe state, and forget the fault."),
            ],
            description="Runs the program.",
        )
        self._status = CSRStatus(
            fields=[
                CSRField("executing", description="A program is executed."),
                CSRField("paused", description="A program is paused."),
                CSRField(
                    "starting", description="A start waits until nothing plays or is measured any more."
                ),
                CSRField("halted", description="The program has ended by itself."),
                CSRField("waiting", description="It waits for a result or for the frame."),
                CSRField("drained", description="No event waits in any queue."),
                CSRField("trusted", description="All tables have passed their check."),
                CSRField(
                    "address",
                    size=ADDRESS_BITS,
                    offset=16,
                    description="While paused: the instruction that is executed next.",
                ),
            ],
            description="State of the program.",
        )
        self._exit = CSRStatus(32, description="Exit code of the last program that halted.")
        self._cursor = CSRStatus(64, description="The cursor: time of the next event.")
        self._watchdog = CSRStorage(
            32, description="Cycles that a program may take, pauses apart; 0: any number."
        )
        self._breakpoints = [
            CSRStorage(
                fields=[
                    CSRField("address", size=ADDRESS_BITS, description="Instruction to pause before."),
                    CSRField("enable", offset=31, description="The breakpoint is set."),
                ],
                name=f"breakpoint{number}",
                description="Pauses the program before an instruction.",
            )
            for number in range(NUM_BREAKPOINTS)
        ]
        for number, breakpoint_ in enumerate(self._breakpoints):
            setattr(self, f"_breakpoint{number}", breakpoint_)
        self._register = CSRStorage(REGISTER_BITS, description="Register that the next two registers mean.")
        self._register_data = CSRStorage(
            32, description="Value to write to it, unless a program runs. Register 0 stays 0."
        )
        self._register_value = CSRStatus(32, description="Its value.")
        self._instructions = CSRStatus(32, description="Instructions executed since the start.")
        self._events = CSRStatus(32, description="Event instructions executed since the start.")
        self._waited = CSRStatus(32, description="Cycles since the start that waits have taken.")
        self._strays = CSRStatus(
            32, description="Cycles since the start with results that nothing had armed."
        )

        # # #

        fields, state = self._control.fields, self._status.fields
        self.start, self.stop, self.step = fields.start, fields.stop, fields.step
        self.abort, self.clear = fields.abort, fields.clear
        self.watchdog = self._watchdog.storage
        self.comb += [
            self.breaks.eq(
                Cat(*(
                    b.fields.enable & (b.fields.address == self.decoded_address) for b in self._breakpoints
                )) != 0
            ),
            self.register.eq(self._register.storage),
            self.writes_register.eq(self._register_data.re),
            self.register_data.eq(self._register_data.storage),
            self._register_value.status.eq(self.register_value),
            *(
                getattr(state, name).eq(getattr(self, name))
                for name in ("executing", "paused", "starting", "halted", "drained", "trusted")
            ),
            state.waiting.eq(self.waits),
            state.address.eq(self.next_address),
        ]  # fmt: skip
        # The cursor is less than half a turn of its counter away from now: its high half is that of now, or next to it.
        low, high, top, behind = Signal(TIME_BITS), Signal(64 - TIME_BITS), Signal(), Signal()
        turn, back = Signal(), Signal()
        self.comb += [
            turn.eq(top & ~low[-1] & ~behind),
            back.eq(~top & low[-1] & behind),
        ]
        self.sync += [
            low.eq(self.cursor),
            high.eq(self.now[TIME_BITS:]),
            top.eq(self.now[TIME_BITS - 1]),
            behind.eq((self.cursor - self.now[:TIME_BITS])[TIME_BITS - 1]),
            self._cursor.status.eq(Cat(low, high + turn - back)),
            If(self.halts, self._exit.status.eq(self.code)),
        ]
        for counter, event in (
            (self._instructions, self.live),
            (self._events, self.issues),
            (self._waited, self.waits),
            (self._strays, self.strays),
        ):
            self.sync += [
                If(event, counter.status.eq(counter.status + 1)),
                If(self.begin, counter.status.eq(0)),
            ]
