# SPDX-License-Identifier: BSD-2-Clause
"""The whole way: a data set in, a model, a report, a figure, a manifest and loaded tables out."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pymatching
import pytest
import stim
from rich.console import Console

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import whole_window
from triplane.host import cli
from triplane.host.calibration import command
from triplane.host.calibration.board import LoadedTable, load_model, weights_for
from triplane.host.calibration.command import FITTED, PUBLISHED_NAME, REFERENCE, calibrate
from triplane.host.calibration.estimate import CalibrationError
from triplane.host.calibration.report import plot_calibration, print_report
from triplane.host.replay.datasets import load_dataset
from triplane.host.replay.sampling import memory_circuit, sample_dataset

SHOTS = 6_000


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Shots of one circuit beside the model of another: the reference is wrong by a factor of three."""
    folder = tmp_path_factory.mktemp("data") / "experiment"
    folder.mkdir()
    circuit = memory_circuit(distance=3, rounds=3, probability=0.009)
    events, flips = circuit.compile_detector_sampler(seed=7).sample(SHOTS, separate_observables=True)
    memory_circuit(distance=3, rounds=3, probability=0.003).detector_error_model(
        decompose_errors=True
    ).to_file(folder / "circuit_detector_error_model.dem")
    for name, file_format, bits in (
        ("detection_events.b8", "b8", events),
        ("obs_flips_actual.01", "01", flips),
    ):
        stim.write_shot_data_file(
            data=bits, path=str(folder / name), format=file_format, num_detectors=bits.shape[1]
        )
    return folder


@pytest.fixture(scope="module")
def calibrated(experiment):
    return calibrate(load_dataset([experiment]), "even")


@pytest.fixture
def triplane(tmp_path, monkeypatch, capsys):
    """Runs the command in this process: exit code, standard output and error."""

    def run(*arguments):
        code = cli.app([str(argument) for argument in arguments], standalone_mode=False)
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=code or 0, stdout=printed.out, stderr=printed.err)

    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    return run


def test_one_half_is_fitted_and_the_other_judges(calibrated, experiment):
    assert calibrated.estimate.shots == calibrated.judged == SHOTS // 2
    dataset = load_dataset([experiment])
    predicted = pymatching.Matching(calibrated.model).decode_batch(dataset.events[1::2])
    (fitted,) = [j for j in calibrated.judgements if j.name == FITTED]
    failures = int((predicted != dataset.observables[1::2]).any(axis=1).sum())
    assert fitted.rates["pymatching"].failures == failures
    assert {j.name for j in calibrated.judgements} == {REFERENCE, FITTED}


def test_what_is_fitted_does_not_hang_on_the_other_half(experiment):
    dataset = load_dataset([experiment])
    alone = calibrate(dataset, "odd", compare=False)
    even = np.arange(SHOTS) % 2 == 0
    dataset.events[even] = False
    np.testing.assert_array_equal(calibrate(dataset, "odd", compare=False).estimate.raw, alone.estimate.raw)


def test_all_shots_warn(experiment):
    found = calibrate(load_dataset([experiment], shots=500), "all")
    assert found.estimate.shots == found.judged == 500
    assert any("the shots that it was fitted on" in warning for warning in found.warnings)


def test_arguments(experiment):
    dataset = load_dataset([experiment])
    with pytest.raises(CalibrationError, match="fit must be even, odd, all, not 'some'"):
        calibrate(dataset, "some")
    with pytest.raises(CalibrationError, match="of 1 shot none is left to judge by; give at least 200"):
        calibrate(load_dataset([experiment], shots=1), "even")


