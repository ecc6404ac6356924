# SPDX-License-Identifier: BSD-2-Clause
"""The latency ledger's figures, against numbers worked out by hand."""

import json

import numpy as np
import pytest

from triplane.host.replay.ledger import CLOCK_HZ, LatencyLedger, Stage, ns_to_cycles, whole_cycles_within


def test_figures() -> None:
    stage = Stage("decode", np.array([5, 1, 4, 2, 8], dtype=np.uint16), bound=20, deadline_cycles=4)
    assert stage.summary() == {"min": 1, "median": 4, "mean": 4.0, "p999": 8, "max": 8}
    assert stage.misses == 2
    assert stage.ns(1) == 4.069


def test_p999_is_a_value_that_was_taken() -> None:
    cycles = np.full(10_000, 10, dtype=np.uint16)
    cycles[:10] = 1000
    assert Stage("decode", cycles, None).summary()["p999"] == 10
    cycles[10] = 500
    assert Stage("decode", cycles, None).summary()["p999"] == 500


def test_json() -> None:
    ledger = LatencyLedger((Stage("decode", np.array([3, 5], dtype=np.uint16), bound=9),))
    written = json.loads(json.dumps(ledger.as_json()))
    assert written["decode"]["cycles"] == {
        "min": 3,
        "median": 3,
        "mean": 4.0,
        "p999": 5,
        "max": 5,
        "bound": 9,
    }
    assert written["decode"]["ns"]["bound"] == pytest.approx(9 / CLOCK_HZ * 1e9, abs=1e-3)
    assert written["decode"]["deadline"] is None
    assert written["decode"]["misses"] is None


def test_cycles_of_a_duration() -> None:
    assert ns_to_cycles(1000) == 246
    assert ns_to_cycles(4.069) == 1


def test_a_deadline_is_never_rounded_up() -> None:
    assert whole_cycles_within(100) == 24  # 24.576
    assert whole_cycles_within(101) == 24  # 24.822: the nearest, 25 cycles, takes 101.7 ns
    assert whole_cycles_within(4.069) == 0
    assert whole_cycles_within(0.3, 10_000_000_000) == 3
    cycles = np.array([24, 25], dtype=np.uint16)
    stage = Stage("decode", cycles, None, whole_cycles_within(101), deadline_ns=101)
    assert stage.misses == 1
    assert stage.as_json()["deadline"] == {"cycles": 24, "ns": 101}


def test_refusals() -> None:
    with pytest.raises(ValueError, match="stage decode has no shots"):
        Stage("decode", np.array([], dtype=np.uint16), None)
    with pytest.raises(ValueError, match="clock_hz must be positive, not 0"):
        Stage("decode", np.array([1], dtype=np.uint16), None, clock_hz=0)
    with pytest.raises(KeyError, match="no stage 'feedback'; this ledger has decode"):
        LatencyLedger((Stage("decode", np.array([1], dtype=np.uint16), None),))["feedback"]
