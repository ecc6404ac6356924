# SPDX-License-Identifier: BSD-2-Clause
"""The processor behind the converters: events in, ADC samples out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NoReturn, Protocol

from triplane.hal.device import ADC_HZ, DAC_HZ, Device
from triplane.sim.qpu.addressing import Action, Addressing
from triplane.sim.qpu.clifford import TOLERANCE_RAD
from triplane.sim.qpu.events import Event, EventError, PulseEvent, Readout, Tone
from triplane.sim.qpu.line import LineOutput, Samples, addressed, readout_times
from triplane.sim.qpu.resonator import readout_t1_s
from triplane.sim.qpu.stabilizer import Stabilizer
from triplane.sim.qpu.trajectory import MAX_QUBITS, Path, Trajectory

Choice = Literal["auto", "trajectory", "stabilizer"]

EARLY_S = 1e-10
"""By how much events may overlap: less than a sample, for delays that are no whole number of them."""


class BackEnd(Protocol):
    """What a simulation of the qubits has to offer."""

    def reset(self, seed: int) -> None:
        """All qubits in 0 at time 0."""

    def relax(self) -> None:
        """All qubits in 0, now."""

    def pulse(self, action: Action, event: PulseEvent) -> None:
        """Play a pulse."""

    def measure(self, qubit: int, begin_s: float, end_s: float, t1_s: float) -> Path:
        """Project a qubit, and return the levels that it has until the readout ends."""

    def idle(self, qubit: int, until_s: float) -> None:
        """Leave a qubit alone until a time."""


class Processor:
    """Qubits, resonators and lines, as the converters see them.

    Events come in the order of their time, channel by channel and qubit by qubit; events of qubits that have
    nothing to do with each other may come in any order. Nothing is computed ahead: a qubit's time goes on when
    an event touches it, so waiting costs nothing.

    Args:
        device: its parameters.
        seed: of everything random: same seed and events, same samples, whatever blocks they are asked for in.
        backend: "trajectory" for at most ten qubits, "stabilizer" for Clifford circuits; "auto" takes the
        former if it can.
        tolerance_rad: of the stabilizer back end, largest rotation from a pulse to the gate that it is taken for.

    Attributes:
        device: as given.
        measured: qubit -> level that its last readout has found it in.
    """

    def __init__(
        self,
        device: Device,
        *,
        seed: int = 0,
        backend: Choice = "auto",
        tolerance_rad: float = TOLERANCE_RAD,
    ) -> None:
        _check_seed(seed)
        self.device = device
        self._addressing = Addressing(device)
        if backend == "auto":
            backend = "trajectory" if len(device.qubits) <= MAX_QUBITS else "stabilizer"
        self._qubits: Trajectory | Stabilizer
        if backend == "trajectory":
            self._qubits = Trajectory(device, self._addressing, seed)
        elif backend == "stabilizer":
            self._qubits = Stabilizer(device, self._addressing, seed, tolerance_rad)
        else:
            raise ValueError(f"backend must be auto, trajectory or stabilizer, not {backend!r}")
        self._lines = [LineOutput(line, number, seed) for number, line in enumerate(device.lines)]
        self._clear(seed)

    @property
    def name(self) -> str:
        """Of the device."""
        return self.device.name

    @property
    def delays_ns(self) -> tuple[float, ...]:
        """Of each readout line, from DAC to ADC."""
        return tuple(line.delay_ns for line in self.device.lines)

    def reset(self, seed: int | None = None) -> None:
        """All qubits in 0, all lines silent, sample 0 comes next; `seed` None repeats the same randomness."""
        seed = self._seed if seed is None else seed
        _check_seed(seed)
        self._qubits.reset(seed)
        for line in self._lines:
            line.reset(seed)
        self._clear(seed)

    def relax(self) -> None:
        """All qubits in 0, now, and time goes on: what waiting long does, for loops in which a clock is dear."""
        self._qubits.relax()

    def play(self, event: PulseEvent) -> None:
        """Play a pulse on a drive channel.

        Raises:
            EventError: no qubit on the channel, its last pulse is still being played, a qubit that takes part
                is being read out or has seen a later event, or the stabilizer back end has no such gate.
        """
        free = self._channels.get(event.channel, 0)
        if event.start < free:
            raise EventError(
                f"pulse on channel {event.channel} at sample {event.start} is in the past: the one before it lasts "
                f"until {free}; play events in the order of their time"
            )
        action = self._addressing.resolve(event)
        begin_s = action.begin_s
        for qubit in action.qubits:
            if begin_s < self._earliest_s[qubit]:
                self._refuse(qubit, begin_s, f"pulse on channel {event.channel} at sample {event.start}")
        self._qubits.pulse(action, event)
        self._channels[event.channel] = event.stop
        for qubit in action.qubits:
            self._earliest_s[qubit] = begin_s - EARLY_S
            if action.end_s > self._driven_s[qubit]:
                self._driven_s[qubit] = action.end_s

    def readout(self, line: int, start: int, tones: Sequence[Tone]) -> None:
        """Play tones on a readout line, `start` in DAC samples: they measure the qubits whose resonators they are near.

        Raises:
            EventError: no such line, its last tones are still being played, a tone it cannot play, a qubit is
                still being driven, or samples that the tones are in were delivered already.
        """
        event = Readout(line, start, tuple(tones))
        places = addressed(self.device, event)
        if start < self._generators[line]:
            raise EventError(
                f"readout of line {line} at sample {start} is in the past: the one before it lasts until "
                f"{self._generators[line]}; play events in the order of their time"
            )
        self._lines[line].first_sample(start)
        described = self.device.lines[line]
        begin_s, _ = readout_times(described, event, 0)
        name = f"readout of line {line} at sample {start}"
        for place, measured in places:
            qubit = described.tones[place].qubit
            if measured:
                if begin_s < self._earliest_s[qubit]:
                    self._refuse(qubit, begin_s, name)
                if begin_s < self._driven_s[qubit] - EARLY_S:
                    raise EventError(
                        f"{name} begins while qubit {qubit} is driven, "
                        f"{(self._driven_s[qubit] - begin_s) * 1e9:.1f} ns early; start it later"
                    )
        paths: list[Path | None] = []
        for tone, (place, measured) in zip(event.tones, places, strict=True):
            if not measured:
                paths.append(None)
                continue
            resonator = described.tones[place]
            qubit = resonator.qubit
            _, end_s = readout_times(described, event, len(tone.envelope))
            path = self._qubits.measure(qubit, begin_s, end_s, readout_t1_s(self.device, resonator))
            self.measured[qubit] = path[0][1]
            self._read_s[qubit] = end_s
            self._earliest_s[qubit] = end_s - EARLY_S
            paths.append(path)
        self._lines[line].add(event, [place for place, _ in places], paths, begin_s)
        self._generators[line] = event.stop

    def adc(self, line: int, start: int, count: int) -> Samples:
        """Samples of a line's ADC: int16 (count, 2), i and q; `start` in ADC samples, which are clocks.

        Raises:
            EventError: no such line, or samples so old that they are forgotten.
        """
        if not 0 <= line < len(self._lines):
            raise EventError(f"there is no readout line {line}; {self.device.name} has {len(self._lines)}")
        return self._lines[line].adc(start, count)

    def lead(self, line: int) -> int:
        """ADC samples of a line that may be asked for ahead of the DAC's clock: its delay in whole clocks.

        Once all events that start before clock n (DAC sample 2 n) are played, samples up to n + lead are final,
        n + lead itself not included.
        """
        return int(self.device.lines[line].delay_ns * 1e-9 * ADC_HZ)

    def run(self, schedule: Iterable[Event]) -> None:
        """Play events one after the other."""
        for event in schedule:
            if isinstance(event, Readout):
                self.readout(event.line, event.start, event.tones)
            else:
                self.play(event)

    def state(self, at: int | None = None) -> Any:
        """For tests: what the qubits are in, each in the frame of its true frequency.

        Args:
            at: DAC sample until which all qubits are left alone first; None leaves each at its last event.

        Returns:
            Of the trajectory back end amplitudes, complex128 (3, ..., 3), qubit 0 first; of the stabilizer one its
            `stim.TableauSimulator`, a copy.
        """
        if at is not None:
            for qubit in range(len(self.device.qubits)):
                self._qubits.idle(qubit, at / DAC_HZ)
        if isinstance(self._qubits, Trajectory):
            return self._qubits.psi.copy()
        return self._qubits.simulator.copy()

    def _clear(self, seed: int) -> None:
        count = len(self.device.qubits)
        self._seed = seed
        self.measured: dict[int, int] = {}
        self._channels: dict[int, int] = {}
        self._generators = [0] * len(self.device.lines)
        self._earliest_s = [0.0] * count
        self._driven_s = [0.0] * count
        self._read_s = [0.0] * count

    def _refuse(self, qubit: int, begin_s: float, name: str) -> NoReturn:
        early = f"{(self._earliest_s[qubit] + EARLY_S - begin_s) * 1e9:.1f} ns"
        if begin_s < self._read_s[qubit] - EARLY_S:
            raise EventError(
                f"{name} reaches qubit {qubit} while that is read out, {early} early; start it later"
            )
        raise EventError(
            f"{name} reaches qubit {qubit} {early} before an event that was played already; play events in the order "
            "of their time"
        )


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 1 << 63:
        raise ValueError(f"seed must be from 0 to 2**63 - 1, not {seed}")
