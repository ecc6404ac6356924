# SPDX-License-Identifier: BSD-2-Clause
"""Jobs through a real nats-server: their way, their order, and what is refused."""

import asyncio
import json
import threading

import pytest
from nats.js.errors import KeyWrongLastSequenceError

from triplane.hal.errors import LinkError
from triplane.host.scheduler import agent, following
from triplane.host.scheduler.contracts import MAX_PAYLOAD_BYTES, Session, State, encode
from triplane.host.scheduler.errors import (
    ContractError,
    FencedError,
    JobsError,
    ServiceError,
    UnfinishedError,
    UnknownJobError,
)
from triplane.host.scheduler.following import TOLD, retried
from triplane.host.scheduler.ledger import BoardLedger
from triplane.host.scheduler.runners import ModelRunner
from triplane.host.scheduler.streams import WORK


class Gated(ModelRunner):
    """Runs only when it is let; `began` says that a job has come so far."""

    def __init__(self):
        self.gate, self.began, self.ran = threading.Event(), threading.Event(), []

    def run(self, request, payload, check, recorder):
        self.began.set()
        while not self.gate.wait(0.02):
            check()
        self.ran.append(request.name)
        return super().run(request, payload, check, recorder)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.02)


def test_a_job_goes_its_way(run, request_of, states):
    async def body(service):
        await service.scheduler()
        await service.agent()
        jobs = await service.client()
        job = await jobs.submit(await request_of(jobs, 42))
        result = json.loads(await jobs.result(job))
        return result, await states(jobs, job), (await jobs.get(job)).record

    result, way, record = run(body)
    assert result == {"exit_code": 42, "outcomes": []}
    assert way == ["queued", "leased", "running", "done"]
    manifest = record.outcome.manifest
    assert manifest.payload == record.request.payload.sha256
    assert manifest.gateware == "golden model"
    assert manifest.lease == record.lease


def test_submitting_twice_is_once(run, request_of):
    async def body(service):
        jobs = await service.client()
        wanted = await request_of(jobs)
        await jobs.submit(wanted, job="mine")
        await jobs.submit(wanted, job="mine")
        with pytest.raises(JobsError, match="another content"):
            await jobs.submit(await request_of(jobs, 8), job="mine")
        return await jobs.all()

    assert [each.job for each in run(body)] == ["mine"]


def test_a_job_that_fails_says_why(run, request_of):
    async def body(service):
        await service.scheduler()
        await service.agent()
        jobs = await service.client()
        bad = (await request_of(jobs)).model_copy(update={"payload": await jobs.bus.put(b"nonsense 1\n")})
        endless = bad.model_copy(update={"payload": await jobs.bus.put(b"again: jump again\n")})
        for wanted, text in ((bad, "nonsense"), (endless, "did not end")):
            job = await jobs.submit(wanted)
            with pytest.raises(UnfinishedError, match=text):
                await jobs.result(job)
            assert (await jobs.get(job)).record.state is State.FAILED

    run(body)


def test_held_jobs_wait_and_cancelled_ones_never_run(run, request_of, states):
    async def body(service):
        await service.scheduler()
        await service.agent()
        jobs = await service.client()
        held = await jobs.submit(await request_of(jobs), held=True)
        other = await jobs.submit(await request_of(jobs), held=True)
        assert await jobs.cancel(other)
        assert not await jobs.release(other)
        await jobs.result(await jobs.submit(await request_of(jobs)))
        assert (await jobs.get(held)).record.state is State.HELD
        assert "held" in await jobs.why(held)
        assert await jobs.release(held)
        await jobs.result(held)
        assert not await jobs.cancel(held)
        assert not await jobs.hold(held)
        return await states(jobs, held), await states(jobs, other)

    assert run(body) == (["held", "queued", "leased", "running", "done"], ["held", "cancelled"])


def test_a_running_job_is_cancelled(run, request_of, states):
    async def body(service):
        runner = Gated()
        await service.scheduler()
        await service.agent(runner=runner)
        jobs = await service.client()
        job = await jobs.submit(await request_of(jobs, name="first"))
        await until(runner.began.is_set)
        assert await jobs.cancel(job)
        with pytest.raises(UnfinishedError, match="cancelled"):
            await jobs.result(job)
        after = await jobs.submit(await request_of(jobs, name="second"))
        await asyncio.sleep(0.6)  # the first one is looked after four times a second
        runner.gate.set()
        await jobs.result(after)
        return await states(jobs, job), runner.ran

    way, ran = run(body)
    assert way == ["queued", "leased", "running", "cancelled"]
    assert ran == ["second"]


