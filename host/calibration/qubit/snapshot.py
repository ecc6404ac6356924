# SPDX-License-Identifier: BSD-2-Clause
"""What calibration has found: kept by content, believed for a time, put into the device that programs are for."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triplane.hal.device import Device
from triplane.hal.html import grid, titled
from triplane.host.calibration.qubit.readout import ReadoutResult
from triplane.host.calibration.qubit.routines import Calibration
from triplane.host.calibration.qubit.saying import NAMES, hours, said_of
from triplane.host.outputs import write_json
from triplane.host.provenance.canonical import canonical
from triplane.host.provenance.store import Store

TTL_S = 24 * 3600
"""For which a calibration is believed, unless somebody says otherwise."""


class SnapshotError(ValueError):
    """No snapshot, or one of another device; the text says which, and what to do."""


class StaleSnapshotError(SnapshotError):
    """A snapshot that is older than it is believed."""


class StaleSnapshotWarning(UserWarning):
    """A snapshot that is older than it is believed was used all the same."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measured(_Part):
    """A number, and its standard deviation."""

    value: float
    error: Annotated[float, Field(ge=0)]


class QubitSnapshot(_Part):
    """Of a qubit: what was found, and by which runs.

    Attributes:
        x_scale: by which the pulse of half a turn must be scaled.
        detuning_hz: of the qubit from the frequency that the device says.
        t1_us, t2_us: times.
        readout_error0, readout_error1: shares of shots prepared in 0, and in 1, that were read as the other.
        evidence: routine -> SHA-256 of its points and its fit in the store.
    """

    x_scale: Measured | None = None
    detuning_hz: Measured | None = None
    t1_us: Measured | None = None
    t2_us: Measured | None = None
    readout_error0: Measured | None = None
    readout_error1: Measured | None = None
    evidence: dict[str, str] = {}


