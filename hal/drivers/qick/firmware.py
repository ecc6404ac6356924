# SPDX-License-Identifier: BSD-2-Clause
"""Configurations of QICK's firmware, and what a board that has one can do: its limits and its descriptor."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from triplane.hal.descriptor import (
    Calibration,
    Control,
    Delay,
    Descriptor,
    Features,
    Fidelity,
    Modality,
    Qec,
    Timing,
    Topology,
)
from triplane.hal.errors import BuildError, UnsupportedError

CYCLE_HZ = 245_760_000
"""A control program's cycles are counted at this rate, whatever the board's clock is."""

GENERATORS = ("axis_signal_gen_v4", "axis_signal_gen_v5", "axis_signal_gen_v6")
"""Generators with an envelope memory at the converter's full rate, and an oscillator of 32 bits."""

READOUTS = ("axis_readout_v2", "axis_readout_v3", "axis_dyn_readout_v1")
"""Readouts of one tone; the first is set before a program, the others by the program."""

SHIPPED = ("qick_111", "qick_216", "qick_4x2")
"""Firmware in the qick package."""

TIMEOUT_S = 300.0
"""For working out a configuration: QICK's drivers are imported from a cold disk once."""

Configuration = Mapping[str, Any]
"""A `soccfg`: what `QickSoc.get_cfg` returns."""


@dataclass(frozen=True)
class Limits:
    """What a board with QICK's firmware has.

    Attributes:
        processor: "v1" or "v2": generation of the tProcessor.
        tick_hz: its timing clock; all times are whole ticks.
        generators, readouts: their numbers.
        envelope_samples: complex samples of the smallest envelope memory of a generator.
        program_words, wave_words, data_words, registers: of the tProcessor.
        results: accumulated values that the smallest readout buffer holds.
    """

    processor: str
    tick_hz: Fraction
    generators: int
    readouts: int
    envelope_samples: int
    program_words: int
    wave_words: int
    data_words: int
    registers: int
    results: int

    @property
    def ticks_per_cycle(self) -> Fraction:
        """Ticks of the tProcessor in a cycle of a control program."""
        return self.tick_hz / CYCLE_HZ


def megahertz(value: float) -> Fraction:
    """A frequency of a configuration, in Hz; such figures are whole millihertz."""
    return Fraction(round(value * 10**9), 10**3)


def limits_of(configuration: Configuration) -> Limits:
    """What the firmware has.

    Raises:
        UnsupportedError: it has no tProcessor.
    """
    if not configuration.get("tprocs"):
        raise UnsupportedError(
            "this QICK firmware has no tProcessor: nothing can run a control program on it"
        )
    processor = configuration["tprocs"][0]
    v2 = processor["type"] == "qick_processor"
    generators, readouts = configuration["gens"], configuration["readouts"]
    return Limits(
        processor="v2" if v2 else "v1",
        tick_hz=megahertz(processor["f_time"]),
        generators=len(generators),
        readouts=len(readouts),
        envelope_samples=min((gen["maxlen"] for gen in generators if "maxlen" in gen), default=0),
        program_words=processor["pmem_size"],
        wave_words=processor["wmem_size"] if v2 else 0,
        data_words=processor["dmem_size"],
        registers=processor["dreg_qty"] if v2 else 0,
        results=min((readout["avg_maxlen"] for readout in readouts), default=0),
    )


def descriptor_of(configuration: Configuration) -> Descriptor:
    """The board as a Triplane board of lesser capability: a sequencer and a readout where its tProcessor is v2.

    A descriptor has fields for a decoder and for FIFOs on the bus, whatever the board is: they are at the least that
    they can be, and mean nothing where `features.decoding` is False.
    """
    limits = limits_of(configuration)
    controls = limits.processor == "v2"
    board = str(configuration["board"])
    unknown = "not known for QICK's firmware: QICK leaves it to the calibration of the trigger's delay"
    return Descriptor(
        schema_version=1,
        name=f"qick_{board.lower()}",
        description=(
            f"{board} with QICK's firmware of {configuration['fw_timestamp']}: tProcessor {limits.processor}, "
            f"{limits.generators} generators, {limits.readouts} readouts, a tick of {float(limits.tick_hz) / 1e6:g} MHz"
        ),
        modality=Modality(qubits="superconducting", simulated=False),
        topology=Topology(qubits=0),
        timing=Timing(
            clock_hz=CYCLE_HZ,
            round_ns=1_000,
            dac_delay=Delay(ns=0, status="assumed", source=unknown),
            adc_delay=Delay(ns=0, status="assumed", source=unknown),
            cable_delay=Delay(ns=0, status="assumed", source=unknown),
        ),
        fidelity=Fidelity(),
        features=Features(
            decoding=False,
            correction=False,
            trace=False,
            sequencer=controls,
            readout=controls,
            pauli_frame=False,
            escalation=False,
        ),
        qec=Qec(
            decoders=(),
            max_observables=1,
            min_weight_bits=1,
            max_weight_bits=1,
            max_round_period_cycles=1,
        ),
        calibration=Calibration(reloadable_weights=False),
        control=Control(
            transports=("qick",),
            dac_channels=limits.generators,
            adc_channels=limits.readouts,
            event_fifo_words=2,
            result_fifo_words=max(10, limits.results),
        ),
    )


def installed() -> bool:
    """Whether the qick package is there."""
    return find_spec("qick") is not None


@cache
def shipped_config(firmware: str) -> dict[str, Any]:
    """Configuration of a firmware that the installed qick package ships, without a board (see `offboard`).

    Raises:
        ValueError: there is no such firmware.
        BuildError: the package is missing, or its drivers do not come up.
    """
    if firmware not in SHIPPED:
        raise ValueError(f"the qick package has firmware {', '.join(SHIPPED)}, not {firmware!r}")
    if not installed():
        raise BuildError("the qick package is not installed; install triplane[qick]")
    # The file by its path: it needs nothing of Triplane, and must not import what might import a real pynq.
    command = [sys.executable, str(Path(__file__).with_name("offboard.py")), firmware]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        raise BuildError(
            f"QICK's drivers do not come up without a board for {firmware}: {reason[0]}; "
            "is the qick package another than 0.2.436?"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"QICK's drivers did not come up within {TIMEOUT_S:g} s; try again") from error
    configuration: dict[str, Any] = json.loads(made.stdout)
    return configuration
