# SPDX-License-Identifier: BSD-2-Clause
"""Programs against the distributions that stand in their comments, worked out by hand."""

import numpy as np
import pytest

from triplane.host.bench.dynamic.corpus import examples
from triplane.host.compiler.qasm import QasmError, loads

PROGRAMS = examples()
SHOTS = 4000
SIGMAS = 5


RUN = [example for example in PROGRAMS if example.refusal is None]
REFUSED = [example for example in PROGRAMS if example.refusal is not None]


def name(example):
    return example.name


@pytest.mark.parametrize("example", RUN, ids=name)
def test_a_program_has_the_distribution_worked_out_by_hand(example, distribution):
    wanted = example.expected
    assert sum(wanted.values()) == pytest.approx(1)
    found = {key: value for key, value in distribution(loads(example.source)).items() if value > 1e-9}
    assert found == pytest.approx(wanted, abs=1e-9)


def test_aer_agrees_where_it_runs_the_circuit(sampled):
    compared = 0
    for example in RUN:
        counts = sampled(loads(example.source), SHOTS, seed=7)
        if counts is None:
            continue
        compared += 1
        wanted = example.expected
        assert set(counts) <= set(wanted), example.name
        for key, probability in wanted.items():
            sigma = np.sqrt(SHOTS * probability * (1 - probability))
            assert abs(counts.get(key, 0) - SHOTS * probability) <= SIGMAS * sigma, example.name
    assert compared >= 20


@pytest.mark.parametrize("example", REFUSED, ids=name)
def test_a_refused_program_is_told_why(example):
    with pytest.raises(QasmError) as error:
        loads(example.source)
    assert example.refusal in str(error.value)
    assert error.value.line > 0


def test_nine_in_ten_programs_run():
    assert len(PROGRAMS) >= 40
    assert len(RUN) >= 0.9 * len(PROGRAMS)
