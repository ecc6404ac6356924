# SPDX-License-Identifier: BSD-2-Clause
"""Calibrations on the board with an emulated qubit behind it, whose parameters they have to find."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from matplotlib.figure import Figure

from triplane.gateware.dsp.layouts import SCALE_BITS
from triplane.hal.device import load_device
from triplane.host.bench.resetting import small_board
from triplane.host.calibration.experiments import FitError, fit_rabi
from triplane.host.calibration.qubit import (
    Calibration,
    Snapshot,
    SnapshotError,
    StaleSnapshotError,
    StaleSnapshotWarning,
    Station,
    calibrate_readout,
    rabi,
    ramsey,
    relaxation,
)
from triplane.host.calibration.qubit.drawing import blobs_figure, figure_of, plot
from triplane.host.calibration.qubit.routines import judged
from triplane.host.calibration.qubit.saying import said_of
from triplane.host.compiler import demodulation_of
from triplane.host.provenance.store import Store
from triplane.host.small import SHAPE
from triplane.sim.qpu import Processor
from triplane.sim.qpu.gates import turn_pulse

DETUNING_HZ, T1_US, T2_US, RABI_MISSED = 350e3, 4.0, 3.0, 1.08
"""Of the emulated qubit: a short life, so that its board need not be simulated for long."""


def device(**qubit):
    content = load_device("one_qubit").model_dump(mode="json")
    content["qubits"][0] |= {"detuning_hz": DETUNING_HZ, "t1_us": T1_US, "t2_us": T2_US} | qubit
    content["lines"][0]["tones"][0]["t1_us"] = None
    content["lines"][0]["noise_lsb"] /= 3
    return content


@pytest.fixture(scope="module")
def known():
    """The device as it is known before: its qubit's pulses are too strong by `RABI_MISSED`."""
    return type(load_device("one_qubit")).model_validate(device())


@pytest.fixture(scope="module")
def true(known):
    """The device that is emulated."""
    rabi_hz = known.qubits[0].rabi_hz * RABI_MISSED
    return type(known).model_validate(device(rabi_hz=rabi_hz))


@pytest.fixture(scope="module")
def station(known, true):
    with small_board() as board:
        board.attach(Processor(true, seed=11))
        yield Station(board, SHAPE, known)


@pytest.fixture(scope="module")
def results(station):
    """All routines, in the order in which somebody would run them."""
    return [
        calibrate_readout(station, 0, traces=24, shots=192),
        rabi(station, 0, points=25, shots=60),
        ramsey(station, 0, points=31, shots=140),
        relaxation(station, 0, points=13, shots=120),
    ]


def off(found, expected):
    """By how many standard deviations."""
    value, error = found
    return abs(value - expected) / error


def test_all_is_found(results):
    assert [result.complaints for result in results] == [()] * 4
    readout, amplitude, fringe, decay = results
    assert [result.routine for result in results] == ["readout", "rabi", "ramsey", "relaxation"]
    assert off(amplitude.found["x_scale"], 1 / RABI_MISSED) < 4
    assert amplitude.found["x_scale"][1] < 0.02
    assert off(fringe.found["detuning_hz"], DETUNING_HZ) < 4
    assert fringe.found["detuning_hz"][1] < 30e3
    assert off(fringe.found["t2_us"], T2_US) < 4
    assert off(decay.found["t1_us"], T1_US) < 4
    assert readout.zero.shape == readout.one.shape == (192, 2)


def test_weights_are_those_that_the_resonator_asks_for(station, results, true):
    """Measured traces give what the device's parameters give, in phase as in amplitude."""
    tone = np.array([1, 1j])
    measured = station.demodulations[0].weights[0] @ tone
    computed = demodulation_of(true, 0, (1,)).weights[0] @ tone
    overlap = np.vdot(computed, measured) / np.linalg.norm(computed) / np.linalg.norm(measured)
    assert abs(overlap) > 0.85
    assert abs(np.angle(overlap)) < 0.1


