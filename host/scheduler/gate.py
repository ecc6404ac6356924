# SPDX-License-Identifier: BSD-2-Clause
"""The gate of a secured service: all that users and boards reach. It keeps nothing, so several may share the work."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import cast

from nats.aio.msg import Msg

from triplane.host.scheduler.asks import WAIT_S, Answer, Ask, Told, asked, header
from triplane.host.scheduler.audit import Audit
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.contracts import PART_BYTES, BoardState, Record, State, decode
from triplane.host.scheduler.credentials import Role
from triplane.host.scheduler.errors import ContractError, FencedError, JobsError
from triplane.host.scheduler.exchange import Leases
from triplane.host.scheduler.following import TRANSIENT
from triplane.host.scheduler.ledger import Line
from triplane.host.scheduler.limits import LIMITS, Limit, Tokens
from triplane.host.scheduler.permits import NOT_HERE, Who, refusal
from triplane.host.scheduler.register import Register

logger = logging.getLogger(__name__)

SUBJECT = "triplane.gate.*.*"
PAGE_BYTES = 96 * 1024
"""Of changes in an answer; the last one may go beyond."""

ACK = "$JS.ACK.triplane_work.board_"
Answered = tuple[Answer, bytes]
MISSING = Answer(verdict="missing", reason="there is none, or it is another's")


class RefusedError(JobsError):
    """What was asked is not the asker's to ask."""


class _Traffic:
    """Of one asker."""

    def __init__(self, limit: Limit, clock: Callable[[], float]) -> None:
        self.limit, self.open = limit, 0
        self.asks, self.data = Tokens(limit.asks, clock), Tokens(limit.data, clock)

    def admits(self, size: int) -> bool:
        return self.open < self.limit.open and self.asks.take() and self.data.take(size)


