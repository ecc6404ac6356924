# SPDX-License-Identifier: BSD-2-Clause
"""The simulated board through the Board protocol."""

import dataclasses

import numpy as np
import pytest
import stim

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.layouts import LAST, RESULT
from triplane.gateware.decoder.window import reweighted, whole_window
from triplane.hal import errors
from triplane.host.calibration.board import LoadedTable, load_model
from triplane.sim.models.decoder.engine import EngineModel
from triplane.sim.models.decoder.window import WindowModel


def decode(board, code, rounds=None, **options):
    chunks = list(
        board.run(code.rounds if rounds is None else rounds, **{"round_period_cycles": 0} | options)
    )
    return np.concatenate(chunks), chunks


def test_it_is_a_board(board):
    assert isinstance(board, hal.Board)
    assert board.descriptor.name == "sim"


def test_identity(board, code):
    before = board.identify()
    assert (before.name, before.version, before.clock_hz) == (
        "triplane",
        "0.1.0",
        board.descriptor.timing.clock_hz,
    )
    assert before.table_hash == "0" * 64
    board.load(hal.DecoderProgram.from_graph(code.graph))
    assert board.identify() == dataclasses.replace(before, table_hash=whole_window(code.graph).table_hash)
    board.write(board.registers["decoder_table_data"].address, 1)
    assert board.identify().table_hash == "0" * 64


@pytest.mark.parametrize("period", [0, 1, 60])
def test_records_are_those_of_the_model(loaded, code, period):
    records, _ = decode(loaded, code, round_period_cycles=period)
    model, _ = EngineModel(code.plan).decode(code.stream.layers(code.events))
    for field in RESULT.fields:
        if field.name not in ("timestamp_lo", "timestamp_hi", "waited"):
            np.testing.assert_array_equal(records[field.name], model[field.name], err_msg=field.name)
    assert (records["flags"] == LAST).all()
    assert loaded.fault() is None
    assert loaded.get("decoder_windows") == len(code.rounds)
    assert loaded.get("decoder_rounds_in") == len(code.rounds) * len(code.graph.layers)


def test_cadence(loaded, code):
    period = 100
    run = loaded.run(code.rounds, round_period_cycles=period)
    records = np.concatenate(list(run))
    assert (np.diff(records["timestamp_lo"].astype(int)) == period * len(code.graph.layers)).all()
    assert run.pacing == hal.Pacing(
        released=len(code.rounds) * len(code.graph.layers), starved=0, stalled=0, backlog_max=1
    )
    least = len(code.rounds) * len(code.graph.layers) * period
    assert least - period < run.cycles < least + 3000


@pytest.mark.parametrize("where", ["connect", "program"])
def test_corrections_explain_the_events(code, where):
    with hal.connect("sim", graph=code.graph, correction=where == "connect") as board:
        board.load(hal.DecoderProgram.from_graph(code.graph, correction=where == "program"))
        records, chunks = decode(board, code)
    corrections = np.concatenate([chunk.corrections for chunk in chunks])
    assert (code.graph.syndrome_of(corrections) == code.events).all()
    assert (code.graph.observables_of(corrections) == records["observables"]).all()


def test_no_corrections_unless_asked_for(loaded, code):
    _, chunks = decode(loaded, code)
    assert all(chunk.corrections is None for chunk in chunks)


def test_a_run_may_be_left_and_another_started(loaded, code):
    first = loaded.run(np.tile(code.rounds, (40, 1, 1)), round_period_cycles=5)
    assert len(next(first)) < 40 * len(code.rounds)
    records, _ = decode(loaded, code)
    assert len(records) == len(code.rounds)
    with pytest.raises(errors.RecordStreamError, match="started a run of its own"):
        next(first)


def test_records_goes_on_where_the_run_is(loaded, code):
    assert list(loaded.records()) == []
    run = loaded.run(code.rounds, round_period_cycles=30)
    taken = len(next(run))
    rest = sum(len(chunk) for chunk in loaded.records())
    assert taken + rest == len(code.rounds) == run.received


def test_a_run_that_takes_too_long_is_stopped(loaded, code):
    run = loaded.run(code.rounds, round_period_cycles=1_000_000, timeout_s=0.2)
    with pytest.raises(errors.RunTimeoutError, match=r"stopped after 0\.2 s with \d+ of 500 records"):
        list(run)
    assert decode(loaded, code)[0]["sequence"][-1] == 499


