# SPDX-License-Identifier: BSD-2-Clause
"""The service's ledger on a real server: what cannot be deleted, chains, signatures, and runs that are run again."""

import asyncio
import json

import pytest
from nats.js.errors import APIError

from triplane.host.provenance import (
    CorruptLedgerError,
    CorruptObjectError,
    RerunError,
    RunRecorder,
    SignatureError,
    Store,
    UnknownRunError,
    verify_run,
)
from triplane.host.provenance.ledger import Chain
from triplane.host.provenance.signing import Signer
from triplane.host.scheduler.checkpoint import Checkpoint
from triplane.host.scheduler.contracts import State
from triplane.host.scheduler.errors import ContractError
from triplane.host.scheduler.evidence import Objects
from triplane.host.scheduler.ledger import BoardLedger, Line, ServiceLedger
from triplane.host.scheduler.rerun import rerun
from triplane.host.scheduler.streams import LEDGER, made_streams


def manifest(number):
    recorder = RunRecorder(["test"], objects := Objects())
    recorder.add_output("result.json", str(number).encode())
    return recorder.manifest({"number": number}), objects.kept


async def messages(bus):
    """Data of all entries, read one by one by the server's own interface."""
    state = (await bus.js.stream_info(LEDGER)).state
    return [(await bus.js.get_msg(LEDGER, number)).data for number in range(1, state.last_seq + 1)]


async def done(service, request_of, numbers=(7,)):
    """Ended jobs, with a client."""
    await service.scheduler()
    await service.agent()
    jobs = await service.client()
    names = [await jobs.submit(await request_of(jobs, number)) for number in numbers]
    for name in names:
        await jobs.result(name)
    return jobs, [(await jobs.get(name)).record.outcome for name in names]


def test_a_job_is_a_signed_run_that_can_be_verified_and_run_again(run, request_of, signer, tmp_path):
    store = Store(tmp_path / "mirror")

    async def body(service):
        jobs, (first, second) = await done(service, request_of, (7, 8))
        ledger = await ServiceLedger.read(jobs.bus)
        assert list(ledger.lines) == [first.run, second.run]
        assert {name: len(chain.entries) for name, chain in ledger.chains.items()} == {"board": 2}
        return await ledger.mirror(jobs.bus, first.run[:8], store), first

    found, outcome = run(body)
    assert not found.problems
    assert (found.signature.key, found.signer) == (signer.public, None)
    outputs, inputs = found.manifest.outputs, found.manifest.inputs
    assert outputs["result.json"].sha256 == outcome.result.sha256
    assert store.get(inputs["payload"].sha256) == b"halt 7\n"
    assert json.loads(store.get(inputs["environment.json"].sha256))["nats-py"]
    assert found.manifest.result["job"] == outcome.manifest.job
    (compared,) = rerun(found, store)
    assert (compared.name, compared.same) == ("result.json", True)


def test_nothing_can_be_deleted(run, request_of):
    async def body(service):
        jobs, _ = await done(service, request_of)
        with pytest.raises(APIError, match="delete"):
            await jobs.bus.js.delete_msg(LEDGER, 1)
        with pytest.raises(APIError, match="purge"):
            await jobs.bus.js.purge_stream(LEDGER)
        return len((await ServiceLedger.read(jobs.bus)).lines)

    assert run(body) == 1


def test_two_writers_of_a_chain_do_not_fork_it_and_a_lost_answer_is_found_out(run, tmp_path):
    async def body(service):
        bus = await service.bus()
        writers = [BoardLedger(bus, "board", Signer.of_store(tmp_path / str(k))) for k in range(2)]
        await asyncio.gather(*(each.append("job", *manifest(k)) for k, each in enumerate(writers)))
        again = BoardLedger(bus, "board", Signer.of_store(tmp_path / "0"))
        last, objects = manifest(9)
        assert await again.append("job", last, objects) == await writers[1].append("job", last, objects)
        return await ServiceLedger.read(bus)

    ledger = run(body)
    assert [each.seq for each in ledger.chains["board"].entries] == [0, 1, 2]


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("time", "2020-01-01", CorruptLedgerError),
        ("prev", "0" * 64, CorruptLedgerError),
        ("signature", {"key": "1" * 64, "value": "2" * 128}, SignatureError),
    ],
)
def test_a_forged_entry_is_found(run, field, value, error, signer):
    async def body(service):
        bus = await service.bus()
        writer = BoardLedger(bus, "board", signer)
        for number in range(2):
            await writer.append("job", *manifest(number))
        forged = json.loads((await messages(bus))[1]) | {field: value}
        if field == "signature":
            forged |= {"seq": 2, "prev": forged["hash"]}
            line = Line.model_validate_json(json.dumps(forged))
            entry = line.entry.make(2, line.time, "run", line.object, line.prev)
            forged["hash"] = entry.hash
        await bus.js.publish("triplane.ledger.board", json.dumps(forged).encode())
        await ServiceLedger.read(bus)

    with pytest.raises(error):
        run(body)