class Gate:
    """Answers.

    Args:
        bus: of the service itself.
        audit: log.
        register: who may sign for which board; it is kept up to date by its `run`.
        limits: by role.
    """

    def __init__(
        self, bus: Bus, audit: Audit, register: Register, limits: Mapping[str, Limit] = LIMITS
    ) -> None:
        self._bus, self._audit, self._register, self._limits = bus, audit, register, limits
        self._traffic: dict[Who, _Traffic] = {}
        self._leases: dict[str, Leases] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._operations: dict[str, Callable[[Who, Ask, bytes], Awaitable[Answered]]] = {
            "write": self._write,
            "find": self._find,
            "changes": self._changes,
            "put": self._put,
            "get": self._get,
            "why": self._why,
            "beat": self._beat,
            "leave": self._leave,
            "take": self._take,
            "done": self._done,
            "newest": self._newest,
            "append": self._append,
            "filed": self._filed,
        }

    async def run(self) -> None:
        """Answer until it is cancelled."""

        async def begin(message: Msg) -> None:
            # A task each: one that waits for something holds up nobody else.
            task = asyncio.create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        subscription = await self._bus.client.subscribe(SUBJECT, queue="gate", cb=begin)
        try:
            await asyncio.Event().wait()
        finally:
            for task in self._tasks:
                task.cancel()
            with suppress(*TRANSIENT):
                await subscription.unsubscribe()

    async def _answer(self, message: Msg) -> None:
        role, name = message.subject.split(".")[2:]
        who = Who(cast(Role, role), name)
        traffic = self._traffic.get(who)
        if traffic is None:
            traffic = self._traffic[who] = _Traffic(self._limits[role], time.monotonic)
        if not message.reply.startswith(f"_INBOX.{role}.{name}."):
            await self._refuse(
                who, "answer", f"answers go to the own inbox, not to {message.reply or 'nowhere'}"
            )
            return
        if not traffic.admits(len(message.data)):
            answer, body = Answer(verdict="later", reason="more than the limit of one asker"), b""
        else:
            traffic.open += 1
            try:
                answer, body = await self._judged(who, message)
            finally:
                traffic.open -= 1
        with suppress(*TRANSIENT):
            await self._bus.client.publish(message.reply, body, headers=header(answer))

    async def _judged(self, who: Who, message: Msg) -> Answered:
        what = "question"
        try:
            ask = asked(message)
            what = f"{ask.operation} {ask.key}".strip()
            return await self._operations[ask.operation](who, ask, message.data)
        except FencedError as error:
            return Answer(verdict="fenced", reason=str(error)), b""
        except (RefusedError, ContractError) as error:
            await self._refuse(who, what, str(error))
            return Answer(verdict="refused", reason=str(error)[:1_000]), b""
        except TRANSIENT as error:
            logger.debug("%s of %s: %s", what, who, error)
            return Answer(verdict="later", reason="the server is away"), b""

    async def _refuse(self, who: Who, what: str, why: str) -> None:
        logger.info("%s %s: %s is refused: %s", *who, what, why)
        await self._audit.write(f"{who.role} {who.name}", what, "refused", why)

    async def _write(self, who: Who, ask: Ask, body: bytes) -> Answered:
        after = decode(Record, body)
        if who.role == "user" and not who.owns(ask.key):
            raise RefusedError(f"job {ask.key} is another's")
        found = await self._bus.find(ask.key)
        before = decode(Record, found.value) if found and found.value else None
        if found and found.value == body and (who.role == "user" or who.has(before)):
            return Answer(revision=found.revision), b""  # it was written, and the answer was lost
        if who.role == "board" and not who.has(before):
            # To an agent whose job went to another it is the same as a write that came too late.
            await self._refuse(who, f"write {ask.key}", NOT_HERE)
            return Answer(verdict="fenced", reason=NOT_HERE), b""
        if (found.revision if found else 0) != ask.revision:
            raise FencedError(f"{ask.key} was changed by somebody else")
        if (why := refusal(who, ask.key, before, after, ask.revision)) is not None:
            raise RefusedError(why)
        if after.state is State.DONE and not await self._is_filed(who, ask.key, after):
            raise RefusedError("the run of this end is not the newest of the board's ledger")
        revision = await self._bus.swap(ask.key, body, ask.revision)
        if who.role == "user":
            await self._audit.write(f"user {who.name}", f"{after.reason} {ask.key}", "done")
        return Answer(revision=revision), b""

    async def _find(self, who: Who, ask: Ask, _: bytes) -> Answered:
        own = who.role == "board" and ask.bucket == "boards" and ask.key == who.name
        if ask.bucket == "boards" and who.role != "user" and not own:
            raise RefusedError("boards do not read of each other")
        if ask.bucket == "jobs" and who.role == "user" and not who.owns(ask.key):
            raise RefusedError(f"job {ask.key} is another's")
        found = await self._bus.find(ask.key, self._bus.boards if ask.bucket == "boards" else None)
        if found is None or (who.role == "board" and not own and not who.has(_record(found.value))):
            return MISSING, b""
        return Answer(revision=found.revision), found.value

    async def _changes(self, who: Who, ask: Ask, _: bytes) -> Answered:
        if who.role != "user":
            raise RefusedError("boards follow no records")
        key = ask.key or ">"
        if ask.bucket == "jobs":
            key = f"{who.name}.>" if key == ">" else key
            if not key.startswith(f"{who.name}."):
                raise RefusedError(f"job {key} is another's")
        bucket = self._bus.boards if ask.bucket == "boards" else self._bus.jobs
        found: list[Told] = []
        size, told = 0, False
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(WAIT_S),
                aclosing(self._bus.follow(bucket, key, history=ask.history, after=ask.revision)) as changes,
            ):
                async for change in changes:
                    told = told or change is None
                    if change is not None:
                        value = change.value.decode(errors="replace")
                        found.append(Told(key=change.key, revision=change.revision, value=value))
                        size += len(value)
                    if size > PAGE_BYTES or (told and (found or not ask.wait)):
                        break
        return Answer(told=told), json.dumps([each.model_dump() for each in found]).encode()

    async def _owner(self, who: Who, ask: Ask) -> tuple[str, Record | None]:
        """Whose object is meant: the user's own, or for a board that of the user whose job it has, with the job."""
        if who.role == "user":
            return who.name, None
        found = await self._bus.find(ask.key) if ask.key else None
        record = _record(found.value) if found else None
        if not who.has(record) or record is None or record.state.final:
            raise RefusedError(f"{ask.key}: {NOT_HERE}")
        return record.request.user, record

    async def _put(self, who: Who, ask: Ask, body: bytes) -> Answered:
        owner, job = await self._owner(who, ask)
        if ask.sha256 is None or not body:
            raise ContractError("a part needs its object's SHA-256, and bytes")
        if len(body) > PART_BYTES:
            raise ContractError(f"{len(body)} bytes; {PART_BYTES} are the most of a part")
        if job and await self._bus.part(owner, ask.sha256, ask.part) not in (None, body):
            raise RefusedError("a board writes over nothing of a user")
        assert self._bus.parts is not None
        await self._bus.parts.put(f"{owner}.{ask.sha256}.{ask.part}", body)
        return Answer(), b""

    async def _get(self, who: Who, ask: Ask, _: bytes) -> Answered:
        owner, job = await self._owner(who, ask)
        if job and ask.sha256 != job.request.payload.sha256:
            raise RefusedError("a board reads the payload of its job, and nothing else of a user")
        found = await self._bus.part(owner, ask.sha256 or "", ask.part)
        return (MISSING, b"") if found is None else (Answer(), found)

    async def _why(self, who: Who, ask: Ask, _: bytes) -> Answered:
        if not who.owns(ask.key):
            raise RefusedError(f"job {ask.key} is another's")
        told = await self._bus.why(ask.key)
        return (Answer(verdict="missing"), b"") if told is None else (Answer(), told.encode())

    async def _beat(self, who: Who, _: Ask, body: bytes) -> Answered:
        state = decode(BoardState, body)
        if who.role != "board" or state.name != who.name:
            raise RefusedError(f"{who.role} {who.name} does not speak for board {state.name}")
        await self._bus.beat(state)
        return Answer(), b""

    async def _leave(self, who: Who, _ask: Ask, _: bytes) -> Answered:
        self._is_board(who)
        await self._bus.leave(who.name)
        return Answer(), b""

    async def _take(self, who: Who, _ask: Ask, _: bytes) -> Answered:
        self._is_board(who)
        if who.name not in self._leases:
            self._leases[who.name] = await self._bus.leases(who.name)
        try:
            (message,) = await self._leases[who.name].fetch(1, WAIT_S)
        except TimeoutError:
            return MISSING, b""
        return Answer(receipt=message.reply), message.data

    async def _done(self, who: Who, ask: Ask, _: bytes) -> Answered:
        self._is_board(who)
        if not ask.receipt.startswith(f"{ACK}{who.name}."):
            raise RefusedError("the receipt is of another board's lease")
        await self._bus.client.publish(ask.receipt, b"")
        return Answer(), b""

    async def _newest(self, who: Who, _ask: Ask, _: bytes) -> Answered:
        self._is_board(who)
        data, sequence = await self._bus.newest(who.name)
        return (MISSING, b"") if data is None else (Answer(revision=sequence), data)

    async def _append(self, who: Who, ask: Ask, body: bytes) -> Answered:
        """Only the own chain, and only entries of a job that the board has, which it has signed itself."""
        self._is_board(who)
        await self._owner(who, ask)
        line = decode(Line, body)
        if line.job != ask.key:
            raise RefusedError("the entry is of another job")
        if (why := await self._register.refusal(who.name, line.object, line.signature)) is not None:
            raise RefusedError(why)
        return Answer(revision=await self._bus.append(who.name, ask.key, body, ask.revision)), b""

    async def _filed(self, who: Who, ask: Ask, _: bytes) -> Answered:
        """The entry of a job's run, for whose job it was, and whose signature that is."""
        if not who.owns(ask.key):
            raise RefusedError(f"job {ask.key} is another's")
        found = await self._bus.find(ask.key)
        record = _record(found.value) if found else None
        number = record.outcome.entry if record and record.outcome else 0
        entry = await self._bus.entry(number) if number else None
        line = None if entry is None else decode(Line, entry.data)
        if entry is None or line is None or line.job != ask.key:
            return MISSING, b""
        signer = self._register.signer_name(line.signature.key)
        return Answer(revision=number, board=entry.board, signer=signer or ""), entry.data

    async def _is_filed(self, who: Who, key: str, after: Record) -> bool:
        """Whether the run of a job's end is what the board has put into its ledger last."""
        data, number = await self._bus.newest(who.name)
        line = None if data is None else decode(Line, data)
        return (
            after.outcome is not None
            and line is not None
            and (line.job, line.object, number) == (key, after.outcome.run, after.outcome.entry)
        )

    def _is_board(self, who: Who) -> None:
        if who.role != "board":
            raise RefusedError("only boards take leases and write ledgers")


def _record(value: bytes) -> Record | None:
    try:
        return decode(Record, value)
    except ContractError:
        return None
