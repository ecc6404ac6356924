# SPDX-License-Identifier: BSD-2-Clause
"""Control programs with their tables: as bytes and back, as jobs on both kinds of agents, and run again."""

import json

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.sequencer.assembler import assemble
from triplane.hal.device import load_device
from triplane.host.calibration.qubit.station import Station
from triplane.host.programs import ProgramFileError
from triplane.host.provenance import Store
from triplane.host.scheduler.contracts import Request
from triplane.host.scheduler.errors import ContractError, UnfinishedError
from triplane.host.scheduler.ledger import ServiceLedger
from triplane.host.scheduler.programs import MAX_PROGRAM_BYTES, packed_program, program_of
from triplane.host.scheduler.requests import read_job
from triplane.host.scheduler.rerun import rerun
from triplane.host.scheduler.runners import BoardRunner
from triplane.host.small import shape_of, simulated_board

DEVICE = load_device("line5")
SHAPE = shape_of(DEVICE)
QUBIT, SHOTS, SEED = 2, 24, 5
LIMIT = 10_000_000


def turned(gates):
    """Emits what a qubit is read as after some gates, shot by shot."""
    return Station(None, SHAPE, DEVICE).program(
        QUBIT,
        f"""
    set r1, {SHOTS}
again:
    prepare
    {gates}
    measure
    set r2, 0
    on.zero qubit, read, 2000
    set r2, 1
read:
    emit r2
    loop r1, again
    halt 3
""",
    )


@pytest.fixture(scope="module")
def runner():
    made = BoardRunner("sim", DEVICE)
    yield made
    made.close()


def played(jobs, runner, program, **fields):
    """What a program gives as a job, and its run."""

    async def play(service):
        await service.scheduler()
        await service.agent(runner=runner)
        there = await service.client()
        payload = await there.bus.put(packed_program(program))
        job = await there.submit(Request(user="ada", kind="program", payload=payload, **fields))
        result = json.loads(await there.result(job))
        run = (await there.get(job)).record.outcome.run
        return result, await (await ServiceLedger.read(there.bus)).mirror(there.bus, run, jobs)

    return play


def test_bytes_hold_all_that_is_loaded():
    program = turned(f"x_{QUBIT}")
    again = program_of("program", packed_program(program))
    assert np.array_equal(again.sequence.words, program.sequence.words)
    before, after = (
        [(name, list(map(int, words))) for name, words in each.writes(SHAPE)] for each in (program, again)
    )
    assert len(before) > 20
    assert after == before
    assert again.epoch_register == program.epoch_register


def test_a_board_plays_the_tables_and_a_run_is_run_again_from_them(run, runner, tmp_path):
    store = Store(tmp_path / "mirror")
    program = turned(f"x90_{QUBIT}")
    result, found = run(played(store, runner, program, seed=SEED))
    with simulated_board(DEVICE) as board:
        from triplane.sim.qpu import Processor

        state = np.random.SeedSequence([SEED]).generate_state(1)[0]
        board.attach(Processor(DEVICE, seed=int(state)))
        board.load_control(program)
        local = board.execute(limit_cycles=LIMIT, records=True)
    assert result == {"exit_code": local.exit_code, "outcomes": local.outcomes.tolist()}
    assert 0 < sum(result["outcomes"]) < SHOTS
    assert {"drive2", "tones0", "line0", "sequencer"} <= set(found.manifest.tables)
    assert store.get(found.manifest.inputs["payload"].sha256) == packed_program(program)
    (compared,) = rerun(found, store)
    assert (compared.name, compared.same) == ("result.json", True)


def test_nothing_is_left_for_the_next_job(run, runner, tmp_path):
    """Its program has no tables, and plays the numbers of the one before."""
    tables = turned(f"x_{QUBIT}")
    silent = hal.ControlProgram(tables.sequence, epoch_register=tables.epoch_register)
    store = Store(tmp_path / "mirror")
    result, first = run(played(store, runner, tables, seed=SEED))
    assert sum(result["outcomes"]) > SHOTS // 2
    with pytest.raises(UnfinishedError, match="wait reached its bound"):
        run(played(store, runner, silent, seed=SEED))
    assert set(first.manifest.tables) >= {f"drive{k}" for k in range(SHAPE.drives)}


def test_the_golden_model_takes_the_sequence(run, tmp_path):
    store = Store(tmp_path / "mirror")
    program = hal.ControlProgram(
        assemble(".group drive, 0\nset r1, 9\nplay drive, 1, +8\nemit r1\nhalt 4"),
        drives=(hal.Pulses((), np.full((4, 2), 77, dtype=np.int16)),),
    )
    result, found = run(played(store, None, program))
    assert result == {"exit_code": 4, "outcomes": [9]}
    assert rerun(found, store)[0].same


FALSE = [
    ({"sequence": ["nonsense 1"]}, "nonsense"),
    ({"sequence": "halt 0"}, "sequence"),
    ({"drives": [{"envelope": [[0, 32768]]}]}, r"drives.0.envelope.0.1"),
    ({"drives": [{"pulses": []}]}, r"drives.0.pulses"),
    ({"demodulation": [{"weights": [[[1, 1]], []]}]}, "as many samples"),
    ({"demodulation": [{"windows": [{"tones": 1, "length": 0}]}]}, "1 to 1024 samples, not 0"),
    ({"demodulation": [{"windows": [{"tones": 1, "length": 1, "dealy": 3}]}]}, "dealy"),
    ({"demodulation": [{"windows": [{"tones": 1, "length": 4}]}]}, "windows.0 reads tones"),
    ({"version": 2}, "version"),
]


@pytest.mark.parametrize(("changes", "text"), FALSE)
def test_what_is_no_program_is_refused_by_name(tmp_path, changes, text):
    file = tmp_path / "program.json"
    file.write_text(json.dumps({"sequence": ["halt 0"]} | changes))
    with pytest.raises(ValueError, match=text):
        read_job(file)


def test_files_are_read_by_their_suffix(tmp_path):
    file = tmp_path / "program.json"
    file.write_bytes(packed_program(turned(f"x_{QUBIT}")))
    kind, payload, _ = read_job(file)
    assert (kind, payload) == ("program", file.read_bytes())
    with pytest.raises(ContractError, match="are the most"):
        program_of("program", bytes(MAX_PROGRAM_BYTES + 1))
    (tmp_path / "empty.tasm").write_text("")
    with pytest.raises(ProgramFileError, match="no instruction"):
        read_job(tmp_path / "empty.tasm")


def test_a_source_that_plays_needs_its_tables(run, runner, request_of):
    async def body(service):
        await service.scheduler()
        await service.agent(runner=runner)
        jobs = await service.client()
        payload = await jobs.bus.put(b".group drive, 0\nplay drive, 1\nhalt 0\n")
        job = await jobs.submit((await request_of(jobs)).model_copy(update={"payload": payload}))
        with pytest.raises(UnfinishedError, match=r"submit a file \.json"):
            await jobs.result(job)

    run(body)
