# SPDX-License-Identifier: BSD-2-Clause
"""The sequencer: a timed processor, its queues, tables and faults."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import FSM, If, Mux, NextState, NextValue, Signal

from triplane.gateware.sequencer.control import ControlRegisters
from triplane.gateware.sequencer.decode import Decoder
from triplane.gateware.sequencer.dispatch import Dispatcher
from triplane.gateware.sequencer.execute import ExecutionUnit
from triplane.gateware.sequencer.fetch import Fetch
from triplane.gateware.sequencer.layouts import (
    LEAD,
    RESULT_TO_EVENT,
    START_LEAD,
    TAG_KIND_OFFSET,
    TIME_BITS,
    Outcome,
)
from triplane.gateware.sequencer.opcodes import WORD_BITS, Unit
from triplane.gateware.sequencer.results import PENDING_BITS, ResultTable
from triplane.gateware.sequencer.stop import FaultLatch
from triplane.gateware.sequencer.tables import LoadedTable
from triplane.gateware.sequencer.trace import TracePort
from triplane.gateware.sequencer.wait import WaitUnit


class Sequencer(LiteXModule):
    r"""Executes one instruction a cycle, and sends events to channels at the times of its cursor.

    ```
    cycle     t      t+1     t+2     t+3     t+4
    results  _/--\___________________________________   valid, of the slot that is waited for
    ends     ________/--\____________________________   cursor = now + LEAD, unless it is later
    executed                 |play  |                   of either branch
    issued   ________________________/--\____________   LATENCY = 3
    events   ________________________________/--\____   due at once
    ```

    Args:
        num_channels: event channels, 1 to 256.
        num_slots: measurement slots, 1 to 256.
        program_depth: words of program memory, a power of two up to 4,096.
        num_groups: groups of channels, up to 256.
        queue_depth: events that wait in a channel.
        stack_depth: calls inside each other.
        trace_depth: records of the trace port.
        pending_bits: width of the count of measurements of a slot that are on their way.

    Attributes:
        now: input; cycle counter.
        results: inputs; a record (`layouts.RESULT`) for each slot.
        measuring: input; a result may still come of a measurement that began. A start waits until it is 0.
        busy: inputs; bit k: a PLAY that channel k is given in this cycle would cut one that is playing.
        frame, frame_ready: inputs; the frame, and that it holds the rounds that were asked for.
        frame_wait, frame_shot, frame_round: outputs; ask for it, high for a cycle.
        start: input; starts the program, as the register does.
        external: input; another part of the board has gone safe.
        outcome, outcome_valid: outcomes that the program gives out, one a cycle at the most.
        outcome_room: input; there is room for `OUTCOMES_UNDER_WAY` of them. An instruction that gives one out waits for
            it.
        events: endpoint of each channel (`layouts.EVENT`); whoever takes them is always ready.
        safe: the board is in its safe state because of the sequencer: generators must be silent.
        silence: generators must stop at once: while safe, and with an abort.
        running: a program is executed; a program that has ended but whose events are still played does not.
    """

    LATENCY = RESULT_TO_EVENT

    def __init__(
        self,
        num_channels: int,
        num_slots: int,
        *,
        program_depth: int = 4096,
        num_groups: int = 256,
        queue_depth: int = 64,
        stack_depth: int = 16,
        trace_depth: int = 512,
        pending_bits: int = PENDING_BITS,
    ) -> None:
        self.num_channels = num_channels
        self.num_slots = num_slots
        self.queue_depth = queue_depth
        self.table = table = ResultTable(num_slots, pending_bits)
        self.dispatcher = dispatcher = Dispatcher(num_channels, num_slots, num_groups, queue_depth)
        self.program = program = LoadedTable(program_depth, WORD_BITS, "program")
        self.decoder = decoder = Decoder(num_groups, num_slots)
        self.fetch = fetch = Fetch(program_depth, decoder)
        self.waits = waits = WaitUnit()
        self.execute = execute = ExecutionUnit(stack_depth)
        self.faults = faults = FaultLatch(dispatcher.queues)
        self.trace = trace = TracePort(trace_depth)
        self.control = control = ControlRegisters()

        self.now = Signal(64)
        self.results = table.results
        self.measuring = Signal()
        self.busy = Signal(num_channels)
        self.frame = Signal(32)
        self.frame_ready = Signal()
        self.frame_wait = execute.frame_wait
        self.frame_shot = execute.frame_shot
        self.frame_round = execute.frame_round
        self.start = Signal()
        self.external = Signal()
        self.outcome = execute.outcome
        self.outcome_valid = execute.emits
        self.outcome_room = Signal()
        self.events = dispatcher.sources
        self.safe = Signal()
        self.silence = Signal()
        self.running = Signal()

        # # #

        # Time
        coming, lead, behind = Signal(TIME_BITS), Signal(TIME_BITS), Signal()
        self.sync += [
            coming.eq(self.now[:TIME_BITS] + 2),
            lead.eq(coming + LEAD),
            behind.eq(~(lead - execute.cursor)[TIME_BITS - 1]),
        ]

        # State
        begin, live, moves, drops = Signal(), Signal(), Signal(), Signal()
        breaks, stepping, passing, stalls = Signal(), Signal(), Signal(), Signal()
        executing = Signal()  # as `running`, a register: half of the core hangs on it
        trusted = Signal()
        self.fsm = fsm = FSM(reset_state="IDLE")
        wanted = self.start | control.start
        ends = [NextValue(self.running, 0), NextValue(executing, 0)]
        self.comb += [
            trusted.eq(program.trusted & dispatcher.groups.trusted & dispatcher.arms.trusted),
            begin.eq(
                fsm.ongoing("BEGIN") & trusted & ~self.measuring & dispatcher.empty & ~faults.safe & ~control.abort
            ),
            breaks.eq(fetch.executed.breaks & ~passing),
            stalls.eq(fetch.executed.emits & ~self.outcome_room),
            live.eq(executing & fetch.valid & ~breaks & ~stalls & ~execute.faulty & ~faults.safe),
        ]  # fmt: skip
        fsm.act("IDLE", If(wanted, NextState("BEGIN")), drops.eq(1))
        fsm.act(
            "BEGIN",
            drops.eq(~begin),
            If(
                begin,
                NextState("EXECUTE"),
                *(NextValue(signal, 1) for signal in (self.running, executing)),
                *(NextValue(signal, 0) for signal in (stepping, passing)),
            ),
            If(~trusted, NextState("HALT")),
        )
        fsm.act(
            "EXECUTE",
            If(live, NextValue(passing, 0)),
            If(
                control.stop | (live & stepping) | (breaks & fetch.valid),
                NextState("PAUSE"),
                NextValue(executing, 0),
            ),
            If(execute.halts, NextState("HALT"), *ends),
        )
        fsm.act(
            "PAUSE",
            moves.eq(~waits.active),
            If(
                wanted | control.step,
                NextState("EXECUTE"),
                NextValue(executing, 1),
                NextValue(passing, 1),
                NextValue(stepping, control.step),
            ),
        )
        fsm.act("HALT", drops.eq(1), If(wanted, NextState("BEGIN")))
        fsm.act("FAIL", drops.eq(1), If(~faults.safe, NextState("IDLE")))
        for state in ("BEGIN", "EXECUTE", "PAUSE", "HALT"):
            fsm.act(state, If(faults.safe, NextState("FAIL"), *ends))
        for state in ("BEGIN", "EXECUTE", "PAUSE", "HALT", "IDLE"):
            fsm.act(state, If(control.abort, NextState("IDLE"), *ends))
        self.comb += [
            self.safe.eq(faults.safe),
            self.silence.eq(faults.safe | control.abort),
            faults.now.eq(self.now),
            faults.clear.eq(control.clear),
        ]

        # Program: fetched, decoded, executed
        self.comb += [
            program.address.eq(fetch.memory_address),
            fetch.memory_data.eq(program.data),
            fetch.takes.eq(live),
            fetch.begins.eq(live & fetch.executed.waits & fetch.executed.legal),
            fetch.ends.eq(waits.ends),
            fetch.branches.eq(waits.branches),
            fetch.goes.eq(begin | waits.goes | execute.goes),
            fetch.target.eq(Mux(begin, 0, Mux(waits.goes, waits.target, execute.target))),
            fetch.flush.eq(drops | faults.safe),
            execute.instruction.eq(fetch.executed),
            execute.live.eq(live),
            execute.begin.eq(begin),
            execute.start_time.eq(coming + (START_LEAD - 1)),
            execute.moves.eq(moves),
            execute.catches_up.eq((waits.ends | waits.goes) & behind),
            execute.lead.eq(lead),
            execute.now.eq(self.now[:TIME_BITS]),
            execute.frame.eq(self.frame),
            execute.frame_ready.eq(self.frame_ready),
            execute.frame_index.eq(waits.slot[:5]),
            execute.counts.eq(executing),
            execute.limit.eq(control.watchdog),
            execute.external.eq(self.external),
            execute.waited_for.eq(waits.address),
            execute.untrusted.eq((self.running | fsm.ongoing("BEGIN")) & ~trusted),
            execute.stale_wait.eq(waits.stale),
            execute.timeout.eq(waits.timeout),
            # Nothing is executed while a wait is active, and it is known early which of both it is.
            decoder.into.eq(Mux(waits.active, waits.into, execute.into)),
            decoder.value.eq(Mux(waits.active, waits.value, execute.value)),
            decoder.total.eq(Mux(waits.active, 0, execute.total)),
            decoder.writes.eq(execute.writes | waits.writes),
            decoder.executed_writes.eq(execute.writes),
            decoder.executed_into.eq(execute.into),
            decoder.executed_value.eq(execute.value),
            decoder.executed_total.eq(execute.total),
            decoder.breaks.eq(control.breaks),
            control.decoded_address.eq(decoder.address),
            decoder.probe.eq(control.register),
            control.register_value.eq(decoder.probed),
            If(~self.running,
                decoder.into.eq(control.register),
                decoder.value.eq(control.register_data),
                decoder.total.eq(0),
                decoder.writes.eq(control.writes_register),
            ),
        ]  # fmt: skip

        # Waits
        self.comb += [
            waits.instruction.eq(fetch.executed),
            waits.begins.eq(fetch.begins),
            waits.flush.eq(drops | faults.safe),
            table.select.eq(waits.slot),
            table.restart.eq(begin),
            table.arm.eq(dispatcher.arm),
            waits.found.eq(table.found),
            waits.nothing.eq(table.nothing),
            waits.bit.eq(table.bit),
            waits.leaked.eq(table.leaked),
            waits.soft.eq(table.soft),
            waits.frame_found.eq(execute.frame_found),
            waits.frame_nothing.eq(execute.frame_nothing),
            waits.frame_bit.eq(execute.frame_bit),
        ]

        # Events and faults
        issues = live & fetch.executed.unit[Unit.EVENT] & fetch.executed.legal
        self.comb += [
            dispatcher.sink.valid.eq(issues),
            dispatcher.sink.time.eq(execute.cursor),
            dispatcher.sink.kind.eq(execute.does[:3]),
            dispatcher.sink.value.eq(fetch.executed.b),
            dispatcher.sink.address.eq(fetch.executed.address),
            dispatcher.group.eq(execute.group),
            dispatcher.coming.eq(coming),
            dispatcher.busy.eq(self.busy),
            dispatcher.flush.eq(self.silence),
            faults.core.eq(execute.fault),
            faults.core_faulty.eq(execute.faulty),
            faults.core_address.eq(execute.fault_address),
            faults.backlog.eq(table.backlog),
        ]
        issued_before = Signal.like(dispatcher.issued.address)
        self.sync += issued_before.eq(dispatcher.issued.address)
        self.comb += faults.issued_address.eq(issued_before)

        # Trace: an event as it leaves the dispatcher, or the end of a wait or of the program a cycle after it
        done, outcome, where, what = Signal(), Signal(4), Signal.like(waits.address), Signal(32)
        group, ended, cycle = Signal.like(execute.group), Signal(), Signal(TIME_BITS)
        self.comb += ended.eq(waits.ends | waits.timed_out | (waits.goes & ~waits.timed_out))
        self.sync += [
            cycle.eq(self.now[:TIME_BITS]),
            group.eq(execute.group),
            done.eq((ended | execute.halts) & ~faults.safe),
            outcome.eq(Outcome.PASSED),
            If(waits.ends & waits.branches, outcome.eq(Outcome.TAKEN)),
            If(waits.timed_out, outcome.eq(Outcome.TIMED_OUT)),
            If(execute.halts, outcome.eq(Outcome.HALTED)),
            where.eq(Mux(execute.halts, fetch.executed.address, waits.address)),
            what.eq(Mux(execute.halts, fetch.executed.b, Mux(waits.timed_out, 0, waits.value))),
        ]
        record, issued = trace.record, dispatcher.issued
        self.comb += [
            trace.clear.eq(begin),
            trace.write.eq((issued.valid | done) & ~faults.safe),
            record["cycle"].eq(cycle),
            record["address"].eq(Mux(done, where, issued.address)),
            record["tag"].eq(Mux(done, outcome << TAG_KIND_OFFSET, issued.kind << TAG_KIND_OFFSET | group)),
            record["time"].eq(Mux(done, execute.cursor, issued.time)),
            record["value"].eq(Mux(done, what, issued.value)),
        ]

        # Registers
        self.comb += [
            control.now.eq(self.now),
            control.cursor.eq(execute.cursor),
            control.executing.eq(executing),
            control.paused.eq(fsm.ongoing("PAUSE")),
            control.starting.eq(fsm.ongoing("BEGIN")),
            control.halted.eq(fsm.ongoing("HALT")),
            control.drained.eq(dispatcher.empty),
            control.trusted.eq(trusted),
            control.next_address.eq(fetch.executed.address),
            control.live.eq(live),
            control.issues.eq(issues),
            control.waits.eq(waits.active),
            control.strays.eq(table.strays),
            control.begin.eq(begin),
            control.halts.eq(execute.halts),
            control.code.eq(fetch.executed.b),
        ]
