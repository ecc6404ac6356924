# SPDX-License-Identifier: BSD-2-Clause
"""Runs of a secured service: filed through the gate, signed by the board that ran them, copied by whom they are for."""

import asyncio

import pytest

from triplane.host.provenance import (
    RerunError,
    RunRecorder,
    SignatureError,
    Store,
    UnknownRunError,
    verify_run,
)
from triplane.host.provenance.report import show_verified
from triplane.host.scheduler.asks import Ask
from triplane.host.scheduler.contracts import State, decode, encode
from triplane.host.scheduler.copying import mirrored
from triplane.host.scheduler.errors import JobsError, UnfinishedError
from triplane.host.scheduler.evidence import Objects
from triplane.host.scheduler.ledger import BoardLedger, Line, ServiceLedger
from triplane.host.scheduler.rerun import rerun

PATIENCE_S = 30


def test_a_run_is_filed_through_the_gate_and_read_by_the_service_alone(secured, request_of, tmp_path, large):
    async def body(service):
        await service.agent()
        ada = await service.client("ada")
        payload = await ada.bus.put(large)
        job = await ada.submit((await request_of(ada)).model_copy(update={"payload": payload}))
        await ada.result(job)
        outcome = (await ada.get(job)).record.outcome
        with pytest.raises(JobsError, match="credentials of the service itself"):
            await ServiceLedger.read(ada.bus)
        bus = await service.bus("scheduler")
        found = await (await ServiceLedger.read(bus)).mirror(bus, outcome.run, Store(tmp_path / "mirror"))
        return not found.problems, found.manifest.inputs["payload"].sha256 == payload.sha256

    assert secured(body) == (True, True)


def test_a_board_files_only_what_it_has_run_and_ends_nothing_unfiled(secured, request_of):
    async def body(service):
        board, ada = await service.bus("board"), await service.client("ada")
        job, held = (
            await ada.submit(await request_of(ada)),
            await ada.submit(await request_of(ada), held=True),
        )
        agent = await service.agent_of("board", "board")
        await board.beat(agent.state())
        async with asyncio.timeout(PATIENCE_S):
            while (await ada.get(job)).record.state is not State.LEASED:
                await asyncio.sleep(0.05)
        leased = await ada.get(job)
        ledger = BoardLedger(board, "board", board.credentials.signer)
        recorder = RunRecorder(["test"], objects := Objects())
        manifest = recorder.manifest({"number": 1})
        with pytest.raises(JobsError, match="not on this board"):
            await ledger.append(held, manifest, objects.kept)
        await ledger.append(job, manifest, objects.kept)
        line, sequence = await board.newest("board")
        answer, _ = await service.raw(board, Ask(operation="append", key=held, revision=sequence), line)
        assert "not on this board" in answer.reason
        other = await service.bus("other")
        assert await other.newest("board") == (None, 0)  # a board sees its own ledger, whatever it asks for
        running = leased.record.model_copy(
            update={
                "state": State.RUNNING,
                "by": "agent board",
                "lease": leased.revision,
                "attempts": 1,
            }
        )
        revision = await board.swap(job, encode(running), leased.revision)
        ended = await agent._end(await agent._run(job, running, revision))
        unfiled = ended.model_copy(update={"outcome": ended.outcome.model_copy(update={"run": "0" * 64})})
        with pytest.raises(JobsError, match="not the newest of the board's ledger"):
            await board.swap(job, encode(unfiled), revision)
        await board.swap(job, encode(ended), revision)
        return (await ada.get(job)).record.state

    assert secured(body) is State.DONE


async def forged(bus, key, run, signer):
    """An entry for a run on a board's chain, as only the service itself can write it past the gate."""
    data, sequence = await bus.newest(key)
    last = decode(Line, data)
    entry = last.entry.make(last.seq + 1, last.time, "run", run, last.hash)
    line = last.model_copy(update={**vars(entry), "signature": signer.sign(run)})
    await bus.append(key, last.job, encode(line), sequence)


