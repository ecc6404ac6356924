# SPDX-License-Identifier: BSD-2-Clause
"""Device descriptors: what hangs on the converters, qubit by qubit, in a YAML file, validated where it enters.

The emulator (`triplane.sim.qpu`) behaves as the file says; calibration has to find out. Frequencies are those at the
device, in Hz; what a converter plays or sees is relative to the local oscillator of its channel or line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from triplane.hal.descriptor import Count, DescriptorError, read_model
from triplane.hal.html import grid, titled

DAC_HZ = 491.52e6
"""Complex samples per second of a drive channel or a readout line's generator: two in a clock."""

ADC_HZ = 245.76e6
"""Complex samples per second of a readout line: one in a clock."""

MAX_TONES = 8

TONE_SHARE = 1 / MAX_TONES
"""Amplitude at a line's converter of a tone that is at its own full scale: all tones of a line fit."""

DEVICES = Path(__file__).resolve().parent.parent / "boards" / "sim" / "devices"

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Part(BaseModel):
    """Fields of a device: known by name, and constant."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Qubit(Part):
    """A transmon and the channel that drives it."""

    channel: Count
    """Drive channel; no two qubits share one."""
    frequency_hz: Positive
    """Transition 0-1 as calibration knows it."""
    detuning_hz: float = 0.0
    """True transition less the known one."""
    anharmonicity_hz: Annotated[float, Field(lt=0)]
    """Transition 1-2 less transition 0-1."""
    rabi_hz: Positive
    """Full turns per second at full scale."""
    t1_us: Positive
    t2_us: Positive
    """Of a Ramsey fringe, which is that of an echo: dephasing is white."""
    lo_hz: NotNegative
    """Local oscillator of the drive channel."""
    delay_ns: NotNegative = 0.0
    """From converter to qubit."""

    @model_validator(mode="after")
    def _is_physical(self) -> Qubit:
        if self.t2_us > 2 * self.t1_us:
            raise ValueError(f"t2_us {self.t2_us:g} is above twice t1_us {self.t1_us:g}")
        if abs(self.frequency_hz - self.lo_hz) > DAC_HZ / 2:
            raise ValueError(
                f"frequency_hz {self.frequency_hz:.9g} is more than {DAC_HZ / 2e6:g} MHz from lo_hz {self.lo_hz:.9g}"
            )
        return self


class Coupling(Part):
    """Cross-resonance: a pulse on the control's channel at the target's frequency turns the target by the control."""

    control: Count
    target: Count
    zx_hz: Positive
    """Full turns per second of ZX at full scale: the target turns at +zx for a control in 0, at -zx in 1."""
    ix_hz: float = 0.0
    """Turns whatever the control: classical crosstalk that a cancellation tone has left over, at full scale."""
    stark_hz: float = 0.0
    """Shift of the control's frequency at full scale, quadratic in the amplitude."""


class Resonator(Part):
    """A qubit's readout resonator: one tone of a line."""

    qubit: Count
    frequency_hz: Positive
    """For a qubit in 0."""
    chi_hz: float
    """Half of what one excitation of the qubit moves it by."""
    kappa_hz: Positive
    """Full width at half maximum of the transmitted power."""
    amplitude_lsb: Positive
    """At the ADC, for a tone of full scale in resonance."""
    t1_us: Positive | None = None
    """T1 of the qubit while it is read out; None where that is not shorter."""


class Line(Part):
    """A readout line: up to eight resonators, one pair of converters."""

    lo_hz: NotNegative
    delay_ns: NotNegative = 0.0
    """From DAC through the device to ADC."""
    noise_lsb: NotNegative
    """Standard deviation of each quadrature of an ADC sample."""
    tones: Annotated[tuple[Resonator, ...], Field(min_length=1, max_length=MAX_TONES)]
    crosstalk: tuple[tuple[float, ...], ...] = ()
    """Row k: what part of each resonator's field comes out at tone k. Empty: none but its own."""

    @model_validator(mode="after")
    def _fits(self) -> Line:
        count = len(self.tones)
        if self.crosstalk and (
            len(self.crosstalk) != count or any(len(row) != count for row in self.crosstalk)
        ):
            rows = "+".join(str(len(row)) for row in self.crosstalk)
            raise ValueError(f"crosstalk must have {count} rows of {count} for {count} tones, not {rows}")
        for k, row in enumerate(self.crosstalk):
            if row[k] != 1:
                raise ValueError(f"crosstalk of tone {k} to itself must be 1, not {row[k]:g}")
        for tone in self.tones:
            if abs(tone.frequency_hz - self.lo_hz) > ADC_HZ / 2:
                raise ValueError(
                    f"tone of qubit {tone.qubit} at {tone.frequency_hz:.9g} Hz is more than {ADC_HZ / 2e6:g} MHz "
                    f"from lo_hz {self.lo_hz:.9g}"
                )
        return self


