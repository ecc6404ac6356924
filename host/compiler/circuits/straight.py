# SPDX-License-Identifier: BSD-2-Clause
"""What a circuit does between two decisions: gates and readouts of one path, scheduled segment by segment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qiskit.circuit import Delay

from triplane.hal.device import ADC_HZ, Device
from triplane.host.compiler.carriers import Carriers, phase_word
from triplane.host.compiler.circuits.conditions import Conditions
from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.options import Options
from triplane.host.compiler.circuits.schedule import Scheduler
from triplane.host.compiler.circuits.tables import Tables
from triplane.host.compiler.circuits.tree import Capture, Node, Play, Read, Shift
from triplane.host.compiler.gates import MARGIN, stark_rad
from triplane.sim.qpu.gates import READOUT_SAMPLES, cross_pulse

SHIFT_CYCLES = 3
"""Of a shift on a slot that is not the channel's own: SLOT, PHASE, and SLOT back."""


class Context:
    """What all paths of a circuit share.

    Args:
        device: what it is for.
        carriers: slots of its channels.
        tables: that are filled.
        options: of the compiler.

    Attributes:
        angles: expressions of parameters, as `Shift.angle` numbers them.
        conditions: translates conditions and values.
    """

    def __init__(self, device: Device, carriers: Carriers, tables: Tables, options: Options) -> None:
        self.device, self.carriers, self.tables, self.options = device, carriers, tables, options
        self.angles: list[Any] = []
        self.conditions = Conditions()

    @property
    def variables(self) -> list[str]:
        """Names of variables, in the order of their appearance."""
        return self.conditions.variables


@dataclass
class State:
    """What the compiler knows at a point of the program.

    Attributes:
        frames: qubit -> known part of its frame, rad, which entries carry.
        unread: classical bit -> slot that has its result.
        zero: bits that are 0 in their registers for certain.
    """

    frames: dict[int, float]
    unread: dict[int, int] = field(default_factory=dict)
    zero: set[int] = field(default_factory=set)

    def copied(self) -> State:
        """For another path."""
        return State(dict(self.frames), dict(self.unread), set(self.zero))


class Straight:
    """A path, as it is made.

    Args:
        owner: what all paths share.
        state: that it begins with, and changes.

    Attributes:
        nodes: of the path so far.
        scheduler: has the segment that is open.
    """

    def __init__(self, owner: Context, state: State) -> None:
        self.owner, self.state = owner, state
        self.nodes: list[Node] = []
        self.scheduler = Scheduler(owner.options.alignment)

    # Gates

    def rz(self, qubit: int, angle: Any) -> None:
        """A virtual turn, by a number or by an angle that is bound later."""
        if getattr(angle, "parameters", None):
            angles = self.owner.angles
            number = next((k for k, known in enumerate(angles) if known == angle), len(angles))
            if number == len(angles):
                angles.append(angle)
            self._shift(qubit, angle=number)
            return
        self._turn_frame(qubit, float(angle))

    def _turn_frame(self, qubit: int, angle_rad: float) -> None:
        self.state.frames[qubit] = math.remainder(self.state.frames[qubit] + angle_rad, 2 * math.pi)

    def _shift(self, qubit: int, word: int = 0, angle: int | None = None) -> None:
        """Give a phase to all slots that turn the qubit."""
        for channel, slot in self.owner.carriers.of[qubit]:
            cycles = SHIFT_CYCLES if slot else 1
            self.scheduler.add(Shift(0, channel, slot, qubit, word, angle), {("c", channel): cycles})

    def _give(self, qubit: int, keep_rad: float = 0.0) -> None:
        """Give the known part of a frame to the hardware, but for what is to be kept."""
        word = phase_word(self.state.frames[qubit] - keep_rad)
        if word:
            self._shift(qubit, word)
        self.state.frames[qubit] = keep_rad

    def _entry(self, gate: str, channel: int, target: int) -> tuple[int, int]:
        found = self.owner.tables.entry(gate, channel, target, self.state.frames[target])
        if found is None:
            self._give(target)
            found = self.owner.tables.entry(gate, channel, target, 0.0)
        assert found is not None, "entries without a phase are reserved"
        return found

    def turn(self, gate: str, qubit: int) -> None:
        """Play `sx` or `x`."""
        entry, cycles = self._entry(gate, qubit, qubit)
        busy = cycles + MARGIN
        self.scheduler.add(
            Play(0, qubit, entry, cycles, gate, (qubit,)), {("q", qubit): busy, ("c", qubit): busy}
        )

    def cx(self, control: int, target: int) -> None:
        """Cross-resonance, a quarter turn of the target, a virtual one of the control, as `GateSet` has it."""
        coupling = self.owner.carriers.coupling(control, target)
        entry, cycles = self._entry("cross", control, target)
        uses = dict.fromkeys((("q", control), ("q", target), ("c", control)), cycles + MARGIN)
        self.scheduler.add(Play(0, control, entry, cycles, "cross", (control, target)), uses)
        self.turn("sx", target)
        self._turn_frame(control, math.pi / 2 + stark_rad(coupling, cross_pulse(coupling)))

    def keep_frames(self, frames: Mapping[int, float]) -> None:
        """Give to the hardware what frames have more than these."""
        for qubit, keep_rad in frames.items():
            self._give(qubit, keep_rad)

    # Measurements

    def measure(self, qubit: int, bit: int | None) -> int:
        """Read a qubit out; returns the slot."""
        try:
            line, tone = self.owner.device.place(qubit)
        except ValueError as error:
            raise CircuitError(f"measure of qubit {qubit}: {error}") from error
        (slot,) = self.owner.tables.slots(line, [tone])
        self.read([old for old, where in self.state.unread.items() if where == slot])
        described = self.owner.device.lines[line]
        late = math.ceil(described.delay_ns * 0.5e-9 * ADC_HZ)
        self.scheduler.capture(line, qubit, READOUT_SAMPLES // 2 + late + MARGIN, self._captures)
        if bit is not None:
            self.state.unread[bit] = slot
        return slot

    def _captures(self, qubits: tuple[int, ...], instead_of: int | None) -> Capture | None:
        places = sorted(self.owner.device.place(qubit) for qubit in qubits)
        line = places[0][0]
        tones = [tone for _, tone in places]
        tables = self.owner.tables
        window = tables.window(line, tones, instead_of)
        if window is None:
            return None
        return Capture(0, line, window, tables.slots(line, tones), qubits)

    def read(self, bits: Iterable[int]) -> None:
        """Bring results into the registers, of those bits that wait for theirs."""
        wanted = [bit for bit in dict.fromkeys(bits) if bit in self.state.unread]
        if wanted:
            self.close([self.state.unread[bit] for bit in wanted])
        for bit in wanted:
            self.nodes.append(Read(self.state.unread.pop(bit), bit, bit not in self.state.zero))
            self.state.zero.discard(bit)

    def close(self, waited: Iterable[int] = ()) -> None:
        """End the segment."""
        if self.scheduler:
            self.nodes.append(self.scheduler.finish(tuple(waited)))


def delay_cycles(delay: Delay) -> int:
    """Length of a delay.

    Raises:
        CircuitError: it has a parameter, a unit that is not known, or no finite length.
    """
    units = {"dt": 1 / ADC_HZ, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}
    known = delay.unit in units and not getattr(delay.duration, "parameters", None)
    if not known or not math.isfinite(delay.duration):
        raise CircuitError(
            f"a delay of {delay.duration} {delay.unit} has no length that is known; give it a number of ns or dt"
        )
    return round(float(delay.duration) * units[delay.unit] * ADC_HZ)