def test_a_snapshot_is_what_was_found(tmp_path, station, results, known, true):
    store = Store(tmp_path)
    snapshot = Snapshot.of(known, "ab" * 32, results, store=store)
    name = snapshot.put(store)
    again = Snapshot.get(store, name)
    assert again == snapshot
    assert again.put(store) == name
    evidence = snapshot.qubits[0].evidence
    assert set(evidence) == {"readout", "rabi", "ramsey", "relaxation"}
    assert all(digest in store for digest in evidence.values())
    # The device as it was found is the one that is emulated.
    found, meant = snapshot.applied_to(known).qubits[0], true.qubits[0]
    assert found.rabi_hz == pytest.approx(meant.rabi_hz, rel=0.02)
    assert found.frequency_hz == pytest.approx(meant.frequency_hz + DETUNING_HZ, abs=60e3)
    assert found.frequency_hz + found.detuning_hz == pytest.approx(meant.frequency_hz + DETUNING_HZ)
    other = load_device("two_qubit")
    with pytest.raises(SnapshotError, match="is of one_qubit, and the device is two_qubit"):
        snapshot.applied_to(other)


def test_a_stale_snapshot_is_said_to_be_stale(tmp_path, results, known):
    then = datetime(2026, 11, 1, 12, tzinfo=UTC)
    snapshot = Snapshot.of(known, "ab" * 32, results, store=Store(tmp_path), ttl_s=3600, now=then)
    snapshot.check_fresh(then + timedelta(minutes=59))
    assert not snapshot.is_stale(then + timedelta(hours=1))
    with pytest.raises(
        StaleSnapshotError, match=r"is 1\.5 h old and was to be believed for 1 h: calibrate again"
    ):
        snapshot.check_fresh(then + timedelta(minutes=90))
    assert snapshot.is_stale()
    with pytest.warns(
        StaleSnapshotWarning, match="the calibration of one_qubit is stale: .* calibrate again"
    ):
        snapshot.applied_to(known)


def test_what_is_no_snapshot(tmp_path):
    store = Store(tmp_path)
    for content in (b"no json", b"{}", b'{"schema_version": 2}'):
        with pytest.raises(SnapshotError, match="is no calibration snapshot"):
            Snapshot.get(store, store.put(content))


def test_a_long_fringe_alone_does_not_say_which_side(station):
    """Its periods repeat where the frame is turned a little: a short sweep says first where the qubit is."""
    content = device(t1_us=30.0, t2_us=12.0, detuning_hz=420e3)
    slow = type(station.device).model_validate(content)
    station.board.attach(Processor(slow, seed=2))
    found = Station(station.board, SHAPE, slow, dict(station.demodulations), dict(station.floors))
    alone = ramsey(found, 0, points=13, shots=30, expected_detuning_hz=0.0)
    assert off(alone.found["detuning_hz"], 420e3) > 20
    both = ramsey(found, 0, points=13, shots=30)
    assert off(both.found["detuning_hz"], 420e3) < 4
    assert both.found["detuning_hz"][1] < 20e3


def test_a_qubit_that_is_not_there(station, known):
    """Its channel drives nothing: no oscillation, and nobody takes it for one."""
    content = known.model_dump(mode="json")
    content["qubits"][0]["rabi_hz"] *= 1e3  # pulses too weak to turn anything
    weak = Station(
        station.board,
        SHAPE,
        type(known).model_validate(content),
        dict(station.demodulations),
        dict(station.floors),
    )
    with pytest.raises(FitError, match="Rabi: 9 points do not determine turns"):
        rabi(weak, 0, points=9, shots=20)


def test_what_is_not_to_be_believed_goes_into_no_snapshot(tmp_path, results, known):
    """Points that no curve goes through, and a curve that hardly moves."""
    good = results[1]
    scattered = np.roll(good.populations, 7)
    flat = 0.5 + 0.3 * (good.populations - 0.5)
    for populations, says in ((scattered, "misses the points"), (flat, "visibility")):
        fit = fit_rabi(good.x, populations) if populations is flat else good.fit
        found = judged(replace(good, populations=populations, fit=fit), "x_scale")
        assert not found.good
        assert says in " ".join(found.complaints)
        with pytest.raises(SnapshotError, match="rabi of qubit 0 is not to be believed"):
            Snapshot.of(known, "ab" * 32, [good, found], store=Store(tmp_path))
        assert not list(tmp_path.rglob("*"))
    assert judged(good, "x_scale") == good