class Lost(ModelRunner):
    """Of a board that is lost with the second job."""

    def run(self, request, payload, check, recorder):
        if request.name == "second":
            raise LinkError("the cable is out")
        return super().run(request, payload, check, recorder)


@pytest.mark.parametrize("runner", [ModelRunner, Lost])
def test_a_job_is_filed_while_the_next_one_runs(run, request_of, monkeypatch, runner):
    """Filing the first one waits until the second has begun; a board that is lost by then takes nothing with it."""
    append = BoardLedger.append

    async def body(service):
        jobs = await service.client()

        async def late(self, job, *what):
            while job == first and (await jobs.get(second)).record.attempts == 0:
                await asyncio.sleep(0.02)
            return await append(self, job, *what)

        monkeypatch.setattr(BoardLedger, "append", late)
        agent = await service.agent_of("board", "board", runner())
        working = asyncio.create_task(agent.run())
        first, second = [await jobs.submit(await request_of(jobs, name=each)) for each in ("first", "second")]
        await service.scheduler()
        await jobs.result(first)
        if runner is Lost:
            with pytest.raises(ExceptionGroup) as lost:
                await working
            assert lost.group_contains(LinkError)
        else:
            await jobs.result(second)
            working.cancel()
        return [(await jobs.get(job)).record.attempts for job in (first, second)]

    assert run(body) == [1, 1]


def test_an_end_on_an_older_revision_is_refused(run, request_of):
    async def body(service):
        jobs = await service.client()
        job = await jobs.submit(await request_of(jobs))
        found = await jobs.get(job)
        await jobs.cancel(job)
        late = found.record.model_copy(update={"state": State.FAILED})
        with pytest.raises(FencedError, match="somebody else"):
            await jobs.bus.swap(job, encode(late), found.revision)
        return (await jobs.get(job)).record.state

    assert run(body) is State.CANCELLED


class Hasty:
    """A bucket that refuses a write once though nobody has written, as the leader of a cluster may."""

    def __init__(self, bucket):
        self.bucket, self.refused = bucket, 0

    async def update(self, key, value, last):
        if not self.refused:
            self.refused += 1
            raise KeyWrongLastSequenceError
        return await self.bucket.update(key, value, last=last)

    async def get(self, key):
        return await self.bucket.get(key)


def test_a_refusal_without_a_newer_revision_is_none(run, request_of):
    async def body(service):
        jobs = await service.client()
        job = await jobs.submit(await request_of(jobs))
        found = await jobs.get(job)
        held = found.record.model_copy(update={"state": State.HELD})
        bucket = Hasty(jobs.bus.jobs)
        revision = await jobs.bus.swap(job, encode(held), found.revision, bucket=bucket)
        new = Hasty(jobs.bus.jobs)
        first = await jobs.bus.swap("new", encode(held), 0, bucket=new)
        return bucket.refused, new.refused, revision > found.revision, first > revision

    assert run(body) == (1, 1, True, True)


def test_why_names_what_is_missing(run, request_of):
    async def body(service):
        jobs = await service.client()
        job = await jobs.submit(await request_of(jobs, board="elsewhere"))
        silent = await jobs.why(job)
        await service.scheduler()
        while (answer := await jobs.why(job)) is None or "none of that name" in answer:
            await asyncio.sleep(0.05)
        await service.agent()
        while "asks for board elsewhere" not in (told := await jobs.why(job)):
            await asyncio.sleep(0.05)
        return silent, answer, told

    silent, answer, told = run(body)
    assert silent is None
    assert "start an agent" in answer
    assert "0 jobs that wait come before it" in told


def test_a_session_has_its_board_alone_until_it_is_idle(run, request_of):
    async def body(service):
        runner = Gated()
        await service.scheduler()
        jobs = await service.client()
        await service.agent(runner=runner)
        session = Session(name="tune", idle_timeout_s=0.5)
        first = await jobs.submit(await request_of(jobs, name="first", session=session))
        await until(runner.began.is_set)
        other = await jobs.submit(await request_of(jobs, name="other", user="bob", priority=9))
        second = await jobs.submit(await request_of(jobs, name="second", session=session))
        while "in session tune of ada" not in (await jobs.why(other)):
            await asyncio.sleep(0.05)
        runner.gate.set()
        for job in (first, second, other):
            await jobs.result(job)
        windows = [json.loads(entry.value) for entry in await jobs.bus.windows.history("board")]
        return runner.ran, windows[-1]

    ran, window = run(body)
    assert ran == ["first", "second", "other"]
    assert not window["open"]
    assert "idle for" in window["reason"]


