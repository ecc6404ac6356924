# SPDX-License-Identifier: BSD-2-Clause
"""A secured service on a real nats-server: its own way works, and everything else is refused, told and audited."""

import asyncio
import json
import shutil
import socket
import ssl

import nats
import pytest

from triplane.host.scheduler.access import Access
from triplane.host.scheduler.asks import Ask, header
from triplane.host.scheduler.audit import STREAM, Audit, read_audit
from triplane.host.scheduler.client import Jobs
from triplane.host.scheduler.contracts import MAX_MESSAGE_BYTES, State, encode
from triplane.host.scheduler.errors import FencedError, JobsError, ServiceError
from triplane.host.scheduler.register import Register
from triplane.host.scheduler.server import Node
from triplane.host.scheduler.service import admitting

PATIENCE_S = 30


def test_a_job_goes_its_way_and_its_large_payload_too(secured, request_of, states, large):
    async def body(service):
        await service.agent()
        jobs = await service.client("ada")
        payload = await jobs.bus.put(large)
        assert payload.inline is None
        job = await jobs.submit((await request_of(jobs)).model_copy(update={"payload": payload}), job="mine")
        result = json.loads(await jobs.result(job))
        boards = [each.name for each in await jobs.boards()]
        return job, result["exit_code"], await states(jobs, job), await jobs.bus.get(payload) == large, boards

    way = ["queued", "leased", "running", "done"]
    assert secured(body) == ("ada.mine", 3, way, True, ["board"])


def test_many_jobs_are_listed_in_pages_held_and_cancelled(secured, request_of):
    async def body(service):
        jobs = await service.client("ada")
        held = [await jobs.submit(await request_of(jobs, name="x" * 900), held=True) for _ in range(150)]
        assert [each.job for each in await jobs.all()] == held
        assert await (await service.client("bob")).all() == []
        assert await jobs.release(held[0])
        assert await jobs.cancel(held[0])
        assert not await jobs.hold(held[0])
        assert (await jobs.get(held[0].removeprefix("ada."))).job == held[0]
        assert "start an agent" in await jobs.why(await jobs.submit(await request_of(jobs)))
        return [each.state.value for each in await jobs.history(held[0])]

    assert secured(body) == ["held", "queued", "cancelled"]


def test_nobody_reads_or_changes_what_is_anothers(secured, request_of, large):
    async def body(service):
        await service.agent()
        ada, bob = await service.client("ada"), await service.client("bob")
        payload = await ada.bus.put(large)
        job = await ada.submit((await request_of(ada)).model_copy(update={"payload": payload}))
        await ada.result(job)
        for attempt in (bob.get, bob.result, bob.history, bob.why, bob.cancel, bob.hold):
            with pytest.raises(JobsError, match="another's"):
                await attempt(job)
        with pytest.raises(JobsError, match="not in the store"):
            await bob.bus.get(payload)
        for bucket, key in (("jobs", ">"), ("boards", "board")):
            _, told = await service.raw(bob.bus, Ask(operation="changes", key=key, bucket=bucket))
            assert job.encode() not in told
        entry = await service.audited("job ada.")
        return entry.who

    assert secured(body) == "user bob"


def test_forged_records_are_refused(secured, request_of):
    async def body(service):
        ada, bob = await service.client("ada"), await service.client("bob")
        with pytest.raises(JobsError, match="in the name of ada"):
            await bob.submit(await request_of(bob))
        job = await ada.submit(await request_of(ada), held=True)
        found = await ada.get(job)
        failed = found.record.model_copy(update={"state": State.FAILED})
        with pytest.raises(JobsError, match="no step of a user"):
            await ada.bus.swap(job, encode(failed), found.revision)
        dear = found.record.request.model_copy(update={"priority": 100})
        dearer = found.record.model_copy(update={"state": State.QUEUED, "request": dear})
        with pytest.raises(JobsError, match="not the user's"):
            await ada.bus.swap(job, encode(dearer), found.revision)
        await service.audited("no step of a user")
        return (await ada.get(job)) == found

    assert secured(body)


