# SPDX-License-Identifier: BSD-2-Clause
"""A surface-code memory in the closed loop, against golden models, Stim's converter, and what a memory must be."""

import dataclasses
import os

import numpy as np
import pytest

from triplane import hal
from triplane.hal.errors import ProgramError
from triplane.host.compiler.memory import MemoryExperiment
from triplane.host.runtime.memory import MemoryRunError, Processors, run_memory
from triplane.sim.models.decoder.window import WindowModel

ROUNDS, SHOTS, PASSES = 13, 8, 2

long = pytest.mark.skipif(
    os.environ.get("LOOP") != "all",
    reason="its board takes a quarter of an hour to compile; LOOP=all runs it",
)


@pytest.fixture(scope="module")
def experiment():
    return MemoryExperiment.of(3)


@pytest.fixture(scope="module")
def board(experiment):
    with hal.connect("sim", plan=experiment.plan, fabric=experiment.shape) as board:
        board.load(hal.DecoderProgram.from_plan(experiment.plan, passes=PASSES))
        yield board


@pytest.fixture(scope="module")
def processors(board, experiment):
    return Processors(board, experiment, seed=11)


@pytest.fixture(scope="module")
def run(board, experiment, processors):
    seen = []
    run = run_memory(
        board, experiment, rounds=ROUNDS, shots=SHOTS, prepare=processors.attach, progress=seen.append
    )
    assert seen == list(range(1, SHOTS + 1))
    return run


def test_every_window_is_the_golden_models(run, experiment):
    assert run.events.shape == (SHOTS, ROUNDS + 1, 8)
    expected = WindowModel(experiment.plan, PASSES).decode(run.events)
    np.testing.assert_array_equal(run.results["decode_cycles"], expected.cycles)
    np.testing.assert_array_equal(run.results["observables"], expected.observables)
    np.testing.assert_array_equal(run.flips, expected.frame & 1)


def test_it_is_a_memory_of_little_noise(run, experiment, processors):
    """As many detection events as Stim expects of the noise that came with the pulses that were played."""
    circuit = experiment.circuit(ROUNDS, processors.schedule)
    sampled = circuit.compile_detector_sampler(seed=3).sample(20_000)
    counts = run.events.sum(axis=(1, 2))
    expected = sampled.sum(axis=1)
    assert abs(counts.mean() - expected.mean()) < 4 * expected.std() / np.sqrt(SHOTS)
    assert counts.sum() > 0
    assert run.logical.sum() <= 2


def test_pulses_that_were_played_are_the_codes(experiment, processors):
    """Without noise every detector of the circuit that they make is 0, and so is the observable."""
    circuit = experiment.circuit(ROUNDS, processors.schedule).without_noise()
    events, flips = circuit.compile_detector_sampler().sample(64, separate_observables=True)
    assert not events.any()
    assert not flips.any()
    assert circuit.num_detectors == 4 + 8 * (ROUNDS - 1) + 4


def test_a_long_memory_has_records_of_all_rounds(board, experiment):
    """More records than the FIFOs hold: they are taken while the program runs."""
    rounds = 150
    long = run_memory(
        board, experiment, rounds=rounds, shots=1, prepare=Processors(board, experiment, seed=5).attach
    )
    assert long.results.size * 10 > 512
    assert (np.diff(long.results["sequence"][0].astype(int)) == 1).all()
    expected = WindowModel(experiment.plan, PASSES).decode(long.events)
    np.testing.assert_array_equal(long.results["observables"], expected.observables)


def test_what_is_not_there_is_said(board, experiment, monkeypatch):
    with pytest.raises(ValueError, match="rounds must be at least 6 for windows of 6 layers, not 5"):
        experiment.program(5)

    execute = board.execute
    monkeypatch.setattr(
        board,
        "execute",
        lambda *a, **b: dataclasses.replace(ended := execute(*a, **b), rounds=ended.rounds[1:]),
    )
    with pytest.raises(
        MemoryRunError, match="shot 0 has records of 13 rounds and 5 windows, not of 14 and 5"
    ):
        run_memory(
            board, experiment, rounds=ROUNDS, shots=1, prepare=Processors(board, experiment, seed=1).attach
        )
    with pytest.raises(ProgramError, match="rounds is 0 to"):
        dataclasses.replace(experiment.program(ROUNDS), rounds=-1).check(experiment.shape)


@long
def test_distance_5():
    """Decoded as the golden model does, on as many detection events as Stim expects."""
    experiment, rounds, shots = MemoryExperiment.of(5), 25, 4
    with hal.connect("sim", plan=experiment.plan, fabric=experiment.shape) as board:
        board.load(hal.DecoderProgram.from_plan(experiment.plan, passes=PASSES))
        processors = Processors(board, experiment, seed=11)
        run = run_memory(board, experiment, rounds=rounds, shots=shots, prepare=processors.attach)
    assert run.events.shape == (shots, rounds + 1, 24)
    expected = WindowModel(experiment.plan, PASSES).decode(run.events)
    np.testing.assert_array_equal(run.results["decode_cycles"], expected.cycles)
    np.testing.assert_array_equal(run.results["observables"], expected.observables)
    np.testing.assert_array_equal(run.flips, expected.frame & 1)
    circuit = experiment.circuit(rounds, processors.schedule)
    events, flips = circuit.without_noise().compile_detector_sampler().sample(16, separate_observables=True)
    assert not events.any()
    assert not flips.any()
    counts = circuit.compile_detector_sampler(seed=3).sample(4_000).sum(axis=1)
    assert abs(run.events.sum(axis=(1, 2)).mean() - counts.mean()) < 4 * counts.std() / np.sqrt(shots)
    assert run.logical.sum() <= 1