def test_large_payloads_go_through_the_object_store(run, request_of):
    async def body(service):
        await service.scheduler()
        await service.agent()
        jobs = await service.client()
        source = ("; " + "x" * 70 + "\n").encode() * 5_000 + b"halt 3\n"
        payload = await jobs.bus.put(source)
        assert payload.inline is None
        assert await jobs.bus.get(payload) == source
        job = await jobs.submit((await request_of(jobs)).model_copy(update={"payload": payload}))
        with pytest.raises(ContractError, match="the most of a payload"):
            await jobs.bus.put(bytes(MAX_PAYLOAD_BYTES + 1))
        with pytest.raises(ContractError, match="is not in the store"):
            await jobs.bus.get(payload.model_copy(update={"sha256": "0" * 64}))
        return json.loads(await jobs.result(job))["exit_code"]

    assert run(body) == 3


def test_a_board_has_one_agent(run, request_of):
    async def body(service):
        await service.scheduler()
        stop = await service.agent()
        jobs = await service.client()
        await jobs.result(await jobs.submit(await request_of(jobs)))
        with pytest.raises(ServiceError, match="has an agent already"):
            await (await service.agent_of("board", "second")).run()
        await stop()
        await service.agent()  # whoever has left is in nobody's way
        return json.loads(await jobs.result(await jobs.submit(await request_of(jobs))))["exit_code"]

    assert run(body) == 7


def test_of_two_agents_that_begin_at_once_one_stays(run, request_of):
    async def body(service):
        await service.scheduler()
        agents = [await service.agent_of("board", name) for name in ("a", "b")]
        running = [asyncio.create_task(each.run()) for each in agents]
        (ended,), (other,) = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        assert "has another agent by now" in repr(ended.exception())
        jobs = await service.client()
        done = json.loads(await jobs.result(await jobs.submit(await request_of(jobs))))["exit_code"]
        other.cancel()
        await asyncio.wait([other])
        return done

    assert run(body) == 7


def test_a_malformed_record_hinders_nobody(run, request_of):
    async def body(service):
        await service.scheduler()
        await service.agent()
        jobs = await service.client()
        await jobs.bus.jobs.put("bad", b'{"version": 9}')
        await jobs.bus.boards.put("bad", b"\x80\x04K\x01.")
        await jobs.bus.js.publish("triplane.work.board", b"[]")
        job = await jobs.submit(await request_of(jobs))
        await jobs.result(job)
        return [each.job for each in await jobs.all()] == [job]

    assert run(body)


@pytest.mark.parametrize(
    "name", ["x" * 300, "a.b.c", "a b", ">", "\N{LATIN SMALL LETTER U WITH DIAERESIS}", "../x"]
)
def test_what_is_no_name_of_a_job_is_refused(run, request_of, name):
    async def body(service):
        jobs = await service.client()
        with pytest.raises(ContractError, match="no name of a job"):
            await jobs.submit(await request_of(jobs), job=name)
        for attempt in (jobs.get, jobs.result, jobs.history, jobs.why, jobs.cancel):
            with pytest.raises(UnknownJobError, match="there is no job"):
                await attempt(name)

    run(body)


def test_a_record_under_a_bad_name_does_not_end_the_scheduler(run, request_of):
    async def body(service):
        jobs = await service.client()
        good = await jobs.submit(await request_of(jobs))
        await jobs.bus.create("x" * 300, (await jobs.bus.record(good)).value)
        await service.scheduler()
        await service.agent()
        return json.loads(await jobs.result(good))["exit_code"]

    assert run(body) == 7


def test_an_agent_goes_on_where_the_server_has_lost_its_consumer(run, request_of, monkeypatch):
    monkeypatch.setattr(agent, "FETCH_S", 0.3)

    async def body(service):
        await service.scheduler()
        await service.agent()
        jobs = await service.client()
        await jobs.result(await jobs.submit(await request_of(jobs)))
        await jobs.bus.js.delete_consumer(WORK, "board_board")
        return json.loads(await jobs.result(await jobs.submit(await request_of(jobs))))["exit_code"]

    assert run(body) == 7


def test_what_does_not_pass_is_told_once(caplog, monkeypatch):
    monkeypatch.setattr(following, "RETRY_S", 0)
    answers = iter([OSError("no space left on device")] * (2 * TOLD))

    async def call():
        for error in answers:
            raise error
        return "done"

    assert asyncio.run(retried(call)) == "done"
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "the service does not take it, and is asked again: no space left on device"
    ]


def test_unknown_jobs_are_named(run):
    async def body(service):
        jobs = await service.client()
        with pytest.raises(UnknownJobError, match="'nowhere'"):
            await jobs.get("nowhere")

    run(body)