def test_a_board_speaks_for_itself_only(secured, request_of, large):
    async def body(service):
        other, ada = await service.bus("other"), await service.client("ada")
        agent = await service.agent_of("board", "other")
        with pytest.raises(JobsError, match="does not speak for board board"):
            await other.beat(agent.state())
        job = await ada.submit(await request_of(ada), held=True)
        found = await ada.get(job)
        assert await other.find(job) is None
        begun = found.record.model_copy(
            update={"state": State.RUNNING, "by": "agent other", "board": "other", "instance": "i"}
        )
        with pytest.raises(FencedError, match="not on this board"):
            await other.swap(job, encode(begun), found.revision)
        with pytest.raises(JobsError, match="not on this board"):
            await other.put(large, job)
        answer, _ = await service.raw(
            other, Ask(operation="done", receipt="$JS.ACK.triplane_work.board_board.1.1.1.1.0")
        )
        assert "another board's lease" in answer.reason
        answer, _ = await service.raw(ada.bus, Ask(operation="take"))
        assert "only boards" in answer.reason
        answer, _ = await service.raw(other, Ask(operation="changes", key=">"))
        assert "boards follow no records" in answer.reason
        entry = await service.audited("does not speak")
        return entry.who, (await ada.get(job)) == found

    assert secured(body) == ("board other", True)


def test_a_board_reads_and_writes_no_other_object_of_the_user(secured, request_of, large):
    async def body(service):
        board, ada = await service.bus("board"), await service.client("ada")
        other = await ada.bus.put(large)
        job = await ada.submit(await request_of(ada))
        await board.beat((await service.agent_of("board", "board")).state())
        async with asyncio.timeout(PATIENCE_S):
            while (await ada.get(job)).record.state is not State.LEASED:
                await asyncio.sleep(0.05)
        with pytest.raises(JobsError, match="nothing else of a user"):
            await board.get(other, job)
        spoilt = Ask(operation="put", key=job, sha256=other.sha256)
        answer, _ = await service.raw(board, spoilt, b"spoilt")
        assert "writes over nothing" in answer.reason
        return await ada.bus.get(other) == large

    assert secured(body)


def test_who_comes_and_goes_is_known_on_every_machine(secured, access, tmp_path):
    async def body(service):
        shutil.copytree(access.folder, tmp_path / "there")
        there, reloads = Access(tmp_path / "there"), []
        bus = await service.bus("scheduler")
        audit, register = await Audit.made(bus), await Register.made(bus)
        await service.spawn(register.run())
        await service.spawn(admitting(there, register, audit, lambda: reloads.append(1)))
        await asyncio.to_thread(there.add, "board", "far")
        await asyncio.to_thread(access.add, "user", "cleo")
        await asyncio.to_thread(there.revoke, "user", "bob")

        def settled():
            here = {each.key: each for each in access.principals()}
            return here == {each.key: each for each in there.principals()} and bool(reloads)

        async with asyncio.timeout(PATIENCE_S):
            while not settled():
                await asyncio.sleep(0.05)
        anew = Access(tmp_path / "anew")  # as after somebody has deleted the folder
        anew.merge(register.principals(anew.key))
        assert [each.role for each in anew.principals()] == ["service"]
        entries = [each.what.split(",")[0] for each in await read_audit(bus) if each.who == "admin"]
        assert len(entries) == len(set(entries))
        return {"added board far", "added user cleo", "revoked user bob"} <= set(entries)

    assert secured(body)
    files = [folder / "users.conf" for folder in (access.folder, tmp_path / "there")]
    assert all("board.far" in each.read_text() and "user.bob" not in each.read_text() for each in files)


