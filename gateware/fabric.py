# SPDX-License-Identifier: BSD-2-Clause
"""The real-time fabric: sequencer, generators, readout lines and syndrome formation, wired around a decoder."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Cat, If, Signal

from triplane.gateware.frame.layouts import OPERATION_BITS
from triplane.gateware.frame.pauli import PauliFrame
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.sequencer.core import Sequencer
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.layouts import VALUE_BITS, Kind
from triplane.gateware.sequencer.tones import ToneGenerator
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.formation import SyndromeFormation

ROUND_KIND_BITS = 8
"""Of the value of a PLAY on the round channel: the kind of the round."""

ROUND_LAST = 8
"""Bit of that value: the round is the last of its shot."""

ROUND_KNOWN = 16
"""Lowest bit of that value that is a bit known beforehand."""

FRAME_FIRST, FRAME_SECOND = 8, 16
"""Lowest bits of the value of a PLAY on the frame channel that name the first and the second qubit, 8 bits each; the
operation (`frame.layouts.Operation`) is below them.
"""

OUTCOME_OFFSET = 16
"""Lowest bit of the sequencer's frame that holds outcomes; flips are below."""


class ControlFabric(LiteXModule):
    r"""All that runs between the converters and the decoder.

    ```
    sequencer -> queues -> drives ------------------------------> DAC
        ^  ^         |---> tones -------------------------------> DAC
        |  |         '---> windows <----------------------------- ADC
        |  '--- results ------'-> formation -> decoder -> barrier
        '------------------------------ frame ---------------'
    ```

    The cores are built here and owned by the system on chip, so that each has a bank of registers of its own: no
    attribute but `cores` holds one.

    A round of a code is armed by a PLAY on the round channel: its value holds the kind of the round, whether it is the
    last of its shot (`ROUND_LAST`), and bits known beforehand (from `ROUND_KNOWN` on). All other channels ignore kinds
    that are not theirs.

    The sequencer's frame has the flips of the decoder's frame in its low half, and above `OUTCOME_OFFSET` the
    outcomes: measured observables of the shot that was formed last, with those flips.

    Where a Pauli frame is built, a PLAY on the frame channel tells it of a gate or a byproduct at that time, and the
    sequencer decides by results as they would be without the frame; syndromes are formed of results as they are, since
    the decoder knows of no frame. Its logical bits follow the flips of the decoder's.

    Args:
        shape: what is built.

    Attributes:
        now: input; cycle counter.
        external: input; another part of the board has gone safe.
        adc: per line (i, q); inputs.
        dac: per channel but the last, lists of i and of q of the two samples of a clock.
        played: per channel but the last, the tap of its generator.
        rounds: event words for the decoder.
        frame, frame_ready: inputs; of the decoder's barrier.
        frame_wait, frame_shot, frame_round: to it.
        start: input; starts the program.
        records: words of the records of rounds.
        outcomes: words that the program gives out; whoever takes them is ready while `outcome_room` (input) is high.
        clear: input; formation forgets everything but its table.
        safe: the sequencer has stopped the board.
        stopped: a fault has stopped syndrome formation.
        held_up: a complete round finds the way to the decoder full.
        collision: a generator or a line has refused an event.
        cores: name of the register bank -> core.
    """

    def __init__(self, shape: FabricShape) -> None:
        self.shape = shape
        self.now = Signal(64)
        self.external = Signal()
        self.frame = Signal(32)
        self.frame_ready = Signal()
        self.start = Signal()
        self.collision = Signal()
        sequencer = Sequencer(
            shape.channels,
            shape.slots,
            program_depth=shape.program_words,
            num_groups=shape.groups,
            queue_depth=shape.queue_events,
        )
        formation = SyndromeFormation(shape.syndrome)
        drives = [
            PulseGenerator(entries=shape.pulse_entries, envelope_depth=shape.envelope_clocks)
            for _ in range(shape.drives)
        ]
        tones = [
            ToneGenerator(entries=shape.pulse_entries, envelope_depth=shape.envelope_clocks)
            for _ in range(shape.lines)
        ]
        lines = [
            ReadoutLine(
                shape.tones,
                shape.window_samples,
                num_windows=shape.windows,
                trace_depth=shape.trace_samples,
                decimated_depth=shape.partial_values,
            )
            for _ in range(shape.lines)
        ]
        pauli, strange = None, Signal()  # bits are set that name nothing
        if shape.frame_qubits:
            rest = [None] * (shape.slots - len(shape.frame_qubits))
            qubits = 1 + max((q for q in shape.frame_qubits if q is not None), default=0)
            pauli = PauliFrame([*shape.frame_qubits, *rest], qubits, observables=shape.syndrome.observables)
        generators: list[PulseGenerator | ToneGenerator] = [*drives, *tones]
        self.cores = {
            "sequencer": sequencer,
            "formation": formation,
            **{f"drive{k}": core for k, core in enumerate(drives)},
            **{f"tones{k}": core for k, core in enumerate(tones)},
            **{f"line{k}": core for k, core in enumerate(lines)},
            **({"pauli": pauli} if pauli else {}),
        }
        self.adc = [(line.i, line.q) for line in lines]
        self.dac = [(generator.i, generator.q) for generator in generators]
        self.played = [generator.played for generator in generators]
        self.rounds, self.records = formation.source, formation.records
        self.outcomes = stream.Endpoint([("data", 32)])
        self.outcome_room = Signal()
        self.clear = formation.clear
        self.stopped, self.held_up = formation.stopped, formation.held_up
        self.frame_wait = sequencer.frame_wait
        self.frame_shot = sequencer.frame_shot
        self.frame_round = sequencer.frame_round
        self.safe = sequencer.safe

        # # #

        self.comb += [core.now.eq(self.now) for core in (sequencer, formation, *generators, *lines)]

        # Events
        events = sequencer.events
        for channel, (generator, event) in enumerate(zip(generators, events, strict=False)):
            self.comb += [
                generator.sink.valid.eq(event.valid),
                generator.sink.kind.eq(event.kind),
                generator.sink.value.eq(event.value),
                generator.silence.eq(sequencer.silence | self.external),
                sequencer.busy[channel].eq(generator.busy),
            ]
        for line, event in zip(lines, events[shape.drives :], strict=False):
            self.comb += [
                line.capture.valid.eq(event.valid & (event.kind == Kind.CAPTURE)),
                line.capture.kind.eq(event.kind),
                line.capture.value.eq(event.value),
            ]
        armed = events[shape.round_channel]
        self.comb += [
            formation.arm.eq(armed.valid & (armed.kind == Kind.PLAY)),
            formation.round_kind.eq(armed.value[:ROUND_KIND_BITS]),
            formation.last.eq(armed.value[ROUND_LAST]),
            formation.known.eq(armed.value[ROUND_KNOWN:]),
            self.collision.eq(
                Cat(
                    *(core.collision for core in (*generators, *lines)),
                    *(line.unknown for line in lines),
                    *([pauli.refused, strange] if pauli else []),
                )
                != 0
            ),
        ]

        # Results
        for number, line in enumerate(lines):
            for tone in range(shape.tones):
                slot = number * shape.tones + tone
                result = sequencer.results[slot]
                self.comb += [
                    result.valid.eq(line.valid[tone]),
                    result.bit.eq(pauli.reinterpreted[slot] if pauli else line.bits[tone]),
                    result.leaked.eq(line.leaked[tone]),
                    result.soft.eq(line.soft[tone]),
                ]
                if slot < shape.syndrome.slots:
                    self.comb += [
                        formation.valid[slot].eq(line.valid[tone]),
                        formation.bit[slot].eq(line.bits[tone]),
                        formation.leaked[slot].eq(line.leaked[tone]),
                    ]
        self.comb += sequencer.measuring.eq(Cat(*(line.busy for line in lines)) != 0)

        # Pauli frame
        if pauli:
            told, framed = events[shape.frame_channel], Signal(len(pauli.flips))
            used = [(0, OPERATION_BITS), (FRAME_FIRST, len(pauli.first)), (FRAME_SECOND, len(pauli.second))]
            mask = sum((1 << bits) - 1 << offset for offset, bits in used)
            self.sync += framed.eq(self.frame)
            self.comb += [
                strange.eq(
                    told.valid & (told.kind == Kind.PLAY) & ((told.value & (2**VALUE_BITS - 1 ^ mask)) != 0)
                ),
                pauli.execute.eq(told.valid & (told.kind == Kind.PLAY) & ~strange),
                pauli.operation.eq(told.value[:FRAME_FIRST]),
                pauli.first.eq(told.value[FRAME_FIRST:FRAME_SECOND]),
                pauli.second.eq(told.value[FRAME_SECOND:]),
                pauli.bit.eq(Cat(*(bit for line in lines for bit in line.bits))),
                # The decoder's frame begins anew with each shot; so do these bits, by the difference.
                pauli.flips.eq(self.frame ^ framed),
                pauli.flipped.eq(pauli.flips != 0),
                pauli.clear.eq(self.clear),
            ]

        # Frame
        outcomes = Signal(32 - OUTCOME_OFFSET)
        self.sync += If(formation.last_formed & formation.formed, outcomes.eq(formation.observables))
        self.comb += [
            sequencer.frame.eq(Cat(self.frame[:OUTCOME_OFFSET], outcomes ^ self.frame[:OUTCOME_OFFSET])),
            sequencer.frame_ready.eq(self.frame_ready),
            sequencer.start.eq(self.start),
            sequencer.external.eq(self.external),
            sequencer.outcome_room.eq(self.outcome_room),
            # Every word is a record of its own.
            [getattr(self.outcomes, name).eq(sequencer.outcome_valid) for name in ("valid", "first", "last")],
            self.outcomes.data.eq(sequencer.outcome),
        ]
