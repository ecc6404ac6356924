# SPDX-License-Identifier: BSD-2-Clause
"""A program's instructions, followed along all of its ways, become what a timed processor is asked for.

A processor of QICK's knows times from a reference, in ticks of its own clock, and a generator knows a frequency, a
phase and a gain for each pulse; a program has a cursor, in cycles, and channels that are set beforehand. What the
channels are set to, and what part of a tick the cursor is beyond a whole one, is followed here while the program is
translated: an instruction that is reached with two different settings is translated twice, for each of them. So a loop
of 10 cycles, 17.5 ticks of QICK's, becomes two turns that take 17 and 18: no event is ever further than half a tick
from its time.

What depends on what happens (a phase that is turned in a loop, an amplitude from a register) is kept in registers of
the processor. Whatever can be neither followed nor kept is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import NoReturn

from triplane.gateware.dsp.layouts import NUM_TONES, SCALE_BITS
from triplane.gateware.sequencer.layouts import Kind
from triplane.hal.control import ControlProgram
from triplane.hal.drivers.qick.machine import TRIGGER_TICKS, Machine, Operand, Wave, program_register
from triplane.hal.drivers.qick.readout import window_of
from triplane.hal.drivers.qick.state import UNKNOWN, Chain, Now, State, beginning
from triplane.hal.drivers.qick.steps import EPOCH_IDIOM, Step, Steps
from triplane.hal.drivers.qick.wiring import Wiring
from triplane.hal.errors import ProgramError

ENTRY_MASK = 0x3FF
AMPLITUDE_MASK = 0xFFFF
ONE = 1 << SCALE_BITS
STACK_DEPTH = 16

BEYOND = {
    "on.leaked": "its tProcessor compares a result with one threshold: it has two states, no leakage",
    "on.kept": "its tProcessor compares a result with one threshold: it has two states, no leakage",
    "on.atleast": "a result has no soft value",
    "on.below": "a result has no soft value",
    "frame.one": "there is no decoder and no frame (features.decoding is false)",
    "frame.zero": "there is no decoder and no frame (features.decoding is false)",
    "barrier": "there is no decoder and no frame (features.decoding is false)",
    "expect": "there is no decoder and no frame (features.decoding is false)",
    "frame": "there is no decoder and no frame (features.decoding is false)",
    "now": "a program cannot read the time; events have times from its beginning",
    "cursor": "a program cannot read its cursor, of which parts are kept while it is translated",
    "until": "the cursor moves on by cycles, not to a time",
    "emit": "a program gives nothing out while it runs; end it with the word",
    "sync": "a program cannot read the time; move the cursor on by as many cycles as the instructions take",
}
"""What no firmware of QICK's can do, and why."""


