# SPDX-License-Identifier: BSD-2-Clause
"""`triplane record`: which board, by which ways, and what is said at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from triplane import hal
from triplane.gateware.faults import CONDITIONS
from triplane.hal.datagrams import PacketSource, StreamSocket
from triplane.host.built import BuiltFor
from triplane.host.replay.progress import ProgressView
from triplane.host.runtime.recording import RecordingError
from triplane.host.runtime.streaming import record_stream


def record(
    built_for: BuiltFor,
    path: Path,
    *,
    board: str,
    stream_from: str | None,
    seconds: float | None,
    records: int | None,
    command: Sequence[str],
) -> dict[str, Any]:
    """Record the stream of a board.

    Args:
        built_for: what the board must be.
        path: of the recording.
        board: URL of the link by which its registers are reached.
        stream_from: name of the board on the network, where that is not in the URL.
        seconds, records: when to end.
        command: as typed.

    Returns:
        What was recorded, see `record_stream`.

    Raises:
        RecordingError: no such board can be recorded.
    """
    if hal.driver_of(board) == "sim":
        raise RecordingError(
            "a board in this process has no record stream; let one listen with `triplane board`, and give its URL"
        )
    if stream_from is None and hal.driver_of(board) == "udp":
        stream_from = urlsplit(board).hostname
    with (
        ProgressView() as view,
        built_for.connect(board, observe=True, progress=view.build) as connected,
    ):
        source: PacketSource | None = StreamSocket(stream_from) if stream_from else None
        view.step("recording; Ctrl-C ends it")
        return record_stream(
            connected,
            source,
            path,
            command=command,
            seconds=seconds,
            records=records,
            shape=built_for.fabric.syndrome if built_for.fabric else None,
            view=view,
        )


def tell(path: Path, result: dict[str, Any]) -> None:
    """Print what was recorded."""
    counts = ", ".join(f"{count:,} {name}" for name, count in result["records"].items()) or "no"
    print(
        f"{path}: {counts} records in {result['packets']:,} packets, {result['fetched']:,} of them fetched again"
    )
    for name, count in result["conditions"].items():
        print(f"fault: {count:,} times {name}: {CONDITIONS[name]}")
    for name, count in result["lost"].items():
        if count:
            print(f"lost: {count:,} {name} records, which the board had no room for; take them faster")
    if result["overwritten"]:
        print(f"overwritten: {result['overwritten']:,} packets, which another host acknowledged")
    print(f"run {result['run'][:12]}")
