# SPDX-License-Identifier: BSD-2-Clause
"""A board with a device behind it, and programs on it that count how often a qubit is read as 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.layouts import Window
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.opcodes import BOUND_BITS
from triplane.gateware.shape import FabricShape
from triplane.hal.board import Board
from triplane.hal.control import ControlProgram, Demodulation
from triplane.hal.device import ADC_HZ, Device
from triplane.host.compiler import GateSet, demodulation_of, line_tones
from triplane.host.compiler.alignment import EPOCH_REGISTER
from triplane.sim.qpu.gates import READOUT_SAMPLES

CYCLE_HZ = ADC_HZ
"""A cycle is an ADC sample, and two DAC samples."""

RESETS = 2
"""Measurements that each bring a qubit back to 0 with a pulse, before a shot."""

PATIENCE = 2_000
"""Cycles that a program waits for a result at the most."""

MARGIN = 40
"""Cycles beyond tone and cable until a measurement is over, and for the instructions behind it."""

RECORDED, PLAIN = 1, 0
"""Windows of every line: of which integrals and traces are kept, and of which they are not."""


class SweepError(ValueError):
    """A sweep that no program of the sequencer can make."""


@dataclass
class Station:
    """A board with a device behind it.

    Attributes:
        board: with a fabric.
        shape: of that.
        device: its parameters, as far as they are known: pulses and readout follow from them.
        demodulations: line -> what calibration has found in the place of what follows from the device.
        floors: qubit -> share of shots in 0 that are read as 1, where that was found.
        progress: called with how many points of a routine are done, and of how many; of readout, with shots.
    """

    board: Board
    shape: FabricShape
    device: Device
    demodulations: dict[int, Demodulation] = field(default_factory=dict)
    floors: dict[int, float] = field(default_factory=dict)
    progress: Callable[[int, int], object] = lambda done, total: None

    def place(self, qubit: int) -> tuple[int, int]:
        """Line and tone that read a qubit."""
        return self.device.place(qubit)

    def slot(self, qubit: int) -> int:
        """Its measurement slot."""
        line, tone = self.place(qubit)
        return line * self.shape.tones + tone

    def readout_cycles(self, line: int) -> int:
        """From a tone's beginning until its results are there, and the instructions behind it are executed."""
        delay = round(self.device.lines[line].delay_ns * 1e-9 * CYCLE_HZ)
        return READOUT_SAMPLES // 2 + delay + MARGIN

    def head(self, qubit: int) -> str:
        """Names and macros of a program on a qubit: `measure`, and `prepare`, which brings it to 0."""
        line, _ = self.place(qubit)
        rest = self.readout_cycles(line)
        return f"""
.channel line, {self.shape.drives + line}
.slot qubit, {self.slot(qubit)}
.group line, line arms qubit
.macro reset_qubit
    play line, 0
    capture line, {PLAIN}, +{rest}
    on.zero qubit, zero, {PATIENCE}
    x_{qubit}
zero:
    sync
    wait 8
.endmacro
.macro prepare
{chr(10).join(["    reset_qubit"] * RESETS)}
.endmacro
.macro measure
    play line, 0
    capture line, {RECORDED}, +{rest}
.endmacro
"""

    def program(self, qubit: int, text: str) -> ControlProgram:
        """A control program of the device's gates, with this text behind `head`."""
        gates = GateSet(self.device, self.shape.drives)
        line, tone = self.place(qubit)
        mask = 1 << tone
        lines = range(line + 1)
        return ControlProgram(
            assemble(gates.source(self.head(qubit) + "\n" + text)),
            drives=gates.pulses,
            tones=tuple(line_tones(self.device, number, (mask,)) for number in lines),
            demodulation=tuple(self.demodulation(number, mask) for number in lines),
            epoch_register=EPOCH_REGISTER,
        )

    def demodulation(self, line: int, mask: int) -> Demodulation:
        """Both windows of a line, with the discriminants that are known."""
        nominal = demodulation_of(self.device, line, (mask, mask))
        found = self.demodulations.get(line, nominal)
        windows = tuple(
            replace(nominal.windows[number], trace=number == RECORDED, decimated=number == RECORDED)
            for number in (PLAIN, RECORDED)
        )
        return replace(found, windows=windows)

    def window(self, line: int) -> Window:
        """Of a line's measurements."""
        return self.demodulation(line, 1).windows[RECORDED]

    def populations(
        self, qubit: int, body: str, steps: Sequence[tuple[int, int]], *, points: int, shots: int, cycles: int
    ) -> npt.NDArray[np.float64]:
        """Shares of shots that were read as 1, point by point: float64 (points,).

        Args:
            qubit: that is prepared in 0 before, and read after `body`.
            body: of a shot. Registers from r8 on hold the values of `steps`.
            steps: (first value, what is added from point to point), 32 bits each, modulo 2**32.
            points, shots: of the sweep, and of each point.
            cycles: that a body takes at the most.

        Raises:
            SweepError: that is longer than the sequencer waits.
            BoardError: of the board.
        """
        registers = range(8, 8 + len(steps))
        # A bound counts from the instruction on, which is executed long before the measurement that it waits for.
        patience = PATIENCE + cycles
        if patience >> BOUND_BITS:
            raise SweepError(
                f"a body of {cycles} cycles ({cycles / CYCLE_HZ * 1e6:.0f} us) is longer than the sequencer waits, "
                f"{2**BOUND_BITS} cycles ({2**BOUND_BITS / CYCLE_HZ * 1e6:.0f} us); sweep less far"
            )
        lines = [
            *(f"    set r{number}, {first}" for number, (first, _) in zip(registers, steps, strict=True)),
            f"    set r1, {points}",
            "next_point:",
            f"    set r2, {shots}",
            "    set r3, 0",
            "next_shot:",
            "    sync",
            "    wait 16",
            "    prepare",
            body,
            "    measure",
            f"    read r4, qubit, {patience}",
            "    and r4, r4, 1",
            "    add r3, r3, r4",
            "    loop r2, next_shot",
            "    emit r3",
            *(
                f"    add r{number}, r{number}, {step}"
                for number, (_, step) in zip(registers, steps, strict=True)
            ),
            "    loop r1, next_point",
            "    halt 0",
        ]
        line, _ = self.place(qubit)
        shot = cycles + (RESETS + 1) * (self.readout_cycles(line) + PATIENCE)
        ones: list[int] = []

        def take(words: npt.NDArray[np.uint32]) -> None:
            ones.extend(words.tolist())
            self.progress(len(ones), points)

        self.board.load_control(self.program(qubit, "\n".join(lines)))
        self.board.execute(limit_cycles=points * shots * shot + 100_000, outcomes=take)
        return np.asarray(ones, dtype=np.float64) / shots


def cycles_of(seconds: float) -> int:
    """Whole cycles of a time."""
    return round(seconds * CYCLE_HZ)
