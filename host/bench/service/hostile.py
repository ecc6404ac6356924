# SPDX-License-Identifier: BSD-2-Clause
"""A user and a board that try what they may not, while another's jobs run: refused, told, audited, nothing leaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import nats
from nats.errors import Error as NatsError

from triplane.host.bench.service.processes import Secured
from triplane.host.scheduler.access import Access
from triplane.host.scheduler.asks import Ask, answered, header
from triplane.host.scheduler.audit import read_audit
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.client import Job, Jobs
from triplane.host.scheduler.contracts import MAX_MESSAGE_BYTES, PART_BYTES, Request, State, encode
from triplane.host.scheduler.credentials import Credentials
from triplane.host.scheduler.errors import ServiceError
from triplane.host.scheduler.gated import GatedBus

PATIENCE_S = 120.0
AUDITED_S = 3.0
NOISE_BYTES = 300


@dataclass
class Hostile:
    """What became of it.

    Attributes:
        tried: attempts, by kind.
        refused: of these, those that were refused with a reason.
        audited: kinds that the audit log has.
        leaks: answers to the hostile in which something of the other was; and changes of what is the other's.
        once: the other's jobs that ended exactly once, with their own result.
    """

    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    audited: set[str] = field(default_factory=set)
    leaks: int = 0
    once: int = 0


AUDITED = {
    "forged": ("no step of a user", "in the name of ada"),
    "malformed": ("question: ", "Record: "),
    "oversized": ("the most of a message", "the most of a part", "maximum payload"),
    "another's": ("is another's",),
    "impersonated": ("does not speak for board victim", "not on this board", "authentication error"),
    "unasked": ("Violation",),
}
"""What the audit log says of each kind. A replay is answered as any late write is, and is no entry."""


async def hostile(folder: Path, *, jobs: int, rounds: int, seed: int) -> Hostile:
    """Run jobs of ada on board victim, and let mallory and board intruder try.

    Args:
        folder: for data and logs.
        jobs: of ada.
        rounds: of every attempt.
        seed: of what is malformed.
    """
    seen, secret = Hostile(), secrets.token_hex(16)
    with Secured(folder) as service:
        access = service.access
        ada, mallory = access.add("user", "ada"), access.add("user", "mallory")
        victim, intruder = access.add("board", "victim"), access.add("board", "intruder")
        service.agent(victim)
        async with contextlib.AsyncExitStack() as stack:

            async def bus(credentials: Credentials) -> Bus:
                made = Bus.connect(service.url, credentials=credentials, wait_s=30)
                return await stack.enter_async_context(await made)

            mine = Jobs(await bus(ada), "ada")
            submitting = asyncio.create_task(_work(mine, jobs, secret))
            target = await mine.submit(await _request(mine, 0, secret), job="target", held=True)
            attempts = _Attempts(
                await _gated(bus(mallory)),
                await _gated(bus(intruder)),
                await mine.get(target),
                random.Random(seed),
                seen,
                secret.encode(),
            )
            for _ in range(rounds):
                await attempts.all()
            await _turned_away(service.url, mallory, access, seen)
            async with asyncio.timeout(PATIENCE_S):
                seen.once = await submitting
            if await mine.get(target) != attempts.target:
                seen.leaks += 1
            await asyncio.sleep(AUDITED_S)
            entries = await read_audit(await bus(access.service))
            told = "\n".join(f"{each.what}: {each.reason}" for each in entries if each.verdict == "refused")
            seen.audited = {kind for kind, texts in AUDITED.items() if all(text in told for text in texts)}
    return seen


async def _gated(bus: Awaitable[Bus]) -> GatedBus:
    found = await bus
    assert isinstance(found, GatedBus)
    return found


async def _request(jobs: Jobs, number: int, secret: str) -> Request:
    payload = await jobs.bus.put(f"; {secret}\nset r1, {number}\nemit r1\nhalt {number % 256}\n".encode())
    return Request(user="ada", name=secret, kind="control", payload=payload)


async def _work(jobs: Jobs, count: int, secret: str) -> int:
    right = 0
    for number in range(count):
        job = await jobs.submit(await _request(jobs, number, secret), job=f"job-{number}")
        result = json.loads(await jobs.result(job))
        ends = sum(each.state.final for each in await jobs.history(job))
        right += result["exit_code"] == number % 256 and ends == 1
    return right


class _Attempts:
    """All that is asked of the gate; the keys are right, what is asked is not the asker's."""

    def __init__(
        self,
        user: GatedBus,
        board: GatedBus,
        target: Job,
        chance: random.Random,
        seen: Hostile,
        secret: bytes,
    ) -> None:
        self._user, self._board, self.target = user, board, target
        self._chance, self._seen, self._secret = chance, seen, secret
        self._own: Job | None = None

    async def all(self) -> None:
        """Each once."""
        key, record = self.target.job, self.target.record
        if self._own is None:
            jobs = Jobs(self._user, "mallory")
            request = record.request.model_copy(update={"user": "mallory"})
            self._own = await jobs.get(await jobs.submit(request, held=True))
        user, board, own = self._user, self._board, self._own
        done = own.record.model_copy(update={"state": State.FAILED, "by": "mallory"})
        begun = record.model_copy(
            update={"state": State.RUNNING, "by": "agent intruder", "board": "intruder", "instance": "i"}
        )
        beat = b'{"name":"victim","instance":"i","url":"model","features":["control"]}'
        noise = self._chance.randbytes(NOISE_BYTES)
        payload = record.request.payload.sha256
        new = own.record.model_copy(update={"request": record.request})
        for kind, bus, ask, body in (
            ("forged", user, Ask(operation="write", key=own.job, revision=own.revision), encode(done)),
            ("forged", user, Ask(operation="write", key="mallory.x"), encode(new)),
            ("malformed", user, Ask(operation="write", key="mallory.x"), noise),
            ("malformed", user, self._garbled(Ask(operation="write", key="mallory.x")), encode(record)),
            ("oversized", user, Ask(operation="write", key="mallory.x"), b" " * (MAX_MESSAGE_BYTES + 1)),
            ("oversized", user, Ask(operation="put", sha256=payload), b" " * (PART_BYTES + 1)),
            ("replayed", user, Ask(operation="write", key=own.job), encode(done)),
            ("another's", user, Ask(operation="write", key=key), encode(record)),
            ("another's", user, Ask(operation="find", key=key), b""),
            ("another's", user, Ask(operation="changes", key=key, history=True), b""),
            ("another's", user, Ask(operation="why", key=key), b""),
            ("another's", user, Ask(operation="get", key=key, sha256=payload), b""),
            ("impersonated", board, Ask(operation="beat"), beat),
            ("impersonated", board, Ask(operation="find", key=key), b""),
            ("impersonated", board, Ask(operation="get", key=key, sha256=payload), b""),
            ("impersonated", board, Ask(operation="put", key=key, sha256=payload), b"x"),
            (
                "impersonated",
                board,
                Ask(operation="write", key=key, revision=self.target.revision),
                encode(begun),
            ),
            (
                "impersonated",
                board,
                Ask(operation="done", receipt="$JS.ACK.triplane_work.board_victim.1"),
                b"",
            ),
            ("impersonated", user, Ask(operation="take"), b""),
        ):
            await self._try(kind, bus, ask, body)

    async def _try(self, kind: str, bus: GatedBus, ask: Ask | dict[str, str], body: bytes) -> None:
        headers = ask if isinstance(ask, dict) else header(ask)
        while True:
            message = await bus.client.request(bus.credentials.gate, body, timeout=30, headers=headers)
            answer = answered(message)
            if answer.verdict != "later":
                break
            await asyncio.sleep(0.2)
        self._seen.tried[kind] += 1
        self._seen.refused[kind] += answer.verdict in ("refused", "fenced", "missing") and bool(answer.reason)
        self._seen.leaks += self._secret in message.data or self._secret.decode() in answer.reason

    def _garbled(self, ask: Ask) -> dict[str, str]:
        ((name, text),) = header(ask).items()
        at = self._chance.randrange(len(text))
        return {name: text[:at]}