def test_a_sweep_that_the_sequencer_cannot_wait_for(station):
    with pytest.raises(ValueError, match="sweep less far"):
        relaxation(station, 0, expected_t1_s=1e-3)


def test_figures(tmp_path, results):
    figure = figure_of(results)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 4
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0].startswith("q0, readout\n0 read as 1: ")
    assert "T1 = " in titles[3]
    curve = figure.axes[1].lines[-1]
    assert isinstance(results[1], Calibration)
    np.testing.assert_allclose(curve.get_ydata(), results[1].fit.curve(curve.get_xdata()))
    path = tmp_path / "calibration.png"
    plot(results, path)
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_the_line_between_blobs_is_the_decision(results):
    """Points on it are equally likely of both states; shots on either side are read as that state."""
    readout = results[0]
    axes = blobs_figure(readout).axes[0]
    (line,) = [line for line in axes.lines if line.get_label() == "decision"]
    unit = readout.zero[0, 0] / axes.collections[0].get_offsets()[0, 0]
    through = unit * np.array([line.get_xy1(), line.get_xy2()])
    assert np.abs(readout.discriminant.ratios(through)).max() < 1e-6
    assert np.abs(readout.discriminant.ratios(readout.one)).max() > 1


def test_a_notebook_shows_a_result_and_what_speaks_against_it(results):
    doubtful = replace(results[1], complaints=("the curve <misses> the points",))
    for result in [*results, doubtful]:
        html = result._repr_html_()
        assert 'src="data:image/png;base64,iVBOR' in html
        assert ("the curve &lt;misses&gt; the points" in html) == (result is doubtful)
    assert "NOT BELIEVED" in figure_of([doubtful]).axes[0].get_title(loc="left")


def test_a_notebook_shows_a_snapshot_and_its_age(tmp_path, results, known):
    then = datetime.now(UTC) - timedelta(hours=30)
    for ttl_s, says in ((48 * 3600, "30 h old, believed for 48 h"), (3600, "stale: 30 h old")):
        snapshot = Snapshot.of(known, "ab" * 32, results, store=Store(tmp_path), ttl_s=ttl_s, now=then)
        html = snapshot._repr_html_()
        assert says in html
        assert all(word in html for word in ("T1", "1 read as 0", "kHz", "<td>q0</td>"))


@pytest.mark.parametrize(
    ("name", "found", "text"),
    [
        ("t1_us", (41.234, 0.81), ("T1", "41.23 ± 0.81 µs")),
        ("detuning_hz", (339279.4, 10440.2), ("detuning", "339 ± 10 kHz")),
        ("readout_error1", (0.135, 0.039), ("1 read as 0", "13.5 ± 3.9 %")),
        ("t2_us", (3.0, 0.0), ("T2*", "3.0000 ± 0.0000 µs")),
        ("unknown", (12345.0, 678.0), ("unknown", "12345 ± 678")),
    ],
)
def test_numbers_as_people_say_them(name, found, text):
    assert said_of(name, *found) == text


@pytest.mark.parametrize("qubit", range(5))
def test_a_sweep_of_amplitudes_stays_below_full_scale(qubit):
    """Pulses of line5 are stronger than half of it."""

    class Sweep:
        device = load_device("line5")

        def populations(self, qubit, body, registers, *, points, shots, cycles):
            ((_, step),) = registers
            self.amplitudes = np.arange(points) * step / 2**SCALE_BITS
            return np.sin(np.pi / 2 * self.amplitudes) ** 2

    sweep = Sweep()
    found = rabi(sweep, qubit, points=21, shots=100)
    peak = np.abs(turn_pulse(sweep.device.qubits[qubit], np.pi)).max()
    assert 0.9 < sweep.amplitudes.max() * peak < 1
    assert found.found["x_scale"][0] == pytest.approx(1, abs=0.01)
