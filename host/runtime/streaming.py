# SPDX-License-Identifier: BSD-2-Clause
"""Records the stream of a board until it is told to stop, and files the evidence."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from triplane.gateware.link.records.layouts import VERSION
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.hal.board import Board
from triplane.hal.datagrams import PacketSource
from triplane.hal.stream import StreamReceiver
from triplane.host.provenance import RunRecorder
from triplane.host.provenance.store import Store
from triplane.host.replay.progress import ProgressView
from triplane.host.runtime.recording import Recording

TAKE_S = 0.2
"""Longest wait for a packet, after which it is asked whether the recording is to end."""

TOLD_EVERY_S = 5.0
"""Between two lines of progress."""


def record_stream(
    board: Board,
    source: PacketSource | None,
    path: Path,
    *,
    command: Sequence[str],
    seconds: float | None = None,
    records: int | None = None,
    shape: SyndromeShape | None = None,
    view: ProgressView | None = None,
    store: Store | None = None,
) -> dict[str, Any]:
    """Record a board's stream until so many seconds have passed, so many records have come, or Ctrl-C.

    Args:
        board: that is recorded.
        source: of datagrams; None: packets are fetched over the board's registers.
        path: of the recording.
        command: as typed, for the manifest.
        seconds, records: when to end; None: not for that reason.
        shape: of the board's syndrome formation.
        view: told how far it is.
        store: where evidence is filed; None takes the person's own.

    Returns:
        What was recorded, as in the manifest, and `run`, its id.

    Raises:
        RecordingError: h5py is missing.
        RecordStreamError: another host has begun a session; nothing is kept.
    """
    evidence = RunRecorder(command, store)
    evidence.check()
    identity = board.identify()
    described = board.registers["identification_record"]
    words = described.fields["correction_words"].of(board.read(described.address))
    with (
        StreamReceiver(board, source) as receiver,
        Recording(path, identity, receiver.session, shape=shape, correction_words=words) as recording,
    ):
        ended = _collect(receiver, recording, seconds, records, view)
        recording.add(receiver.finish())
        result: dict[str, Any] = {
            "ended": ended,
            "packets": receiver.counts["delivered"],
            "records": {name: count for name, count in recording.records.items() if count},
            "conditions": dict(recording.conditions),
            "lost": {kind.name.lower(): count for kind, count in receiver.lost_on_board().items()},
            **{name: receiver.counts[name] for name in ("overwritten", "fetched", "repeated", "strays")},
        }
        evidence.add_output("record_stream", recording.packets(), source=str(path))
        evidence.set(
            gateware={"build_hash": identity.build_hash, "version": identity.version},
            tables={"table_hash": identity.table_hash},
            parameters={
                "layouts_version": VERSION,
                "session": receiver.session,
                "seconds": seconds,
                "records": records,
            },
        )
        run = evidence.commit(result)
        recording.finish(run, result)
    return result | {"run": run}


def _collect(
    receiver: StreamReceiver,
    recording: Recording,
    seconds: float | None,
    records: int | None,
    view: ProgressView | None,
) -> str:
    """Take packets until it is time to end; why it ended."""
    began = told = time.monotonic()
    with _interruptible() as asked:
        while True:
            recording.add(receiver.take(TAKE_S))
            now, count = time.monotonic(), sum(recording.records.values())
            if view is not None and now - told >= TOLD_EVERY_S:
                told = now
                view.step(
                    f"{count:,} records, {receiver.counts['fetched']:,} packets fetched, {now - began:.0f} s"
                )
            if asked.is_set():
                return "asked"
            if seconds is not None and now - began >= seconds:
                return "seconds"
            if records is not None and count >= records:
                return "records"


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Within this the first Ctrl-C asks for the end, so that it comes between two packets; the next one cancels."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
