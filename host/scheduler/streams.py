# SPDX-License-Identifier: BSD-2-Clause
"""Streams and buckets of the service, made where they are not there yet."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, ObjectStoreConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, BucketNotFoundError, NotFoundError
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore

from triplane.host.scheduler.contracts import MAX_MESSAGE_BYTES, PART_BYTES
from triplane.host.scheduler.following import RETRY_S, retried

WORK = "triplane_work"
"""Stream of leases; subject `triplane.work.BOARD`."""

LEDGER = "triplane_ledger"
"""Stream of runs; subject `triplane.ledger.BOARD`."""

HISTORY = 64
"""Revisions of a record that are kept: its decisions. JetStream has no more for a key."""


class Streams(NamedTuple):
    """In the order of the fields of `Bus`."""

    jobs: KeyValue
    boards: KeyValue
    windows: KeyValue
    objects: ObjectStore
    parts: KeyValue | None


NO_PEERS = 10_005
"""Code of JetStream's error for a cluster that is too small yet for so many replicas."""


async def made_streams(js: JetStreamContext, replicas: int, *, secured: bool) -> Streams:
    """All of them; waits until the servers are so far.

    Args:
        js: that has them.
        replicas: of those that are made now.
        secured: with the bucket of parts, for a gate.
    """
    while True:
        try:
            return await retried(lambda: _made(js, replicas, secured=secured))
        except BadRequestError as error:
            if error.err_code != NO_PEERS:
                raise
            await asyncio.sleep(RETRY_S)


async def _made(js: JetStreamContext, replicas: int, *, secured: bool) -> Streams:
    jobs = await made_bucket(js, "triplane_jobs", HISTORY, replicas)
    boards = await made_bucket(js, "triplane_boards", 1, replicas)
    windows = await made_bucket(js, "triplane_windows", HISTORY, replicas)
    parts = await made_bucket(js, "triplane_parts", 1, replicas, PART_BYTES) if secured else None
    try:
        objects = await js.object_store("triplane_objects")
    except (BucketNotFoundError, NotFoundError):
        objects = await js.create_object_store(
            "triplane_objects", ObjectStoreConfig(storage=StorageType.FILE, replicas=replicas)
        )
    await made_stream(
        js,
        StreamConfig(
            name=WORK,
            subjects=["triplane.work.*"],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            num_replicas=replicas,
            max_msg_size=2 * MAX_MESSAGE_BYTES,
        ),
    )
    await made_stream(
        js,
        StreamConfig(
            name=LEDGER,
            subjects=["triplane.ledger.*"],
            storage=StorageType.FILE,
            num_replicas=replicas,
            max_msg_size=MAX_MESSAGE_BYTES,
            deny_delete=True,
            deny_purge=True,
            allow_rollup_hdrs=False,
        ),
    )
    return Streams(jobs, boards, windows, objects, parts)


async def made_stream(js: JetStreamContext, configuration: StreamConfig) -> None:
    """Make a stream; one that is there stays as it is, with as many replicas as it has."""
    try:
        await js.stream_info(configuration.name or "")
    except NotFoundError:
        await js.add_stream(configuration)


async def made_bucket(
    js: JetStreamContext, name: str, history: int, replicas: int, largest: int = MAX_MESSAGE_BYTES
) -> KeyValue:
    """A bucket with so many revisions of a key; one that is there stays as it is."""
    try:
        return await js.key_value(name)
    except (BucketNotFoundError, NotFoundError):
        return await js.create_key_value(
            KeyValueConfig(
                bucket=name,
                history=history,
                max_value_size=largest,
                storage=StorageType.FILE,
                replicas=replicas,
            )
        )
