# SPDX-License-Identifier: BSD-2-Clause
"""Recordings: the record stream in an HDF5 file, a data set for each kind of record."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from triplane.gateware.faults import CONDITIONS
from triplane.gateware.link.records.layouts import FAULT, KINDS, VERSION, Kind, record_of
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.hal.board import Identity
from triplane.hal.packets import Packet, StreamRecord, encode
from triplane.hal.stream import Delivered, Overwritten
from triplane.host.files import fsync_folder

CHUNK = 1_024
"""Rows of a chunk of a data set, the unit of its compression."""

PACKET = np.dtype([("sequence", "<u4"), ("cycle", "<u8"), ("reason", "<u2"), ("records", "<u2")])
OVERWRITTEN = np.dtype([("first", "<u4"), ("count", "<u4")])


class RecordingError(RuntimeError):
    """A recording cannot be made."""


def _hdf5() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise RecordingError(
            "recordings need h5py, which is not installed: `uv sync --extra record`, or "
            "`pip install 'triplane[record]'`"
        ) from error
    return h5py


class Recording:
    """An HDF5 file that has its name only once it is whole. Use as a context manager.

    Data sets: `packets` (`PACKET`), and `result`, `round`, `fault` as far as their layouts are known. A row is a
    record: `packet`, number of its packet; `lost`, records of its kind that were lost before it; its fields; of results
    also `correction`, words of the correction, and `corrected`, whether the record had one. Records of a length or kind
    that this version does not know are in `other`, as words. `overwritten` has packets that are gone.

    Args:
        path: of the file; what is there is replaced when this one is whole.
        identity: of the board.
        session: number of the session.
        shape: of the board's syndrome formation; None where it has none.
        correction_words: that may be behind a result.

    Attributes:
        records: name of a data set -> rows so far.
        conditions: condition of a fault record -> how often it has arisen.
    """

    def __init__(
        self,
        path: Path,
        identity: Identity,
        session: int,
        *,
        shape: SyndromeShape | None = None,
        correction_words: int = 0,
    ) -> None:
        h5py = _hdf5()
        self.path = path
        self.records = dict.fromkeys((kind.name.lower() for kind in KINDS), 0)
        self.conditions: Counter[str] = Counter()
        self._correction_words = correction_words
        handle, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=path.parent)
        os.close(handle)
        self._temporary = Path(name)
        spool, raw = tempfile.mkstemp(prefix=".", suffix=".packets", dir=path.parent)
        self._raw = Path(raw)
        self._spool: BinaryIO = os.fdopen(spool, "wb")
        self._file = h5py.File(self._temporary, "w")
        self._file.attrs.update(
            {
                "format": "triplane recording",
                "layouts_version": VERSION,
                "session": session,
                "build_hash": identity.build_hash,
                "table_hash": identity.table_hash,
                "gateware_version": identity.version,
                "clock_hz": identity.clock_hz,
            }
        )
        self._layouts: dict[int, np.dtype[np.void]] = {}
        self._create("packets", PACKET)
        self._create("overwritten", OVERWRITTEN)
        for kind in KINDS:
            if kind == Kind.ROUND and shape is None:
                continue
            layout = record_of(kind, shape).dtype
            self._layouts[kind] = layout
            row: list[tuple[Any, ...]] = [
                ("packet", "<u4"),
                ("lost", "<u2"),
                *((n, layout[n]) for n in layout.names or ()),
            ]
            if kind == Kind.RESULT and correction_words:
                row += [("corrected", "?"), ("correction", "<u4", (correction_words,))]
            self._create(kind.name.lower(), np.dtype(row))
        words = h5py.vlen_dtype(np.dtype("<u4"))
        self._create(
            "other", np.dtype([("packet", "<u4"), ("lost", "<u2"), ("kind", "<u2"), ("words", words)])
        )

    def _create(self, name: str, dtype: np.dtype[Any]) -> None:
        self._file.create_dataset(
            name, (0,), dtype, maxshape=(None,), chunks=(CHUNK,), compression="gzip", shuffle=True
        )

    def _append(self, name: str, rows: Sequence[Any] | np.ndarray[Any, Any]) -> None:
        if len(rows):
            data = self._file[name]
            data.resize(len(data) + len(rows), axis=0)
            data[-len(rows) :] = np.asarray(rows, dtype=data.dtype)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete what has not been finished."""
        with contextlib.suppress(OSError, RuntimeError):  # a full disk: what happened first is what counts
            self._file.close()
        self._spool.close()
        self._temporary.unlink(missing_ok=True)
        self._raw.unlink(missing_ok=True)

    def add(self, delivered: Iterable[Delivered]) -> None:
        """Append what a receiver has delivered."""
        packets, gone = [], []
        rows: dict[str, list[Any]] = {}
        for item in delivered:
            if isinstance(item, Overwritten):
                gone.append((item.first, item.count))
                continue
            self._spool.write(encode(item))
            packets.append((item.sequence, item.cycle, item.reason, len(item.records)))
            for record in item.records:
                name, row = self._row(item, record)
                rows.setdefault(name, []).append(row)
                self.records[name] = self.records.get(name, 0) + 1
                if name == "fault":
                    arisen = int(FAULT.parse(record.words[None])["conditions"][0])
                    self.conditions.update(
                        condition for bit, condition in enumerate(CONDITIONS) if arisen >> bit & 1
                    )
        self._append("packets", packets)
        self._append("overwritten", gone)
        for name, some in rows.items():
            self._append(name, some)

    def _row(self, packet: Packet, record: StreamRecord) -> tuple[str, tuple[Any, ...]]:
        """Data set and row of a record."""
        layout = self._layouts.get(record.kind)
        if layout is not None:
            fixed = layout.itemsize // record.words.itemsize
            further = len(record.words) - fixed
            fields = record.words[:fixed].astype("<u4").view(layout)[0].tolist() if further >= 0 else ()
            head = (packet.sequence, record.lost, *fields)
            name = Kind(record.kind).name.lower()
            if (
                record.kind == Kind.RESULT
                and self._correction_words
                and further in (0, self._correction_words)
            ):
                words = record.words[fixed:] if further else np.zeros(self._correction_words, np.uint32)
                return name, (*head, further > 0, words)
            if further == 0:
                return name, head
        return "other", (packet.sequence, record.lost, record.kind, record.words)

    def packets(self) -> Path:
        """The file of all packets so far, as they were in the ring, one behind the other."""
        self._spool.flush()
        return self._raw

    def finish(self, run: str, result: dict[str, Any]) -> None:
        """Write the id of the run's manifest and the counts, and give the file its name.

        Args:
            run: id of the manifest.
            result: JSON values; those that are objects become attributes of JSON text.
        """
        self._file.attrs["run"] = run
        for name, value in result.items():
            self._file.attrs[name] = json.dumps(value) if isinstance(value, dict) else value
        self._file.close()
        with self._temporary.open("rb") as file:
            os.fsync(file.fileno())
        mask = os.umask(0o022)
        os.umask(mask)
        self._temporary.chmod(0o666 & ~mask)
        self._temporary.replace(self.path)
        fsync_folder(self.path.parent)