class Device(Part):
    """A processor behind the converters."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: str
    qubits: Annotated[tuple[Qubit, ...], Field(min_length=1)]
    couplings: tuple[Coupling, ...] = ()
    lines: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _is_one_device(self) -> Device:
        channels = [qubit.channel for qubit in self.qubits]
        for number, channel in enumerate(channels):
            if channels.index(channel) != number:
                raise ValueError(
                    f"qubits {channels.index(channel)} and {number} share channel {channel}; give each its own"
                )
        pairs = [(coupling.control, coupling.target) for coupling in self.couplings]
        for control, target in pairs:
            if control == target or max(control, target) >= len(self.qubits):
                raise ValueError(
                    f"coupling {control} to {target} needs two different qubits of 0 to {len(self.qubits) - 1}"
                )
            if pairs.count((control, target)) > 1:
                raise ValueError(f"coupling {control} to {target} is there twice")
        read = [tone.qubit for line in self.lines for tone in line.tones]
        for qubit in read:
            if qubit >= len(self.qubits):
                raise ValueError(f"readout of qubit {qubit}: there are qubits 0 to {len(self.qubits) - 1}")
            if read.count(qubit) > 1:
                raise ValueError(f"qubit {qubit} has two readout tones; give it one")
        return self

    def _repr_html_(self) -> str:
        reads = [(number, tone) for number, line in enumerate(self.lines) for tone in line.tones]
        return titled(
            self.name,
            grid(
                ("qubit", "frequency / GHz", "anharmonicity / MHz", "T1 / µs", "T2 / µs"),
                (
                    (
                        f"q{number}", f"{qubit.frequency_hz / 1e9:.4f}", f"{qubit.anharmonicity_hz / 1e6:.0f}",
                        f"{qubit.t1_us:g}", f"{qubit.t2_us:g}",
                    )
                    for number, qubit in enumerate(self.qubits)
                ),
            ),
            grid(
                ("control", "target", "ZX / MHz"),
                ((f"q{c.control}", f"q{c.target}", f"{c.zx_hz / 1e6:.2f}") for c in self.couplings),
            ),
            grid(
                ("line", "reads", "tone / GHz", "linewidth / MHz"),
                (
                    (number, f"q{tone.qubit}", f"{tone.frequency_hz / 1e9:.4f}", f"{tone.kappa_hz / 1e6:.2f}")
                    for number, tone in reads
                ),
            ),
            note=self.description,
        )  # fmt: skip

    def place(self, qubit: int) -> tuple[int, int]:
        """Line and tone that read a qubit; raises ValueError for one that none reads."""
        for number, line in enumerate(self.lines):
            for k, tone in enumerate(line.tones):
                if tone.qubit == qubit:
                    return number, k
        raise ValueError(f"qubit {qubit} of {self.name} has no readout tone")


def load_device(source: Path | str) -> Device:
    """Read a device: by the name of a shipped one, such as "surface17", or from a YAML file.

    Raises:
        DescriptorError: no such device, or the file is missing, no YAML, or a field is missing, unknown or out of
            range; the message names file, field and value.
    """
    path = Path(source)
    if path.suffix != ".yaml":
        path = DEVICES / f"{source}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in DEVICES.glob("*.yaml")))
            raise DescriptorError(f"no device named {str(source)!r}; there are: {known}")
    return read_model(path, Device)


def dump_device(device: Device) -> str:
    """The device as YAML, with its licence line; `load_device` reads it back."""
    content = device.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(content, sort_keys=False, width=110, default_flow_style=None)
    return f"# SPDX-License-Identifier: BSD-2-Clause\n{text}"