def test_ctrl_c_stops_the_rounds(loaded, code, monkeypatch):
    run = loaded.run(np.tile(code.rounds, (40, 1, 1)), round_period_cycles=50)
    next(run)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loaded.simulation, "advance", interrupted)
        with pytest.raises(KeyboardInterrupt):
            next(run)
    released = loaded.get("pacer_released")
    loaded.simulation.run(1000)
    assert loaded.get("pacer_released") == released
    assert len(decode(loaded, code)[0]) == len(code.rounds)


def test_a_fault_ends_the_run_and_the_next_run_clears_it(loaded, code):
    run = loaded.run(code.rounds, round_period_cycles=1000)
    next(run)
    data = loaded.registers["events_data"].address
    loaded.burst_write(data, np.zeros(3000, dtype=np.uint32), increment=False)
    with pytest.raises(
        errors.SafeStateError,
        match=r"went safe after \d+ of 500 records: event_overflow \(cycle \d+\): A word was written",
    ):
        list(run)
    fault = loaded.fault()
    assert fault is not None
    assert fault.stopping == ("event_overflow",)
    decode(loaded, code)
    assert loaded.fault() is None


def test_a_gap_in_the_sequence_is_noticed(loaded, code):
    run = loaded.run(code.rounds, round_period_cycles=60)
    next(run)
    while loaded.registers["link_status"].fields["result_level"].of(loaded.get("link_status")) < RESULT.words:
        loaded.simulation.run(10)
    loaded.burst_read(loaded.registers["results_data"].address, RESULT.words, increment=False)
    with pytest.raises(
        errors.RecordStreamError,
        match=r"record \d+ carries sequence number \d+: a record was lost or doubled",
    ):
        list(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"structure_hash": "0" * 64}, "the program is for structure 000000000000, the board decodes"),
        ({"words": np.ones(3, np.uint32)}, r"the table has shape \(3,\), the board takes \d+ words"),
        ({"words": "float"}, "words of the table must be uint32, not float64"),
        ({"words": (1, 0x01010100)}, "weight of class 0 is 0; a register of 5 bits takes 1 to 31"),
        ({"words": (2, 0x01200101)}, "alternative 2 of class 1 is 32; a register of 5 bits takes 1 to 31"),
        ({"words": (0, 0)}, "first_growth is 0; it must be 1 to"),
        ({"words": (0, 1000)}, "first_growth is 1000; it must be 1 to"),
        ({"passes": 4}, "passes is 4; this board takes 1 to 3"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(loaded, code, change, message):
    words = change.get("words")
    if isinstance(words, str):
        change = {"words": code.plan.table.astype(float)}
    elif isinstance(words, tuple):
        change = {"words": code.plan.table.copy()}
        change["words"][words[0]] = words[1]
    with pytest.raises(errors.ProgramError, match=message):
        loaded.load(dataclasses.replace(hal.DecoderProgram.from_graph(code.graph), **change))
    assert loaded.identify().table_hash == code.plan.table_hash


@pytest.mark.parametrize(
    ("rounds", "options", "message"),
    [
        (lambda r: r[0], {}, r"rounds have shape \(4, 1\); this board takes \(shots, layers, 1\)"),
        (lambda r: r[:, :2], {}, "this window holds shots of 4 layers, not 2"),
        (lambda r: r[:0], {}, "rounds hold no shot"),
        (lambda r: r.astype(float), {}, "rounds have dtype float64; they must be uint32"),
        (
            lambda r: r | np.uint32(4),
            {},
            "shot 0, round 0, word 0 is 0x[4-7]; only the bits 0x3 are detectors",
        ),
        (lambda r: r, {"round_period_cycles": -1}, "round_period_cycles is -1; it must be 0 to 16777215"),
        (lambda r: r, {"round_period_cycles": 2**24}, "round_period_cycles is 16777216"),
        (lambda r: r, {"timeout_s": 0}, "timeout_s is 0; it must be above 0"),
    ],
)
def test_runs_that_make_no_sense_are_refused(loaded, code, rounds, options, message):
    with pytest.raises(errors.ProgramError, match=message):
        decode(loaded, code, rounds(code.rounds), **options)


def test_a_run_needs_a_program(board, code):
    with pytest.raises(errors.ProgramError, match=r"no program is loaded; call load\(\) first"):
        decode(board, code)


PERIOD = 0x2000
"""Address of pacer_period: bank 4."""


@pytest.mark.parametrize(
    ("access", "error", "message"),
    [
        (lambda b: b.read(2), errors.AddressError, "address 0x2 is not a multiple of 4"),
        (
            lambda b: b.read(0xFF00),
            errors.AddressError,
            "no register at address 0xff00; the nearest below is decoder_",
        ),
        (lambda b: b.read(-4), errors.AddressError, "no register at address -0x4"),
        (lambda b: b.read(1.5), errors.AddressError, "an address must be a whole number of bytes, not 1.5"),
        (lambda b: b.write(0, 1), errors.AddressError, "identification_name at 0x0 can only be read"),
        (
            lambda b: b.write(PERIOD, 2**24),
            errors.RegisterValueError,
            "0x1000000 does not fit word 0 of pacer_period, which takes 0 to",
        ),
        (lambda b: b.write(PERIOD, -1), errors.RegisterValueError, "-0x1 does not fit"),
        (lambda b: b.burst_write(PERIOD, []), errors.AddressError, "at least 1 word long, not 0"),
        (lambda b: b.burst_read(0, 0), errors.AddressError, "at least 1 word long, not 0"),
        (lambda b: b.burst_read(0, 10_000), errors.AddressError, "no register at address"),
    ],
)
def test_bad_accesses_name_what_is_wrong(board, access, error, message):
    with pytest.raises(error, match=message):
        access(board)


def test_bursts(board):
    address = board.registers["identification_table_hash"].address
    words = np.arange(8, dtype=np.uint32) + 0xFFFFFFF0
    board.burst_write(address, words)
    assert (board.burst_read(address, 8) == words).all()
    assert board.read(address + 8) == words[2]


def test_a_run_that_its_owner_closed_just_ends(loaded, code):
    run = loaded.run(code.rounds, round_period_cycles=60)
    next(run)
    run.close()
    assert list(run) == []


def test_registers_refuse_what_does_not_fit(board):
    with pytest.raises(
        errors.RegisterValueError, match=r"pacer_period takes 0 to 0xffffff \(24 bits\), not 0x10000000003"
    ):
        board.set("pacer_period", (1 << 40) + 3)
    with pytest.raises(errors.RegisterValueError, match="1.7 is no whole number"):
        board.burst_write(board.registers["pacer_period"].address, [1.7])


def test_the_table_hash_is_that_of_the_tables(loaded, code):
    program = hal.DecoderProgram.from_graph(code.graph)
    changed = dataclasses.replace(program, words=code.other.table)
    loaded.load(changed)
    assert loaded.identify().table_hash == changed.table_hash != code.plan.table_hash
    loaded.load(program)
    assert loaded.identify().table_hash == code.plan.table_hash


def test_close(code):
    board = hal.connect("sim", graph=code.graph)
    board.load(hal.DecoderProgram.from_graph(code.graph))
    run = board.run(code.rounds, round_period_cycles=60)
    next(run)
    board.close()
    board.close()
    with pytest.raises(
        errors.RecordStreamError, match=r"ended after \d+ of \d+ records, since the board was"
    ):
        next(run)
    for use in (
        lambda: board.read(0),
        board.identify,
        lambda: board.load(hal.DecoderProgram.from_graph(code.graph)),
    ):
        with pytest.raises(errors.BoardClosedError, match="the board is closed; connect again"):
            use()


def test_trace(loaded, code, tmp_path):
    path = tmp_path / "window.vcd"
    loaded.trace(path, 500)
    records, _ = decode(loaded, code, code.rounds[:50])
    loaded.trace(None, 0)
    assert path.read_text().count("\n#") >= 900
    again, _ = decode(loaded, code, code.rounds[:50])
    assert (records["observables"] == again["observables"]).all()
    with pytest.raises(errors.BoardError, match="cannot write"):
        loaded.trace(tmp_path / "missing" / "x.vcd", 10)


def test_a_missing_compiler_is_named(code, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(
        errors.BuildError, match=r"needs g\+\+, make, perl, .*`apt-get install g\+\+ make perl binutils`"
    ):
        hal.connect("sim", graph=code.graph)


def test_unknown_boards_are_named(code):
    with pytest.raises(ValueError, match="no driver for board 'zcu216'; there are: sim"):
        hal.connect("zcu216", graph=code.graph)


def test_tables_are_exchanged_between_two_shots(loaded, code):
    """Every record is that of the model with the table that it names, and the change comes once."""
    run = loaded.run(np.tile(code.rounds, (20, 1, 1)), round_period_cycles=20)
    chunks = [next(run)]
    loaded.exchange(hal.DecoderProgram.from_plan(code.other))
    chunks += list(run)
    records = np.concatenate(chunks)
    (old,), (new,) = (
        EngineModel(plan).decode(code.stream.layers(code.events))[:1] for plan in (code.plan, code.other)
    )
    assert set(records["tables"]) == {code.plan.table_crc, code.other.table_crc}
    assert (np.diff((records["tables"] == code.other.table_crc).astype(int)) >= 0).all()
    assert (old["decode_cycles"] != new["decode_cycles"]).any()
    for number, record in enumerate(records):
        model = (old if record["tables"] == code.plan.table_crc else new)[number % len(code.rounds)]
        for field in ("decode_cycles", "observables", "grow_steps", "merge_steps"):
            assert record[field] == model[field], f"record {number}: {field}"


def noisier(code):
    """The same experiment with data errors four times likelier and measurement errors rarer."""
    circuit = stim.Circuit.generated(
        "repetition_code:memory",
        distance=3,
        rounds=3,
        before_round_data_depolarization=0.2,
        before_measure_flip_probability=0.01,
    )
    model = circuit.detector_error_model(decompose_errors=True)
    plan = reweighted(code.plan, compile_graph(model))
    assert plan.table_crc != code.plan.table_crc
    return model, plan


def test_a_model_of_other_noise_is_loaded_into_the_same_gateware(loaded, code):
    model, plan = noisier(code)
    assert load_model(loaded, code.plan, model) == LoadedTable(plan.table_hash, plan.table_crc)
    records, _ = decode(loaded, code)
    layers = code.stream.layers(code.events)
    expected, _ = EngineModel(plan).decode(layers)
    for field in RESULT.fields:
        if field.name not in ("timestamp_lo", "timestamp_hi", "waited"):
            np.testing.assert_array_equal(records[field.name], expected[field.name], err_msg=field.name)
    assert (records["tables"] == plan.table_crc).all()
    np.testing.assert_array_equal(records["frame"], WindowModel(plan).decode(layers).frame)
    assert (records["decode_cycles"] != EngineModel(code.plan).decode(layers)[0]["decode_cycles"]).any()


def test_a_model_is_loaded_while_a_run_goes_on(loaded, code):
    """Every record decodes as the table that it names, before the change and after it."""
    model, plan = noisier(code)
    run = loaded.run(np.tile(code.rounds, (20, 1, 1)), round_period_cycles=20)
    chunks = [next(run)]
    held = load_model(loaded, code.plan, model, live=True)
    records = np.concatenate(chunks + list(run))
    assert set(records["tables"]) == {code.plan.table_crc, held.table_crc}
    shot = np.arange(len(records)) % len(code.rounds)
    for table in (code.plan, plan):
        expected, _ = EngineModel(table).decode(code.stream.layers(code.events))
        mine = records["tables"] == table.table_crc
        for field in ("tables", "decode_cycles", "observables", "grow_steps", "merge_steps", "hardness"):
            np.testing.assert_array_equal(records[field][mine], expected[field][shot[mine]], err_msg=field)


def test_an_exchange_may_not_change_the_records(loaded, code):
    with pytest.raises(errors.ProgramError, match="passes and correction belong to a run"):
        loaded.exchange(hal.DecoderProgram.from_plan(code.other, correction=True))


def test_connect_needs_one_thing_to_decode(code):
    with pytest.raises(ValueError, match="give the graph that the board decodes, or the plan"):
        hal.connect("sim")
    with pytest.raises(ValueError, match="give the graph that the board decodes, or the plan"):
        hal.connect("sim", graph=code.graph, plan=code.plan)