def test_a_run_is_the_boards_by_its_key_also_in_a_copy(secured, request_of, tmp_path, keys):
    store = Store(tmp_path / "mirror")

    async def body(service):
        await service.agent()
        ada = await service.client("ada")
        outcomes = []
        for _ in range(2):
            job = await ada.submit(await request_of(ada))
            await ada.result(job)
            outcomes.append((await ada.get(job)).record.outcome)
        bus = await service.bus("scheduler")
        for _ in range(2):  # the second time says nothing new
            found = await (await ServiceLedger.read(bus)).mirror(bus, outcomes[0].run, store)
        # A board files another's run as its own: what was there first counts.
        await forged(bus, "board", outcomes[0].run, keys["other"].signer)
        again = await (await ServiceLedger.read(bus)).mirror(bus, outcomes[0].run, store)
        return found, again

    found, again = secured(body)
    run = found.run
    assert (found.problems, found.signer) == ({}, "board board")
    assert found.signature.key == keys["board"].signer.public == again.signature.key
    copied = verify_run(run, store)
    assert (copied.problems, copied.signer, len(copied.chain.entries)) == ({}, "board board", 1)
    store.keep_signature(run, keys["other"].signer.sign(run))
    assert "was signed by another key" in str(verify_run(run, store).problems["signature"])
    (store.root / "signatures" / f"{run}.json").unlink()
    damaged = verify_run(run, store)
    assert "its signature is gone" in str(damaged.problems["signature"])
    with pytest.raises(RerunError, match="its signature is gone"):
        rerun(damaged, store)


@pytest.mark.parametrize(
    ("name", "text"), [(None, "a key that is nobody's"), ("other", "the key of board other")]
)
def test_a_run_that_another_key_has_signed_is_not_trusted(secured, request_of, tmp_path, keys, name, text):
    store = Store(tmp_path / "mirror")

    async def body(service):
        await service.agent()
        ada = await service.client("ada")
        job = await ada.submit(await request_of(ada))
        await ada.result(job)
        bus = await service.bus("scheduler")
        recorder = RunRecorder(["test"], Objects())
        manifest = recorder.manifest({"board": "board"})
        store.put(manifest.to_bytes())
        await forged(bus, "board", manifest.run, keys[name].signer if name else service.signer)
        return await (await ServiceLedger.read(bus)).mirror(bus, manifest.run, store)

    found = secured(body)
    assert text in str(found.problems["signature"])
    with pytest.raises(SignatureError, match=text):
        show_verified(found, as_json=True)
    with pytest.raises(UnknownRunError):  # nothing of it is kept
        verify_run(found.run, store)


def test_an_agent_that_signs_with_another_key_ends_nothing(secured, request_of):
    async def body(service):
        agent = await service.agent_of("board", "board")
        agent._ledger.signer = service.signer
        await service.spawn(agent.run())
        ada = await service.client("ada")
        job = await ada.submit(await request_of(ada))
        with pytest.raises(UnfinishedError, match="a key that is not board board's"):
            await ada.result(job)
        return (await service.audited("a key that is not board board's")).who

    assert secured(body) == "board board"


def test_a_user_copies_runs_of_the_own_jobs(secured, request_of, tmp_path, large):
    """A payload of several parts, and objects in the entry: all of it, and nothing of others."""
    store = Store(tmp_path / "mirror")

    async def body(service):
        await service.agent()
        ada, bob = await service.client("ada"), await service.client("bob")
        payload = await ada.bus.put(large)
        job = await ada.submit((await request_of(ada)).model_copy(update={"payload": payload}), job="mine")
        await ada.result(job)
        run = (await ada.get(job)).record.outcome.run
        with pytest.raises(UnknownRunError, match="your jobs"):
            await mirrored(bob.bus, run, store)
        answer, data = await service.raw(bob.bus, Ask(operation="filed", key=job))
        assert (answer.verdict, data) == ("refused", b"")
        board = await service.bus("board")
        answer, data = await service.raw(board, Ask(operation="filed", key=job))
        assert (answer.verdict, data) == ("refused", b"")
        waits = await ada.submit(await request_of(ada), held=True)
        assert await ada.bus.filed(waits) is None
        return await mirrored(ada.bus, run[:12], store), run

    found, run = secured(body)
    assert (found.run, found.problems, found.signer) == (run, {}, "board board")
    again = verify_run(run, store)
    assert (again.problems, again.signer, again.chain.entries) == ({}, "board board", found.chain.entries)
    assert [each.same for each in rerun(again, store) if not each.note] == [True]


def test_a_user_trusts_no_run_that_is_signed_by_another_key(secured, request_of, tmp_path, keys):
    """As it would be after somebody has written past the gate."""
    store = Store(tmp_path / "mirror")

    async def body(service):
        await service.agent()
        ada = await service.client("ada")
        done = await ada.get(await ada.submit(await request_of(ada), job="first"))
        await ada.result(done.job)
        done = await ada.get(done.job)
        bus = await service.bus("scheduler")
        await forged(bus, "board", done.record.outcome.run, keys["other"].signer)
        _, number = await bus.newest("board")
        outcome = done.record.outcome.model_copy(update={"entry": number})
        record = done.record.model_copy(update={"outcome": outcome})
        await bus.swap(done.job, encode(record), done.revision)
        return await mirrored(ada.bus, outcome.run, store)

    found = secured(body)
    assert "the key of board other" in str(found.problems["signature"])
    with pytest.raises(UnknownRunError):
        verify_run(found.run, store)
