# SPDX-License-Identifier: BSD-2-Clause
import math

import pytest

from triplane.host.scheduler.contracts import BoardState, Needs, Payload, Request
from triplane.host.scheduler.fleet import SILENT_S, Fleet
from triplane.host.scheduler.policy import estimated_fidelity

PAYLOAD = Payload(sha256="0" * 64, size=0)


def board(name="b", **fields):
    given = {"features": ("circuits",), "qubits": 5, **fields}
    return BoardState(name=name, instance=f"{name}1", url="sim", **given)


def request(**needs):
    return Request(user="ada", kind="qpy", payload=PAYLOAD, needs=Needs(**needs))


def test_the_estimate_is_the_product_of_its_operations():
    score = estimated_fidelity(
        request(one_qubit_gates=10, two_qubit_gates=3, readouts=2, duration_us=5.0),
        board(one_qubit_error=1e-3, two_qubit_error=1e-2, readout_error=2e-2, coherence_us=50.0),
    )
    assert score.fits
    assert score.value == pytest.approx(0.999**10 * 0.99**3 * 0.98**2 * math.exp(-0.1))


@pytest.mark.parametrize(
    ("needs", "fields", "reason"),
    [
        ({"qubits": 6}, {}, "5 qubits, the job needs 6"),
        ({}, {"features": ("control",)}, "does not run circuits"),
        ({"duration_us": 60.0}, {"coherence_us": 50.0}, "its coherence 50"),
        (
            {"readouts": 1, "minimum_fidelity": 0.95},
            {"readout_error": 0.1},
            "is 0.900, the job asks for 0.95",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(needs, fields, reason):
    score = estimated_fidelity(request(**needs), board(**fields))
    assert not score.fits
    assert reason in score.reason


def test_the_better_board_is_chosen_and_the_other_when_it_is_full():
    fleet = Fleet(estimated_fidelity, lambda: 0.0)
    fleet.tell(board("good", readout_error=0.01, depth=1))
    fleet.tell(board("bad", readout_error=0.1, depth=1))
    wanted = request(readouts=1)
    assert fleet.best(wanted)[0].state.name == "good"
    fleet.take("job", "good1")
    assert fleet.best(wanted)[0].state.name == "bad"
    assert fleet.obstacles(wanted) == {"good": "it has 1 jobs already"}


def test_an_agent_is_away_when_nothing_is_heard_of_it():
    now = [0.0]
    fleet = Fleet(estimated_fidelity, lambda: now[0])
    fleet.tell(board())
    now[0] = SILENT_S
    assert fleet.silent() == []
    fleet.patience()
    now[0] += SILENT_S + 0.1
    assert fleet.silent() == ["b1"]
    assert fleet.best(request()) is None


def test_another_instance_takes_the_place_of_the_first():
    fleet = Fleet(estimated_fidelity, lambda: 0.0)
    assert fleet.tell(board()) is None
    assert fleet.tell(board().model_copy(update={"instance": "b2"})) == "b1"