def test_the_command(experiment, tmp_path, triplane):
    done = triplane("calibrate-decoder", experiment, "--json", "out.json", "--plot", "out.png")
    assert done.returncode == 0, done.stderr
    assert "3,000 even shots fitted" in done.stdout
    assert "logical error rate of 3,000 odd shots" in done.stdout
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["fit"] == "even"
    assert content["shots_fitted"] == content["shots_judged"] == SHOTS // 2
    assert len(content["groups"]) == content["probabilities"]
    assert sum(group["clipped"] for group in content["groups"]) == content["clipped"]
    rates = content["logical_error_rate"]
    assert set(rates) == {"reference", "fitted"}
    assert set(rates["fitted"]) == {"pymatching", "correlated_pymatching", "one_pass", "two_passes", "loaded"}
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")

    # Replay takes the model as it is, and by its name knows the half that it may decode.
    written = tmp_path / "fitted_from_even_for_odd.dem"
    replayed = load_dataset([experiment], model=written)
    assert replayed.indices.tolist() == list(range(1, SHOTS, 2))
    assert compile_graph(replayed.model).num_detectors == 24
    with pytest.raises(
        CalibrationError, match="3000 shots are of one half, so none are left to fit; take a reference"
    ):
        calibrate(replayed, "even")

    verified = triplane("report", content["run"], "--json")
    assert verified.returncode == 0, verified.stderr
    report = json.loads(verified.stdout)
    assert report["verified"]
    manifest = report["manifest"]
    assert set(manifest["inputs"]) == {"model", "events", "observables"}
    assert manifest["outputs"]["model"]["bytes"] == len(written.read_bytes())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fit", "some"], "--fit must be even, odd, all, not 'some'"),
        (["--out", "model.txt"], "error models are .dem; name it model.dem"),
        (["--board", "mars"], "no driver for board 'mars'; there are: sim"),
        (["--floor", "0.7"], "floor must be above 0 and below 0.5, not 0.7"),
        (["--plot", "a.pdf"], "figures are PNG"),
        (["--shots", "150"], "75 shots are too few"),
        (["--shots", "1"], "of 1 shot none is left to judge by; give at least 200"),
        (["--out", "a.dem", "--json", "a.dem"], "is named by"),
    ],
)
def test_errors_are_one_message(experiment, tmp_path, triplane, arguments, message):
    done = triplane("calibrate-decoder", experiment, *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.suffix] == []


def test_report_and_figure(calibrated, tmp_path):
    console = Console(file=io.StringIO(), width=80)
    print_report(calibrated, console)
    text = console.file.getvalue()
    for judgement in calibrated.judgements:
        assert f"{judgement.rates['two_passes'].rate:.4f}" in text
    plot_calibration(calibrated, tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_size > 10_000


def test_the_board_holds_what_was_fitted():
    circuit = stim.Circuit.generated(
        "repetition_code:memory",
        distance=3,
        rounds=3,
        before_round_data_depolarization=0.05,
        before_measure_flip_probability=0.05,
    )
    dataset = sample_dataset(circuit, name="code", shots=2_000, seed=5, properties={})
    model = calibrate(dataset, "all", compare=False).model
    plan = whole_window(compile_graph(dataset.model))
    fitted = weights_for(plan, model)
    assert fitted.structure_hash == plan.structure_hash
    assert fitted.weights.tolist() != plan.weights.tolist()
    with hal.connect("sim", plan=plan) as board:
        assert load_model(board, plan, dataset.model) == LoadedTable(plan.table_hash, plan.table_crc)
        assert load_model(board, plan, model) == LoadedTable(fitted.table_hash, fitted.table_crc)
        assert board.identify().table_hash == fitted.table_hash != plan.table_hash
        assert board.read(board.registers["decoder_table_active"].address) == fitted.table_crc


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("error(0.1) D0 D1\nerror(0.1) D1 L0", "the graph lacks edge D0 boundary"),
        ("error(0.1) D0 D1\nerror(0.1) D0\nerror(0.01) D0 L0", "flips observables 0b0 in the graph and 0b1"),
        ("error(0.1) D0 D1\nerror(0.1) D0 L0\ndetector D2", "3 detectors in 1 layers are not the window's 2"),
    ],
)
def test_another_structure_is_refused(text, reason):
    plan = whole_window(compile_graph(stim.DetectorErrorModel("error(0.1) D0 D1\nerror(0.1) D0 L0")))
    with pytest.raises(CalibrationError, match=f"does not fit the gateware that was built: .*{reason}"):
        weights_for(plan, stim.DetectorErrorModel(text))


@pytest.mark.parametrize(
    ("name", "gain"),
    [("surface_code_bX_d3_r05_center_3_5", 0.99), ("surface_code_bX_d5_r05_center_5_5", 0.995)],
)
def test_sycamore(name, gain, published_data):
    """Fitted on even shots, every decoder fails less often on the odd ones than with the circuit's model."""
    folder = published_data("google_sycamore_2022") / name
    found = calibrate(load_dataset([folder]), "even")
    rates = {j.name: j.rates for j in found.judgements}
    assert set(rates) == {REFERENCE, FITTED, PUBLISHED_NAME}
    # Classes of the reference's window average what was estimated apart
    loaded = rates[FITTED].pop("loaded")
    assert loaded.rate < 1.02 * rates[FITTED]["two_passes"].rate
    for decoder, rate in rates[FITTED].items():
        assert rate.rate < gain * rates[REFERENCE][decoder].rate
        assert rate.rate < 1.02 * rates[PUBLISHED_NAME][decoder].rate
    assert command.MODEL_NAMES["even"] == "fitted_from_even_for_odd.dem"
    assert len(found.pairs.strangers()) > 10