class Translation:
    """A program on its way to a processor.

    Args:
        program: to be translated; it must have passed its checks of tables.
        wiring: of its channels.
        per_cycle: ticks of the processor in a cycle.
        most: pieces that the program may become.

    Raises:
        ProgramError: QICK cannot do it; the message has the place and the reason.
    """

    def __init__(self, program: ControlProgram, wiring: Wiring, per_cycle: Fraction, most: int) -> None:
        self.program = program
        self.wiring = wiring
        self.per_cycle = per_cycle
        self.most = most
        self.held = int(TRIGGER_TICKS / per_cycle) + 1
        self.steps = Steps(program.sequence, program.epoch_register)
        self._names: dict[tuple[int, State], str] = {}
        self._pending: list[tuple[int, State]] = []

    def tell(self, machine: Machine) -> None:
        """Tell a machine all of the program."""
        self._names.clear()
        self._pending = [(0, beginning(self.program.sequence, self.wiring.channels))]
        told: set[tuple[int, State]] = set()
        while self._pending:
            piece: tuple[int, State] | None = self._pending.pop()
            while piece is not None and piece not in told:
                told.add(piece)
                machine.label(self._name(*piece))
                piece = self._piece(*piece, machine)
                if piece is not None and piece in told:
                    machine.jump(self._name(*piece))

    def _name(self, address: int, state: State) -> str:
        """Label of a piece, which is told later if it was not yet."""
        piece = (address, state)
        if piece not in self._names:
            if len(self._names) >= self.most:
                raise ProgramError(
                    f"{self.program.sequence.place(address)}: the program is reached with more than {self.most} "
                    "different settings of its channels and parts of a tick; let its loops set them alike, and take "
                    f"times that are multiples of {self.per_cycle.denominator} cycles"
                )
            self._names[piece] = f"at{address}_{len(self._names)}"
            self._pending.append(piece)
        return self._names[piece]

    def _piece(self, address: int, state: State, machine: Machine) -> tuple[int, State] | None:
        """Tell of the instructions from an address on; returns what follows, None where nothing does."""
        now = Now.of(state)
        while True:
            if address == self.steps.epoch:
                self._epoch(address, now, machine)
                address += len(EPOCH_IDIOM)
                continue
            step = self.steps.at(address)
            if step.mnemonic in GOING:
                return GOING[step.mnemonic](self, step, now, machine)
            if step.mnemonic in BEYOND:
                self._refuse(step, BEYOND[step.mnemonic])
            STAYING[step.mnemonic](self, step, now, machine)
            address += 1
            if address in self.steps.joins:
                return self._settled(address, now, machine)

    def _refuse(self, step: Step, reason: str) -> NoReturn:
        self.steps.refuse(step.address, reason)

    def _settled(self, address: int, now: Now, machine: Machine) -> tuple[int, State]:
        """Moves the reference to the cursor, for a piece that begins at an address."""
        whole, state = self._settle(address, now)
        if whole:
            machine.advance(whole)
        return address, state

    def _settle(self, address: int, now: Now) -> tuple[int, State]:
        """Whole ticks from the reference to the cursor, and what is known at an address that is reached there."""
        joins = address in self.steps.joins
        return now.settle(self.per_cycle, self.wiring.decision_cycles, self.held, joins=joins)

    def _turned_to(self, address: int, now: Now) -> str:
        """Label of a piece that is gone to after the reference was moved to the cursor."""
        return self._name(address, self._settle(address, now)[1])

    def _tick(self, now: Now, cycles: int) -> int:
        """The whole tick nearest to a time."""
        return int(now.ticks(cycles, self.per_cycle) + Fraction(1, 2))

    # Time

    def _epoch(self, address: int, now: Now, machine: Machine) -> None:
        if now.since != 0 or now.cursor:
            self.steps.refuse(address, "a program waits for the beginning of its time before anything else")
        machine.set(program_register(self.steps.at(address)["rd"]), 0)

    def _wait(self, step: Step, now: Now, machine: Machine) -> None:
        if not step.by_register:
            now.cursor += step.signed
            if step.signed < 0:
                self._refuse(step, "the cursor moves forwards only")
            return
        register = program_register(step["b"])
        if isinstance(register, str):
            machine.advance_by(register, step.address)
            now.lose_time(self.wiring.decision_cycles)

    # Events

    def _event(self, step: Step, now: Now, machine: Machine) -> None:
        groups = self.program.sequence.groups
        if step["group"] >= len(groups):
            self._refuse(step, f"there is no group {step['group']}")
        kind = Kind[step.mnemonic.upper()]
        group = groups[step["group"]]
        windows: list[tuple[int, int]] = []
        for channel in group.channels:
            if channel >= self.wiring.channels:
                what = (
                    "rounds and the Pauli frame are not there"
                    if self.wiring.channels
                    else "no channel is wired"
                )
                self._refuse(
                    step,
                    f"it is for channel {channel}, the wiring has {len(self.wiring.drives)} drives and "
                    f"{len(self.wiring.lines)} lines; {what} (features.decoding is false)",
                )
            time = self._chained(step, now, channel, kind)
            if kind == Kind.CAPTURE:
                windows.append(self._capture(step, now, channel, time))
            else:
                EVENTS[kind](self, step, now, machine, channel, time)
        if kind == Kind.CAPTURE:
            self._trigger(step, now, machine, windows, group.slots)
        now.cursor += step["advance"]

    def _chained(self, step: Step, now: Now, channel: int, kind: Kind) -> int:
        """When an event leaves: one after the other, if a channel is given several at one time."""
        setting = now.channels[channel]
        chain = setting.chain
        if chain is not None and chain.time == now.cursor:
            if kind in chain.kinds:
                self._refuse(step, f"channel {channel} is given {step.mnemonic} twice at one time")
            time, chain = chain.free, Chain(chain.time, chain.kinds | {kind})
        elif chain is not None and now.cursor < chain.free:
            self._refuse(
                step,
                f"channel {channel} is still taking {len(chain.kinds)} events of {now.cursor - chain.time} cycles ago",
            )
        else:
            time, chain = now.cursor, Chain(now.cursor, frozenset({kind}))
        now.channels[channel] = replace(setting, chain=chain)
        return time

    def _number(self, step: Step, what: str) -> int:
        """Operand b of an event that must be known beforehand."""
        if step.by_register:
            self._refuse(step, f"{what} must be a number: it is looked up while the program is translated")
        return step["b"]

    def _play(self, step: Step, now: Now, machine: Machine, channel: int, time: int) -> None:
        number = self._number(step, "an entry") & ENTRY_MASK
        line = self.wiring.line(channel)
        setting = now.channels[channel]
        tables = self.program.drives if line is None else self.program.tones
        index = channel if line is None else line
        entries = tables[index].entries if index < len(tables) else ()
        if number >= len(entries):
            self._refuse(step, f"channel {channel} has no entry {number} in its pulse table")
        entry = entries[number]
        if setting.ends is not None and time < setting.ends:
            self._refuse(
                step, f"channel {channel} still plays for {setting.ends - time} cycles (a collision)"
            )
        if line is None:
            slot, phase, after, tone = entry["slot"], entry["phase"], entry["after"], ONE
        else:
            slot, phase, after = self._tone(step, channel, entry["mask"]), 0, 0
            amplitudes = self.program.tones[line].amplitudes
            tone = amplitudes[slot] if slot < len(amplitudes) else 0
        if entry["length"]:
            amplitude = None
            if setting.amplitude is not None:
                # As the generator rounds the product of the first two.
                product = entry["amplitude"] * setting.amplitude + (ONE >> 1) >> SCALE_BITS
                amplitude = product * tone
            elif (entry["amplitude"], tone) != (ONE, ONE):
                self._refuse(
                    step,
                    f"the amplitude of channel {channel} is in a register, so that of entry {number} and of its tone "
                    f"must be {ONE}, that is 1; the tProcessor is not asked to multiply",
                )
            wave = Wave(
                channel,
                entry["start"],
                entry["length"],
                setting.words[slot],
                (phase + setting.origins[slot]) % 2**32,
                amplitude,
            )
            machine.play(wave, self._tick(now, time), slot, step.address)
            now.channels[channel] = replace(setting, ends=time + entry["length"], playing=frozenset({slot}))
        if after % 2**32:
            self._turn(now, machine, channel, slot, after)

    def _tone(self, step: Step, channel: int, mask: int) -> int:
        if mask.bit_count() != 1:
            self._refuse(
                step,
                f"channel {channel} would sound {mask.bit_count()} tones (mask {mask:#04x}), a generator has one",
            )
        return mask.bit_length() - 1

    def _turn(self, now: Now, machine: Machine, channel: int, slot: int, angle: Operand) -> None:
        if now.since is not None and isinstance(angle, int):
            now.channels[channel] = now.channels[channel].turned(slot, angle)
        else:
            machine.turn(channel, slot, angle)

    def _silent(self, step: Step, now: Now, channel: int, time: int) -> None:
        setting = now.channels[channel]
        if setting.ends is not None and time < setting.ends and setting.slot in setting.playing:
            self._refuse(
                step,
                f"channel {channel} plays slot {setting.slot} for {setting.ends - time} more cycles; a pulse keeps "
                "phase and frequency until it ends",
            )

    def _phase(self, step: Step, now: Now, machine: Machine, channel: int, time: int) -> None:
        self._silent(step, now, channel, time)
        angle = program_register(step["b"]) if step.by_register else step["b"]
        self._turn(now, machine, channel, now.channels[channel].slot, angle)

    def _freq(self, step: Step, now: Now, machine: Machine, channel: int, time: int) -> None:
        word = self._number(step, "a frequency")
        self._silent(step, now, channel, time)
        setting = now.channels[channel]
        if word != setting.words[setting.slot]:
            now.channels[channel] = setting.retuned(setting.slot, word, self._since(step, now, time))

    def _reset(self, step: Step, now: Now, machine: Machine, channel: int, time: int) -> None:
        angle = self._number(step, "a phase that is set")
        self._silent(step, now, channel, time)
        setting = now.channels[channel]
        now.channels[channel] = setting.reset(setting.slot, angle, self._since(step, now, time))

    def _since(self, step: Step, now: Now, time: int) -> int:
        if now.since is None:
            self._refuse(
                step,
                "QICK's oscillators never stop; frequencies and phases are set before the first instruction that is "
                "gone to from elsewhere, where the time is known",
            )
        return now.since + time

    def _amp(self, step: Step, now: Now, machine: Machine, channel: int, time: int) -> None:
        if step.by_register and step["b"]:
            machine.scale(channel, f"r{step['b']}", step.address)
            amplitude = None
        else:
            amplitude = 0 if step.by_register else step["b"] & AMPLITUDE_MASK
        now.channels[channel] = replace(now.channels[channel], amplitude=amplitude)

    def _slot(self, step: Step, now: Now, machine: Machine, channel: int, time: int) -> None:
        slot = self._number(step, "a slot") % NUM_TONES
        now.channels[channel] = replace(now.channels[channel], slot=slot)

    def _capture(self, step: Step, now: Now, channel: int, time: int) -> tuple[int, int]:
        """Start of a window; returns its line and when its first sample is."""
        number = self._number(step, "a window") & ENTRY_MASK
        line = self.wiring.line(channel)
        if line is None:
            self._refuse(step, f"channel {channel} is a drive, which measures nothing")
        try:
            window, tone = window_of(self.program, line, number)
        except ProgramError as error:
            self._refuse(step, str(error))
        begins = time + window.delay
        if line in now.windows and begins < now.windows[line]:
            self._refuse(
                step, f"line {line} still measures for {now.windows[line] - begins} cycles; it has one buffer"
            )
        now.windows[line] = begins + window.length
        slot = line * self.wiring.tones_per_line + tone
        now.results[slot] = begins + window.length
        return slot, begins

    def _trigger(
        self, step: Step, now: Now, machine: Machine, windows: list[tuple[int, int]], arms: tuple[int, ...]
    ) -> None:
        measured = {slot for slot, _ in windows}
        if set(arms) != measured:
            self._refuse(
                step,
                f"its group arms slots {sorted(arms)}, its windows measure {sorted(measured)} (slot = line * "
                f"{self.wiring.tones_per_line} + tone)",
            )
        lines: dict[int, list[int]] = {}
        for slot, begins in windows:
            lines.setdefault(begins, []).append(slot // self.wiring.tones_per_line)
        for begins, those in sorted(lines.items()):
            if now.triggered is not None and begins < now.triggered + self.held:
                self._refuse(
                    step,
                    f"windows would begin {begins - now.triggered} cycles after each other; a trigger is held for "
                    f"{TRIGGER_TICKS} ticks: begin them at once, or {self.held} cycles apart",
                )
            now.triggered = begins
            machine.trigger(those, self._tick(now, begins), step.address)

    # Results

    def _awaited(self, step: Step, now: Now, machine: Machine) -> int:
        """Lets the processor wait for a result; returns the line."""
        slot = step["slot"]
        ends = now.results.get(slot)
        if ends is None:
            self._refuse(step, f"no CAPTURE on the way here measures slot {slot} (stale)")
        if ends == UNKNOWN:
            self._refuse(
                step, "between its CAPTURE and here the cursor is moved by a register: its time is not known"
            )
        ready = ends + self.wiring.result_cycles
        patience = ready - now.cursor
        if step["bound"] < patience:
            self._refuse(
                step,
                f"the result of slot {slot} is there {patience} cycles after the cursor, the bound is {step['bound']} "
                "cycles; on QICK it always comes, and never earlier",
            )
        machine.wait(max(0, int(now.ticks(ready, self.per_cycle)) + 1))
        now.cursor = max(now.cursor, ends + self.wiring.decision_cycles)
        return slot // self.wiring.tones_per_line

    def _on(self, step: Step, now: Now, machine: Machine) -> tuple[int, State]:
        line = self._awaited(step, now, machine)
        follows = self._settled(step.address + 1, now, machine)
        machine.branch_on_bit(line, int(step.mnemonic == "on.one"), self._turned_to(step["target"], now))
        return follows

    def _read(self, step: Step, now: Now, machine: Machine) -> None:
        follows = self.steps.at(step.address + 1)
        into = step["rd"]
        if (
            follows.mnemonic != "and"
            or follows.by_register
            or (follows["rd"], follows["ra"], follows["b"]) != (into, into, 1)
            or step.address + 1 in self.steps.joins
        ):
            self._refuse(
                step,
                f"it reads a soft value and leakage too, which are not there; let 'and r{into}, r{into}, 1' follow",
            )
        line = self._awaited(step, now, machine)
        machine.read_bit(line, program_register(into))

    # Registers, and the way

    def _operand(self, step: Step) -> Operand:
        return program_register(step["b"]) if step.by_register else step.signed

    def _set(self, step: Step, now: Now, machine: Machine) -> None:
        if step["rd"]:
            machine.set(program_register(step["rd"]), self._operand(step))

    def _compute(self, step: Step, now: Now, machine: Machine) -> None:
        if step["rd"]:
            left, right = program_register(step["ra"]), self._operand(step)
            if step.mnemonic in ("shl", "shr", "sar") and isinstance(right, str):
                self._refuse(
                    step, "its tProcessor takes four bits of an amount in a register; shift by a number"
                )
            machine.compute(step.mnemonic, program_register(step["rd"]), left, right, step.address)

    def _nop(self, step: Step, now: Now, machine: Machine) -> None:
        """Nothing: time passes by the cursor only."""

    def _branch(self, step: Step, now: Now, machine: Machine) -> tuple[int, State]:
        follows = self._settled(step.address + 1, now, machine)
        left = program_register(step["ra"])
        name = self._turned_to(step["target"], now)
        if step.mnemonic == "loop":
            if isinstance(left, int):
                self._refuse(step, "r0 cannot count")
            machine.compute("sub", left, left, 1, step.address)
            machine.branch("bne", left, 0, name)
        else:
            machine.branch(step.mnemonic, left, self._operand(step), name)
        return follows

    def _jump(self, step: Step, now: Now, machine: Machine) -> tuple[int, State]:
        return self._settled(step["target"], now, machine)

    def _call(self, step: Step, now: Now, machine: Machine) -> tuple[int, State]:
        if len(now.stack) == STACK_DEPTH:
            self._refuse(step, f"calls are nested deeper than {STACK_DEPTH}")
        now.stack = (*now.stack, step.address + 1)
        return self._settled(step["target"], now, machine)

    def _return(self, step: Step, now: Now, machine: Machine) -> tuple[int, State]:
        if not now.stack:
            self._refuse(step, "nothing has called")
        address, now.stack = now.stack[-1], now.stack[:-1]
        return self._settled(address, now, machine)

    def _halt(self, step: Step, now: Now, machine: Machine) -> None:
        ends = [now.cursor, *now.windows.values()]
        ends += [channel.ends for channel in now.channels if channel.ends is not None]
        machine.halt(self._operand(step), self._tick(now, max(ends) + self.wiring.result_cycles))


_Stay = Callable[[Translation, Step, Now, Machine], None]
_Go = Callable[[Translation, Step, Now, Machine], tuple[int, State] | None]
_Event = Callable[[Translation, Step, Now, Machine, int, int], None]

# The methods belong to the class above; these tables only say which one is for which instruction.
EVENTS: dict[Kind, _Event] = {
    Kind.PLAY: Translation._play,
    Kind.PHASE: Translation._phase,
    Kind.FREQ: Translation._freq,
    Kind.AMP: Translation._amp,
    Kind.SLOT: Translation._slot,
    Kind.RESET: Translation._reset,
}
STAYING: dict[str, _Stay] = {
    **{kind.name.lower(): Translation._event for kind in Kind},
    **dict.fromkeys(("add", "sub", "and", "or", "xor", "shl", "shr", "sar", "parity"), Translation._compute),
    "wait": Translation._wait,
    "read": Translation._read,
    "set": Translation._set,
    "nop": Translation._nop,
}
GOING: dict[str, _Go] = {
    **dict.fromkeys(("beq", "bne", "blt", "bge", "bltu", "bgeu", "loop"), Translation._branch),
    "on.one": Translation._on,
    "on.zero": Translation._on,
    "jump": Translation._jump,
    "call": Translation._call,
    "return": Translation._return,
    "halt": Translation._halt,
}