async def _turned_away(url: str, credentials: Credentials, access: Access, seen: Hostile) -> None:
    """What the server itself refuses: other subjects, messages that are too large, keys that nobody gave."""
    heard: list[str] = []

    async def note(error: Exception) -> None:
        heard.append(str(error))

    subjects = ["$KV.triplane_jobs.ada.target", "triplane.gate.user.ada", "$JS.API.STREAM.NAMES"]
    options = {**credentials.options(), "allow_reconnect": False, "error_cb": note}
    client = await nats.connect(url, **options)
    for subject in subjects:
        await client.publish(subject, b"{}")
        await client.subscribe(subject)
    with contextlib.suppress(TimeoutError, NatsError):
        await client.flush()
        async with asyncio.timeout(10):
            while len(heard) < 2 * len(subjects):
                await asyncio.sleep(0.05)
    seen.tried["unasked"] += 2 * len(subjects)
    seen.refused["unasked"] += sum("permissions violation" in each.lower() for each in heard)
    # Past the client's own check of sizes.
    await client._send_publish(credentials.gate, "", b"x" * 300_000, 300_000, None)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            while not client.is_closed:
                await asyncio.sleep(0.05)
    seen.tried["oversized"] += 1
    seen.refused["oversized"] += client.is_closed
    stranger = Access(access.folder / "stranger").add("board", "victim")
    seen.tried["impersonated"] += 1
    try:
        async with await Bus.connect(
            url, credentials=stranger.model_copy(update={"authority": credentials.authority})
        ):
            pass
    except ServiceError as error:
        seen.refused["impersonated"] += "does not take these credentials" in str(error)
