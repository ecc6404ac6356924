# SPDX-License-Identifier: BSD-2-Clause
"""Programs against the distributions that stand in their comments, worked out by hand."""

import re
from pathlib import Path

import numpy as np
import pytest

from triplane.host.compiler.qasm import QasmError, loads

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.qasm"))
SHOTS = 4000
SIGMAS = 5


def expected(text):
    return {key: float(value) for key, value in re.findall(r"^// expect: (.*) (\S+)$", text, re.M)}


def refusal(text):
    found = re.search(r"^// refused: (.*)$", text, re.M)
    return found and found[1]


RUN = [path for path in PROGRAMS if refusal(path.read_text()) is None]
REFUSED = [path for path in PROGRAMS if refusal(path.read_text()) is not None]


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_a_program_has_the_distribution_worked_out_by_hand(path, distribution):
    text = path.read_text()
    wanted = expected(text)
    assert sum(wanted.values()) == pytest.approx(1)
    found = {key: value for key, value in distribution(loads(text)).items() if value > 1e-9}
    assert found == pytest.approx(wanted, abs=1e-9)


def test_aer_agrees_where_it_runs_the_circuit(sampled):
    compared = 0
    for path in RUN:
        text = path.read_text()
        counts = sampled(loads(text), SHOTS, seed=7)
        if counts is None:
            continue
        compared += 1
        wanted = expected(text)
        assert set(counts) <= set(wanted), path.stem
        for key, probability in wanted.items():
            sigma = np.sqrt(SHOTS * probability * (1 - probability))
            assert abs(counts.get(key, 0) - SHOTS * probability) <= SIGMAS * sigma, path.stem
    assert compared >= 20


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_a_refused_program_is_told_why(path):
    text = path.read_text()
    with pytest.raises(QasmError) as error:
        loads(text)
    assert refusal(text) in str(error.value)
    assert error.value.line > 0


def test_nine_in_ten_programs_run():
    assert len(PROGRAMS) >= 40
    assert len(RUN) >= 0.9 * len(PROGRAMS)
