# SPDX-License-Identifier: BSD-2-Clause
"""The replay against a stand-in board: what is computed, what is refused, what is left after a
cancellation.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pymatching
import pytest
import stim

from triplane.gateware.decoder.layouts import RESULT, UNMATCHED
from triplane.host.provenance import Store, verify_run
from triplane.host.replay.datasets import DatasetError, load_dataset
from triplane.host.replay.result import OptionsError, ReplayOptions, record
from triplane.host.replay.session import BACK_TO_BACK, ReplayError, replay, unpack_observables


def spoil_one(field: str, shot: int, value: int) -> Any:
    def spoil(records: Any) -> Any:
        records[field][shot] = value
        return records

    return lambda board: setattr(board, "spoil", spoil)


def test_same_shots_same_rate(sampled: Any, fake_board: Any) -> None:
    result = replay(sampled, connect=fake_board.connect)
    matching = pymatching.Matching(sampled.model).decode_batch(sampled.events)
    failures = int((matching != sampled.observables).any(axis=1).sum())
    assert result.rate.failures == failures > 0
    assert (result.records["decode_cycles"] == 4 + 3 * sampled.events.sum(axis=1)).all()
    assert fake_board.board.runs == [(500, BACK_TO_BACK)]
    assert fake_board.board.closed


def test_json_has_what_scripts_read(sampled: Any, fake_board: Any) -> None:
    result = replay(sampled, ReplayOptions(deadline_ns=100), connect=fake_board.connect)
    written = json.loads(json.dumps(dataclasses.replace(result, run="ab" * 32).as_json(), allow_nan=False))
    cycles = 4 + 3 * sampled.events.sum(axis=1)
    assert written["shots"] == 500
    assert written["logical_error_rate"] == result.rate.failures / 500
    assert written["references"]["pymatching"] == written["logical_error_rate"]
    assert written["latency"]["decode"]["cycles"]["max"] == cycles.max()
    assert written["latency"]["decode"]["cycles"]["mean"] == pytest.approx(cycles.mean())
    assert written["latency"]["decode"]["misses"] == (cycles * 1e9 / 245.76e6 > 100).sum()
    assert written["latency"]["decode"]["deadline"] == {"cycles": 24, "ns": 100}
    assert written["pacing"] is None
    assert written["latency"]["decode"]["ns"]["max"] == pytest.approx(cycles.max() * 1e9 / 245.76e6, abs=1e-3)
    low, high = written["confidence_interval"]
    assert low < written["logical_error_rate"] < high
    assert written["clock_hz"] == 245_760_000
    assert written["run"] == "ab" * 32
    assert written["simulated"] is True
    assert written["throughput"]["cycles"] == 50_000


def test_round_period(sampled: Any, fake_board: Any) -> None:
    replay(sampled, ReplayOptions(round_ns=1000), connect=fake_board.connect)
    assert fake_board.board.runs == [(500, 246)]


def test_longest_round(sampled: Any, fake_board: Any) -> None:
    replay(sampled, ReplayOptions(round_ns=68_266_662), connect=fake_board.connect)
    fake_board.board = None
    with pytest.raises(OptionsError, match=r"at most 68266662 ns .*16777215 cycles.* not 68266667"):
        replay(sampled, ReplayOptions(round_ns=68_266_667), connect=fake_board.connect)
    assert fake_board.board is None


def test_pacing_needs_a_cadence(sampled: Any, fake_board: Any) -> None:
    result = replay(sampled, ReplayOptions(round_ns=1000), connect=fake_board.connect)
    assert result.as_json()["pacing"] == {
        "released": 3000,
        "starved": 0,
        "stalled": 2,
        "backlog_max": 5,
        "backlog_saturated": False,
    }
    full = dataclasses.replace(result, pacing=dataclasses.replace(result.pacing, backlog_max=65_535))
    assert full.as_json()["pacing"]["backlog_saturated"] is True


def test_half_of_the_shots(written: Path, sampled: Any, fake_board: Any) -> None:
    sampled.model.to_file(written / "pij_from_even_for_odd.dem")
    half = load_dataset([written], model="pij_from_even_for_odd.dem", shots=100)
    result = replay(half, connect=fake_board.connect)
    assert (result.records["decode_cycles"] == 4 + 3 * sampled.events[1:201:2].sum(axis=1)).all()
    zeros = result.as_json()["references"]["published_zeros"]
    assert zeros == sampled.observables[1:201:2].any(axis=1).mean()


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("sequence", 7, "record of shot 300 .* carries sequence number 7: a record was lost or doubled"),
        ("tables", 0xABC, "record of shot 300 .* was decoded with the table of CRC 0x00000abc"),
        ("decode_cycles", 60_000, "record of shot 300 .* took 60000 cycles to decode, above the bound of"),
        ("flags", UNMATCHED, "record of shot 300 .* neither a partner nor a boundary explains"),
    ],
)
def test_bad_records_are_refused(sampled: Any, fake_board: Any, field: str, value: int, match: str) -> None:
    fake_board.prepare = spoil_one(field, 300, value)
    with pytest.raises(ReplayError, match=match):
        replay(sampled, connect=fake_board.connect)
    assert fake_board.board.closed


def test_the_shot_is_named_by_its_index_in_the_file(written: Path, sampled: Any, fake_board: Any) -> None:
    sampled.model.to_file(written / "pij_from_even_for_odd.dem")
    fake_board.prepare = spoil_one("flags", 3, UNMATCHED)
    with pytest.raises(ReplayError, match=r"record of shot 3 \(index 7 in the file\)"):
        replay(load_dataset([written], model="pij_from_even_for_odd.dem"), connect=fake_board.connect)


def test_missing_records(sampled: Any, fake_board: Any) -> None:
    fake_board.prepare = lambda board: setattr(board, "spoil", lambda records: records[:400])
    with pytest.raises(ReplayError, match="answered 400 of 500 shots"):
        replay(sampled, connect=fake_board.connect)


def test_surplus_records(sampled: Any, fake_board: Any) -> None:
    def spoil(records: Any) -> Any:
        longer = np.concatenate([records, np.zeros(300, RESULT.dtype)])
        longer["sequence"] = np.arange(800)
        longer["tables"] = records["tables"][0]
        return longer

    fake_board.prepare = lambda board: setattr(board, "spoil", spoil)
    with pytest.raises(ReplayError, match="sent 512 records for 500 shots"):
        replay(sampled, connect=fake_board.connect)


def test_model_that_no_board_can_decode(sampled: Any) -> None:
    def connect(*_: Any, **__: Any) -> Any:
        raise ValueError("the worst case of 70000 cycles does not fit")

    with pytest.raises(ReplayError, match="sampled: no board can decode this model: the worst case of 70000"):
        replay(sampled, connect=connect)


def test_damaged_cache_is_not_blamed_on_the_model(sampled: Any) -> None:
    def connect(*_: Any, **__: Any) -> Any:
        return json.loads("{")

    with pytest.raises(ReplayError, match=r"the cached build of the board is damaged .*delete it"):
        replay(sampled, connect=connect)


def test_gateware_of_another_bound(sampled: Any, fake_board: Any) -> None:
    def prepare(board: Any) -> None:
        board.registers["decoder_status"].fields["bound"].of = lambda value: 7

    fake_board.prepare = prepare
    with pytest.raises(ReplayError, match="states a bound of 7 cycles, the graph's is"):
        replay(sampled, connect=fake_board.connect)


def test_fault(sampled: Any, fake_board: Any) -> None:
    fake_board.prepare = lambda board: setattr(board, "fault", lambda: "event FIFO overflow")
    with pytest.raises(ReplayError, match="fault after shot 499: event FIFO overflow"):
        replay(sampled, connect=fake_board.connect)


def test_cancelled_while_streaming(sampled: Any, fake_board: Any) -> None:
    fake_board.prepare = lambda board: setattr(board, "error_after", (200, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        replay(sampled, connect=fake_board.connect)
    assert fake_board.board.closed


def test_waveform_is_whole_or_absent(sampled: Any, fake_board: Any, tmp_path: Path) -> None:
    vcd = tmp_path / "first.vcd"
    replay(sampled, ReplayOptions(vcd=vcd, vcd_shots=3), connect=fake_board.connect)
    assert fake_board.board.runs == [(3, BACK_TO_BACK), (500, BACK_TO_BACK)]
    assert [path.name for path in tmp_path.glob("*.vcd*")] == ["first.vcd"]
    vcd.unlink()
    fake_board.prepare = lambda board: setattr(board, "error_after", (0, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        replay(sampled, ReplayOptions(vcd=vcd), connect=fake_board.connect)
    assert not list(tmp_path.rglob("*.vcd*")) + list(tmp_path.rglob("*.partial"))


def test_waveform_goes_where_a_link_leads(sampled: Any, fake_board: Any, tmp_path: Path) -> None:
    link, null = tmp_path / "link.vcd", tmp_path / "null"
    link.symlink_to("real.vcd")
    null.symlink_to("/dev/null")
    for path in (link, null):
        replay(sampled, ReplayOptions(vcd=path), connect=fake_board.connect)
        assert path.is_symlink()
    assert (tmp_path / "real.vcd").read_text() == "$end\n"
    assert not list(tmp_path.rglob("*.partial"))


def test_undecomposable_model_is_named(sampled: Any, written: Path) -> None:
    (written / "hyper.dem").write_text("error(0.1) D0 D1 D2 L0\ndetector D23\n")
    with pytest.raises(DatasetError, match=r"hyper.dem: .*D0 D1 D2 L0.* no decomposition into edges"):
        replay(load_dataset([written], model="hyper.dem"))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"round_ns": float("nan")}, "round_ns must be 1 to 1e.09 ns, not nan"),
        ({"deadline_ns": 0.5}, "deadline_ns must be .* not 0.5"),
        ({"round_ns": float("inf")}, "round_ns must be .* not inf"),
        ({"vcd_shots": 0}, "vcd_shots must be at least 1, not 0"),
        ({"passes": 4}, "passes must be 1 to 3, not 4"),
        ({"passes": 2, "decoder": "table"}, "a lookup table is read once; passes must be 1, not 2"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionsError, match=match):
        ReplayOptions(**options)


def test_observable_words() -> None:
    words = np.array([0b101, 0b010], dtype=np.uint32)
    assert unpack_observables(words, 3).tolist() == [[True, False, True], [False, True, False]]


def test_several_observables(fake_board: Any, sampled: Any, tmp_path: Path) -> None:
    (tmp_path / "m.dem").write_text(
        "error(0.1) D0 L0\nerror(0.1) D0 D1 L1\nerror(0.1) D1 D2 L2\nerror(0.1) D2\n"
    )
    model = stim.DetectorErrorModel.from_file(tmp_path / "m.dem")
    events, flips, _ = model.compile_sampler(seed=3).sample(200)
    stim.write_shot_data_file(
        data=np.concatenate([events, flips], axis=1),
        path=str(tmp_path / "s.01"),
        format="01",
        num_detectors=3,
        num_observables=3,
    )
    dataset = load_dataset([tmp_path])
    fake_board.prepare = lambda board: setattr(board, "matching", pymatching.Matching(model))
    result = replay(dataset, connect=fake_board.connect)
    wrong = (pymatching.Matching(model).decode_batch(events) != flips).any(axis=1).sum()
    assert result.rate.failures == wrong > 0


def test_what_was_decoded_is_recorded(
    written: Path, fake_board: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path / "home"))
    dataset = load_dataset([written])
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    result = replay(dataset, connect=fake_board.connect)
    for path in written.iterdir():
        path.write_bytes(b"changed")
    (written / "detection_events.b8").unlink()
    manifest = verify_run(record(result, ["triplane"]).run).manifest
    assert len(manifest.inputs) == 5
    for artefact in manifest.inputs.values():
        name = Path(artefact.source).name
        assert artefact.source == str(written / name)
        assert Store().get(artefact.sha256) == before[name]