def test_what_was_revoked_stays_so(access):
    access.add("user", "ada")
    before = access.principals()
    access.revoke("user", "ada")
    access.merge(before)
    assert [bool(each.revoked) for each in access.principals()] == [False, True]
    other = Access(access.folder.parent / "other").principals()
    access.merge(other)  # another service's own key opens nothing here
    assert len(access.principals()) == 2


def test_replayed_writes_meet_another_revision(secured, request_of):
    async def body(service):
        ada = await service.client("ada")
        job = await ada.submit(await request_of(ada), held=True)
        first = (await ada.bus.find(job)).value
        assert await ada.bus.swap(job, first, 0)  # the answer was lost: the same again is harmless
        await ada.release(job)
        answer, _ = await service.raw(ada.bus, Ask(operation="write", key=job, revision=0), first)
        return answer.verdict, (await ada.get(job)).record.state

    assert secured(body) == ("fenced", State.QUEUED)


MALFORMED = [
    ({}, b"", "needs its header"),
    ({"Triplane": "x" * 5_000}, b"", "at most 4 KiB"),
    ({"Triplane": "nonsense"}, b"", "Invalid JSON"),
    ({"Triplane": '{"operation":"write","key":"ada.*"}'}, b"", "key"),
    ({"Triplane": '{"operation":"purge"}'}, b"", "operation"),
    (header(Ask(operation="write", key="ada.a")), b"\x80\x04K\x01.", "Invalid JSON"),
    (header(Ask(operation="write", key="ada.a")), b" " * (MAX_MESSAGE_BYTES + 1), "the most of a message"),
    (header(Ask(operation="put", key="ada.a")), b"x", "SHA-256"),
    (header(Ask(operation="put", sha256="0" * 64)), b"x" * 200_000, "the most of a part"),
]


def test_malformed_and_oversized_questions_are_named(secured):
    async def body(service):
        bus = await service.bus("ada")
        for ask, data, text in MALFORMED:
            answer, _ = await service.raw(bus, ask, data)
            assert answer.verdict == "refused"
            assert text in answer.reason
            await service.audited(text)

    secured(body)


def test_the_server_turns_away_and_the_log_has_it(secured, keys, port, access):
    async def body(service):
        bus = await service.bus("ada")
        heard = []

        async def note(error):
            heard.append(str(error))

        options = {**keys["ada"].options(), "allow_reconnect": False, "error_cb": note}
        there = await nats.connect(f"nats://127.0.0.1:{port}", **options)
        for subject in (
            "$KV.triplane_jobs.ada.a",
            "triplane.gate.user.bob",
            "triplane.work.board",
            "$JS.API.INFO",
        ):
            await there.publish(subject, b"{}")
        for subject in (">", "_INBOX.user.bob.>", "$KV.triplane_jobs.>", "triplane.gate.user.bob"):
            await there.subscribe(subject)
        await there.flush()
        async with asyncio.timeout(PATIENCE_S):
            while len(heard) < 8:
                await asyncio.sleep(0.05)
        assert all("permissions violation" in each.lower() for each in heard)
        for subject in ("$KV.triplane_jobs.ada.a", "_INBOX.user.bob.>"):
            await service.audited(subject)
        # Past the client's own check of the size, as somebody does who has another client.
        await there._send_publish(bus.credentials.gate, "", b"x" * 300_000, 300_000, None)
        await service.audited("maximum payload")
        unknown = (
            Access(access.folder / "unknown")
            .add("user", "ada")
            .model_copy(update={"authority": keys["ada"].authority})
        )
        with pytest.raises(ServiceError, match="does not take these credentials"):
            await service.bus_of(unknown)
        return (await service.audited("authentication error")).who

    assert secured(body) == "server"


def test_answers_go_to_the_own_inbox_only(secured):
    async def body(service):
        ada, scheduler = await service.bus("ada"), await service.bus("scheduler")
        other = await scheduler.client.subscribe("$KV.triplane_boards.x")
        await ada.client.publish(
            ada.credentials.gate, b"", reply="$KV.triplane_boards.x", headers=header(Ask(operation="take"))
        )
        await service.audited("answers go to the own inbox")
        with pytest.raises(nats.errors.TimeoutError):
            await other.next_msg(timeout=0.5)

    secured(body)


