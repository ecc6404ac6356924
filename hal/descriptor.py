# SPDX-License-Identifier: BSD-2-Clause
"""Capability descriptors: what a board is, in a YAML file beside its pins, validated where it enters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from triplane.hal.html import pairs, titled

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Model = TypeVar("Model", bound=BaseModel)


class DescriptorError(ValueError):
    """A descriptor that cannot be used; the message names file, field and value."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Modality(_Part):
    """What kind of qubits the board controls, and whether they are there."""

    qubits: Literal["superconducting", "trapped_ion", "neutral_atom", "spin"]
    simulated: bool
    """True where no quantum hardware is attached: events are recorded or sampled."""


class Topology(_Part):
    """Qubits and which of them interact. Zero qubits: the board decodes events that others measured."""

    qubits: Count
    couplings: tuple[tuple[int, int], ...] = ()

    @model_validator(mode="after")
    def _couplings_exist(self) -> Topology:
        for a, b in self.couplings:
            if a == b or not 0 <= min(a, b) <= max(a, b) < self.qubits:
                raise ValueError(f"coupling ({a}, {b}) needs two different qubits of 0 to {self.qubits - 1}")
        return self


class Delay(_Part):
    """A delay that the gateware cannot see. It is `assumed` until somebody measures it."""

    ns: Annotated[float, Field(ge=0)]
    status: Literal["assumed", "measured"]
    source: str


class Timing(_Part):
    """Clock and delays. Latencies in cycles refer to `clock_hz`; converter and cable delays are never mixed in."""

    clock_hz: Annotated[int, Field(gt=0)]
    round_ns: Annotated[float, Field(gt=0)]
    """Usual time from one round to the next."""
    dac_delay: Delay
    adc_delay: Delay
    cable_delay: Delay


class Fidelity(_Part):
    """Error probabilities per operation, None where unknown or meaningless."""

    one_qubit_error: Fraction | None = None
    two_qubit_error: Fraction | None = None
    readout_error: Fraction | None = None


class Features(_Part):
    """What the board can be asked for; a driver refuses the rest."""

    decoding: bool
    correction: bool
    trace: bool
    sequencer: bool
    readout: bool
    pauli_frame: bool
    escalation: bool
    """Deadlines of windows, a threshold of hardness, and barriers at which an outer decoder may amend the frame."""


class Qec(_Part):
    """Limits of the decoder."""

    decoders: tuple[str, ...]
    max_observables: Annotated[int, Field(ge=1, le=32)]
    min_weight_bits: Annotated[int, Field(ge=1)]
    max_weight_bits: Annotated[int, Field(le=16)]
    max_round_period_cycles: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _range_is_a_range(self) -> Qec:
        if self.min_weight_bits > self.max_weight_bits:
            raise ValueError(
                f"min_weight_bits {self.min_weight_bits} is above max_weight_bits {self.max_weight_bits}"
            )
        return self


class Calibration(_Part):
    """What may change between runs without a new build."""

    reloadable_weights: bool
    snapshot: str | None = None
    """Name of the calibration snapshot in use."""


class Control(_Part):
    """How the board is reached, and the channels that it drives."""

    transports: Annotated[tuple[str, ...], Field(min_length=1)]
    dac_channels: Count
    adc_channels: Count
    event_fifo_words: Annotated[int, Field(ge=2)]
    result_fifo_words: Annotated[int, Field(ge=10)]


class Descriptor(_Part):
    """All that the host may assume about a board."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: str
    modality: Modality
    topology: Topology
    timing: Timing
    fidelity: Fidelity
    features: Features
    qec: Qec
    calibration: Calibration
    control: Control

    def _repr_html_(self) -> str:
        delays = {
            "ADC": self.timing.adc_delay,
            "DAC": self.timing.dac_delay,
            "cable": self.timing.cable_delay,
        }
        features = self.features.model_dump()
        return titled(
            self.name,
            pairs(
                {
                    "qubits": f"{self.modality.qubits}, {'none attached' if self.modality.simulated else 'attached'}",
                    "clock": f"{self.timing.clock_hz / 1e6:g} MHz",
                    **{f"{name} delay": f"{delay.ns:g} ns, {delay.status}" for name, delay in delays.items()},
                    "has": ", ".join(name for name, there in features.items() if there) or "nothing",
                    "has not": ", ".join(name for name, there in features.items() if not there) or "nothing",
                    "decoders": ", ".join(self.qec.decoders),
                    "reached by": ", ".join(self.control.transports),
                    "DACs, ADCs": f"{self.control.dac_channels}, {self.control.adc_channels}",
                }
            ),
            note=self.description,
        )


def load_descriptor(path: Path | str) -> Descriptor:
    """Read a descriptor.

    Raises:
        DescriptorError: the file is missing, is no YAML, or a field is missing, unknown or out of range.
    """
    return read_model(path, Descriptor)


def read_model(path: Path | str, model: type[Model]) -> Model:
    """Read a YAML file into a model.

    Raises:
        DescriptorError: as of `load_descriptor`.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DescriptorError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise DescriptorError(f"{path}: is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise DescriptorError(f"{path}: must hold fields by name, not {type(content).__name__}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = []
        for issue in error.errors():
            field = ".".join(str(part) for part in issue["loc"]) or "descriptor"
            value = "" if issue["type"] == "missing" else f" (it is {issue['input']!r})"
            lines.append(f"{path}: {field}: {issue['msg']}{value}")
        raise DescriptorError("\n".join(lines)) from error