def test_what_was_verified_is_not_read_again(run, signer, tmp_path):
    store = Store(tmp_path / "mirror")

    async def body(service):
        bus = await service.bus()
        writer = BoardLedger(bus, "board", signer)
        runs = [(await writer.append("job", *manifest(number))).run for number in range(2)]
        first = await ServiceLedger.read(bus, store)
        runs.append((await writer.append("job", *manifest(2))).run)
        second = await ServiceLedger.read(bus, store)
        found = await second.mirror(bus, runs[0], store)
        return runs, first, second, found

    runs, first, second, found = run(body)
    assert list(first.lines) == runs[:2]
    assert list(second.lines) == runs[2:]
    assert list(second.places) == runs
    assert [each.object for each in second.chains["board"].entries] == runs
    assert (found.run, found.problems, found.chain) == (runs[0], {}, second.chains["board"])


@pytest.mark.parametrize("change", [lambda path: path.write_text("[1]\n"), lambda path: path.unlink()])
def test_without_a_sound_checkpoint_all_is_read(run, signer, tmp_path, change):
    store = Store(tmp_path / "mirror")

    async def body(service):
        bus = await service.bus()
        name, _ = await BoardLedger(bus, "board", signer).append("job", *manifest(0))
        await ServiceLedger.read(bus, store)
        change(Checkpoint(store.root, await bus.ledger()).path)
        return name, [await ServiceLedger.read(bus, store) for _ in range(2)]

    name, (again, known) = run(body)
    assert (list(again.lines), list(known.lines), list(known.places)) == ([name], [], [name])


@pytest.mark.parametrize("board", ["board", "other"])
def test_a_ledger_that_was_written_anew_is_found(run, signer, tmp_path, board):
    """Every link and signature of the new one holds, so a reading of all of it finds nothing."""
    store = Store(tmp_path / "mirror")

    async def body(service):
        bus = await service.bus()
        await BoardLedger(bus, "board", signer).append("job", *manifest(0))
        made = await bus.ledger()
        await ServiceLedger.read(bus, store)
        old = Checkpoint(store.root, made).path
        await bus.js.delete_stream(LEDGER)
        await made_streams(bus.js, 1, secured=False)
        await BoardLedger(bus, board, signer).append("job", *manifest(1))
        assert len((await ServiceLedger.read(bus)).lines) == 1
        old.rename(Checkpoint(store.root, await bus.ledger()).path)  # whoever does so can give any date
        await ServiceLedger.read(bus, store)

    with pytest.raises(CorruptLedgerError, match="entry 1: it was verified here once"):
        run(body)


def test_a_changed_object_is_found_when_it_is_copied(run, request_of, tmp_path):
    async def body(service):
        jobs, (outcome,) = await done(service, request_of)
        ledger = await ServiceLedger.read(jobs.bus)
        line = ledger.lines[outcome.run]
        line.objects[outcome.result.sha256] = b'{"exit_code": 8, "outcomes": []}'
        with pytest.raises(CorruptObjectError, match="is damaged"):
            await ledger.mirror(jobs.bus, outcome.run, Store(tmp_path / "a"))
        del line.objects[outcome.result.sha256]
        with pytest.raises(CorruptObjectError, match="is not in the store"):
            await ledger.mirror(jobs.bus, outcome.run, Store(tmp_path / "b"))
        with pytest.raises(UnknownRunError, match="is not among"):
            await ledger.mirror(jobs.bus, "0" * 64, Store(tmp_path / "c"))

    run(body)


def test_a_job_that_cannot_be_filed_is_not_done(run, request_of, monkeypatch):
    async def refuse(self, job, manifest, objects):
        raise ContractError("no room")

    monkeypatch.setattr(BoardLedger, "append", refuse)

    async def body(service):
        await service.scheduler()
        await service.agent()
        jobs = await service.client()
        job = await jobs.submit(await request_of(jobs))
        async for record in jobs.follow(job):
            last = record
        return last

    record = run(body)
    assert (record.state, record.reason) == (State.FAILED, "ContractError: no room")


def test_other_runs_are_not_run_again(tmp_path):
    store = Store(tmp_path)
    found = verify_run(RunRecorder(["triplane", "replay", "x"], store).commit({"a": 1}), store)
    assert isinstance(found.chain, Chain)
    with pytest.raises(RerunError, match="triplane replay x"):
        rerun(found, store)
