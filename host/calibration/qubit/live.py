# SPDX-License-Identifier: BSD-2-Clause
"""A device as calibration has found it by now: the file of its snapshot is read again when it was written anew."""

from __future__ import annotations

import logging
from pathlib import Path

from triplane.hal.device import Device
from triplane.host.calibration.qubit.snapshot import Snapshot, SnapshotError

logger = logging.getLogger(__name__)


class LiveDevice:
    """A device with its snapshot's file.

    Args:
        device: as it is described.
        snapshot: file of what calibration has found; None: nothing.

    Attributes:
        device: as it was found last.
        readout_error: of its worst qubit that a snapshot knows, averaged over both states; None: of none.

    Raises:
        SnapshotError: the file is no snapshot, or one of another device.
        OSError: it cannot be read.
    """

    def __init__(self, device: Device, snapshot: Path | None) -> None:
        self._described, self._file = device, snapshot
        self.device = device
        self.readout_error: float | None = None
        self._read: tuple[int, int] | None = None
        if snapshot is not None:
            self._load(snapshot)

    def refreshed(self) -> Device:
        """The device; what cannot be read, or is of another device, is logged, and the earlier one stays."""
        if self._file is not None:
            try:
                self._load(self._file)
            except (OSError, SnapshotError) as error:
                logger.warning("the calibration stays as it was: %s", error)
        return self.device

    def _load(self, file: Path) -> None:
        status = file.stat()
        version = (status.st_mtime_ns, status.st_ino)
        if version == self._read:
            return
        self._read = version
        snapshot = Snapshot.load(file)
        self.device = snapshot.applied_to(self._described)
        errors = [
            (found.readout_error0.value + found.readout_error1.value) / 2
            for found in snapshot.qubits.values()
            if found.readout_error0 and found.readout_error1
        ]
        self.readout_error = max(errors, default=None)
