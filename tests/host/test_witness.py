# SPDX-License-Identifier: BSD-2-Clause
"""What a run on the simulated board did: the models that say so agree with the board bit for bit."""

import dataclasses

import pytest

from triplane.gateware.sequencer.layouts import Kind
from triplane.hal.device import load_device
from triplane.host import witness as module
from triplane.host.bench.resetting import control_program, small_board
from triplane.host.witness import WitnessError, witness
from triplane.sim.qpu import Processor

SHOTS = 40
SOFT = """
.channel line, 3
.slot q, 0
.group line, line arms q
    wait 40
again:
    x90_0
    play line, 0
    capture line, 0, +400
    on.zero q, down, 2000
    x_0
down:
    play line, 0
    capture line, 0, +400
    read r2, q, 2000
    emit r2
    sync
    wait 20
    loop r1, again
    halt 0
"""
"""Words that are given out hold the soft values of the results: 256 ways to be wrong."""


@pytest.fixture(scope="module")
def board():
    with small_board() as board:
        yield board


@pytest.fixture(scope="module")
def device():
    return load_device("one_qubit")


@pytest.fixture(scope="module")
def seen(board, device):
    return witness(board, control_program(device, SOFT), Processor(device, seed=3), {1: SHOTS})


def word(result):
    return (result.soft & 0xFF) << 8 | result.leaked << 1 | result.bit


def test_results_are_those_that_the_board_gave_out(seen):
    read = seen.timeline.results[1::2]
    assert [word(result) for result in read] == seen.execution.outcomes.tolist()
    assert len({word(result) for result in read}) > 5


def test_branches_are_those_that_the_board_took(seen):
    first = seen.timeline.results[::2]
    pulses = [e for e in seen.timeline.played if e.kind == Kind.PLAY and e.channel == 0]
    ones = sum(result.bit for result in first)
    assert 5 < ones < SHOTS - 5
    assert len(pulses) == SHOTS + ones


def test_the_processor_stays_behind_the_board(board, device):
    program = control_program(device, SOFT)
    told = witness(board, program, Processor(device, seed=3), {1: 5}).execution.outcomes
    again = board.execute({1: 5}, limit_cycles=100_000, records=True).outcomes
    assert again.tolist() == told.tolist()


def test_a_board_that_played_something_else_is_noticed(board, device, monkeypatch):
    program = control_program(device, SOFT)
    deaf = type("Deaf", (module.Witness,), {"heard": lambda self, line, first, count: self._none(count)})
    deaf._none = lambda self, count: module.np.zeros((count, 2), module.np.int16)
    monkeypatch.setattr(module, "Witness", deaf)
    with pytest.raises(WitnessError, match="the golden model has played .* the board"):
        witness(board, program, Processor(device, seed=4), {1: SHOTS})


def test_programs_of_which_nothing_can_be_said(board, device):
    program = control_program(device, SOFT)
    with pytest.raises(WitnessError, match="only programs with an epoch"):
        witness(board, dataclasses.replace(program, epoch_register=None), Processor(device))
    with pytest.raises(WitnessError, match="has played nothing"):
        witness(board, control_program(device, "halt 0"), Processor(device))
