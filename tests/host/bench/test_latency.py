# SPDX-License-Identifier: BSD-2-Clause
"""The ledger of the real fabric: stages add up to what is between the converters, and are what the cores declare."""

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.decoder.table import LOOKUP_CYCLES
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.layouts import EVENT_TO_RELEASE, RESULT_TO_EVENT
from triplane.host.bench import latency
from triplane.sim.models.decoder.lut import fill_table


@pytest.fixture(scope="module")
def loop():
    return latency.Loop.of(latency.DISTANCE, latency.ROUNDS, latency.NOISE)


@pytest.fixture(scope="module")
def board(loop):
    with hal.connect("sim", graph=loop.graph, table=loop.table, fabric=loop.shape) as board:
        table = fill_table(loop.circuit.detector_error_model(decompose_errors=True), loop.table)
        board.load(hal.DecoderProgram.from_table(hal.TableTarget(loop.graph, loop.table), table.words))
        yield board


def test_feedback(board, loop):
    stages = latency.feedback(board, loop, 3, np.random.default_rng(1))
    assert stages == {
        "discriminate": [ReadoutLine.LATENCY] * 3,
        "branch": [RESULT_TO_EVENT + EVENT_TO_RELEASE] * 3,
        "generate": [PulseGenerator.LATENCY] * 3,
        "total": [19] * 3,
    }


def test_reaction(board, loop):
    stages = latency.reaction(board, loop, 3, np.random.default_rng(1))
    assert stages.pop("total") == [25] * 3
    assert [sum(cycles) for cycles in zip(*stages.values(), strict=True)] == [25] * 3
    assert stages["decode"] == [LOOKUP_CYCLES] * 3
    assert stages["generate"] == [PulseGenerator.LATENCY] * 3