def test_keys_come_and_go_while_the_service_runs(secured, access, keys, request_of):
    async def body(service):
        ada, bob = await service.client("ada"), await service.client("bob")
        job = await ada.submit(await request_of(ada), held=True)
        cleo = await service.bus_of(await asyncio.to_thread(access.add, "user", "cleo"))
        assert await Jobs(cleo, "cleo").all() == []
        await asyncio.to_thread(access.revoke, "user", "bob")

        async def ask_on():
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    await bob.all()
                    await asyncio.sleep(0.1)

        with pytest.raises(ServiceError, match="no longer"):
            await ask_on()
        with pytest.raises(ServiceError, match="does not take"):
            await service.bus_of(keys["bob"])
        assert (await ada.get(job)).record.state is State.HELD
        entries = await read_audit(await service.bus("scheduler"))
        return [each.what.split(",")[0] for each in entries if each.who == "admin"]

    assert secured(body)[-2:] == ["added user cleo", "revoked user bob"]


def test_who_asks_too_much_waits(secured, request_of):
    async def body(service):
        ada, bob = await service.bus("ada"), await service.bus("bob")
        answers = await asyncio.gather(
            *(service.raw(ada, Ask(operation="find", key="ada.a")) for _ in range(1_500))
        )
        verdicts = {answer.verdict for answer, _ in answers}
        answer, _ = await service.raw(bob, Ask(operation="find", key="bob.a"))
        return verdicts, answer.verdict

    assert secured(body) == ({"missing", "later"}, "missing")


def test_the_audit_log_takes_no_deletion_and_no_flood(secured):
    async def body(service):
        ada, scheduler = await service.bus("ada"), await service.bus("scheduler")
        for _ in range(150):
            await service.raw(ada, Ask(operation="take"))
        for attempt in (scheduler.js.delete_msg(STREAM, 1), scheduler.js.purge_stream(STREAM)):
            with pytest.raises(nats.js.errors.Error):
                await attempt
        found = [each for each in await read_audit(scheduler) if each.who == "user ada"]
        return 100 <= len(found) < 150

    assert secured(body)


def test_no_secret_is_in_a_log_or_a_configuration(secured, tmp_path, keys, access):
    async def body(service):
        bus = await service.bus("ada")
        await service.raw(bus, Ask(operation="take"))
        assert "SecretStr" not in repr(bus.credentials)

    secured(body)
    seeds = [each.seed.get_secret_value() for each in (*keys.values(), access.service)]
    files = [each for each in tmp_path.rglob("*") if each.is_file() and each.name != "service.json"]
    assert any(each.name == "server.log" for each in files)
    for file in files:
        data = file.read_bytes()
        assert not any(seed.encode() in data for seed in seeds), file
        if b"PRIVATE KEY" in data or file.name == "service.json":
            assert file.stat().st_mode & 0o077 == 0, file


def test_a_client_that_expects_another_authority_does_not_speak(secured, tmp_path, keys):
    stranger = Access(tmp_path / "stranger").service.authority

    async def body(service):
        with pytest.raises(ServiceError, match="is not known by these credentials"):
            await service.bus_of(keys["ada"].model_copy(update={"authority": stranger}))

    secured(body)


def test_nothing_is_said_in_clear(secured, port):
    async def body(_):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await reader.read(1)
        writer.close()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as secure:
            assert secure.recv(4) == b"INFO"

    secured(body)


def test_no_other_address_without_authentication():
    with pytest.raises(ServiceError, match=r"nothing listens there unsecured"):
        Node(4222, "0.0.0.0")
    with pytest.raises(ServiceError, match="IPv4 address"):
        Node(4222, "fridge.lab")