class Snapshot(_Part):
    """Of a device.

    Attributes:
        schema_version: of this form.
        device: its name.
        build_hash: of the gateware that measured.
        measured_at: when it was complete, UTC.
        ttl_s: for which it is believed.
        qubits: number -> what was found.
    """

    schema_version: Literal[1] = 1
    device: str
    build_hash: str
    measured_at: datetime
    ttl_s: Annotated[float, Field(gt=0)] = TTL_S
    qubits: dict[int, QubitSnapshot]

    @classmethod
    def of(
        cls,
        device: Device,
        build_hash: str,
        results: list[Calibration | ReadoutResult],
        *,
        store: Store,
        ttl_s: float = TTL_S,
        now: datetime | None = None,
    ) -> Snapshot:
        """A snapshot of what was found, with the evidence put into a store.

        Raises:
            SnapshotError: a result is not to be believed; nothing is put then.
        """
        for result in results:
            if not result.good:
                raise SnapshotError(
                    f"{result.routine} of qubit {result.qubit} is not to be believed: {'; '.join(result.complaints)}"
                )
        found: dict[int, dict[str, Any]] = {}
        for result in results:
            entry = found.setdefault(result.qubit, {"evidence": {}})
            entry |= {name: Measured(value=v, error=e) for name, (v, e) in result.found.items()}
            entry["evidence"][result.routine] = store.put(canonical(result.as_json()))
        return cls(
            device=device.name,
            build_hash=build_hash,
            measured_at=now or datetime.now(UTC),
            ttl_s=ttl_s,
            qubits={qubit: QubitSnapshot(**entry) for qubit, entry in sorted(found.items())},
        )

    def put(self, store: Store) -> str:
        """Keep it; returns the SHA-256 by which it is found again."""
        return store.put(canonical(self.model_dump(mode="json")))

    def save(self, path: Path) -> None:
        """Write it as JSON; the file appears whole or not at all."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Snapshot:
        """A snapshot from its file.

        Raises:
            SnapshotError: the file holds no snapshot.
            OSError: it cannot be read.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise SnapshotError(f"{path} is no calibration snapshot: {where}: {first['msg']}") from error

    @classmethod
    def get(cls, store: Store, name: str) -> Snapshot:
        """A snapshot by its SHA-256.

        Raises:
            SnapshotError: the object is no snapshot.
            ProvenanceError: it is not there, or damaged.
        """
        try:
            return cls.model_validate(json.loads(store.get(name)))
        except (ValidationError, ValueError) as error:
            raise SnapshotError(f"object {name[:12]} is no calibration snapshot: {error}") from error

    def _repr_html_(self) -> str:
        names = [name for name in QubitSnapshot.model_fields if name != "evidence"]
        rows = []
        for number, found in self.qubits.items():
            values: list[Measured | None] = [getattr(found, name) for name in names]
            rows.append(
                [f"q{number}"]
                + [
                    "" if value is None else said_of(name, value.value, value.error)[1]
                    for name, value in zip(names, values, strict=True)
                ]
            )
        head = ["qubit", *(NAMES[name][0] for name in names)]
        return titled(
            f"calibration of {self.device}", grid(head, rows), note=self.said_age(), alarming=self.is_stale()
        )

    def said_age(self, now: datetime | None = None) -> str:
        """How old it is, and whether it is still believed, in words."""
        old, ttl = hours(self.age(now).total_seconds()), hours(self.ttl_s)
        if self.is_stale(now):
            return f"stale: {old} old, and was to be believed for {ttl}"
        return f"{old} old, believed for {ttl}"

    @property
    def expires(self) -> datetime:
        """Until when it is believed."""
        return self.measured_at + timedelta(seconds=self.ttl_s)

    def age(self, now: datetime | None = None) -> timedelta:
        """Since it was measured."""
        return (now or datetime.now(UTC)) - self.measured_at

    def is_stale(self, now: datetime | None = None) -> bool:
        """Whether it is older than it is believed."""
        return (now or datetime.now(UTC)) > self.expires

    def check_fresh(self, now: datetime | None = None) -> None:
        """Raise StaleSnapshotError for one that is stale."""
        if self.is_stale(now):
            old, ttl = hours(self.age(now).total_seconds()), hours(self.ttl_s)
            raise StaleSnapshotError(
                f"the calibration of {self.device} is {old} old and was to be believed for {ttl}: calibrate again, "
                "or allow stale ones"
            )

    def warn_if_stale(self, stacklevel: int = 1) -> list[str]:
        """Say that it is stale, if it is, and how old; also as what it returns.

        Args:
            stacklevel: as of `warnings.warn`, 1 for the caller.

        Warns:
            StaleSnapshotWarning: it is stale.
        """
        if not self.is_stale():
            return []
        text = f"the calibration of {self.device} is {self.said_age()}; calibrate again"
        warnings.warn(text, StaleSnapshotWarning, stacklevel=stacklevel + 1)
        return [text]

    def applied_to(self, device: Device, stacklevel: int = 1) -> Device:
        """The device as it was found: frequencies, Rabi rates and times of its qubits.

        Args:
            device: as it was known.
            stacklevel: of the warning, 1 for the caller.

        Raises:
            SnapshotError: it is of another device.

        Warns:
            StaleSnapshotWarning: it is stale; `check_fresh` refuses it.
        """
        if device.name != self.device:
            raise SnapshotError(f"the snapshot is of {self.device}, and the device is {device.name}")
        self.warn_if_stale(stacklevel + 1)
        content = device.model_dump(mode="json")
        for number, found in self.qubits.items():
            qubit = content["qubits"][number]
            if found.detuning_hz is not None:
                qubit["frequency_hz"] += found.detuning_hz.value
                # What the emulator's qubit is off by is that much less.
                qubit["detuning_hz"] -= found.detuning_hz.value
            if found.x_scale is not None:
                qubit["rabi_hz"] /= found.x_scale.value
            if found.t1_us is not None:
                qubit["t1_us"] = found.t1_us.value
            if found.t2_us is not None:
                qubit["t2_us"] = min(found.t2_us.value, 2 * qubit["t1_us"])
        return Device.model_validate(content)
