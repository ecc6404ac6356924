# SPDX-License-Identifier: BSD-2-Clause
"""The fuzzer: it leaves a sound board alone, and finds what a board lets through that it should not."""

import random

import pytest

from triplane.gateware.link.etherbone import EXCHANGE_PORT, make_key
from triplane.hal.drivers.remote.packets import Request
from triplane.host.replay.sampling import memory_circuit
from triplane.host.serving import board_for
from triplane.sim.board import build_board
from triplane.sim.board.wire import PREAMBLE, Gateway
from triplane.sim.fuzz import Finding, Hunt, network_frame, replay, serial_bytes
from triplane.sim.fuzz.frames import STRANGER
from triplane.sim.fuzz.hunt import NETWORK, SERIAL, reduced


@pytest.fixture(scope="module")
def build():
    circuit = memory_circuit(distance=3, rounds=1, probability=0.001)
    model = circuit.detector_error_model(decompose_errors=True)
    return build_board(board_for(model, weight_bits=5, decoder="array"))


@pytest.mark.parametrize(
    ("way", "counters"),
    [
        (NETWORK, {"udp_malformed", "udp_refused", "network_crc_errors", "network_preamble_errors"}),
        (SERIAL, {"uart_malformed", "uart_refused"}),
    ],
)
def test_a_sound_board_stands_it(build, way, counters):
    with Hunt(build, way, seed=3) as hunt:
        hunt.run(pieces=300)
        assert hunt.sent == 300
        assert hunt.findings == []
        assert set(hunt.counts()) >= counters


def test_what_a_board_lets_through_is_found(build):
    """Requests without a key may write where a board is told so; that is nobody's wish here."""
    with Hunt(build, NETWORK, seed=4) as hunt:
        register = hunt._registers["udp_control"]
        hunt._board.write(register.address, 1 << register.fields["unguarded"].offset)
        hunt.run(pieces=400)
        assert hunt.findings
        assert "pacer_period" in hunt.findings[0].what or "scratch" in hunt.findings[0].what


def test_a_finding_is_reduced_and_replayed(build, tmp_path, monkeypatch):
    """A stranger who opens a session takes the board over: that is one frame of five."""
    monkeypatch.setattr("triplane.sim.fuzz.hunt.PATIENCE_S", 0.3)
    # The first host's session is 1: that of the stranger is ahead of it.
    monkeypatch.setattr("triplane.hal.drivers.remote.client.random.randint", lambda low, high: low)
    rng, gateway = random.Random(1), Gateway()
    noise = [network_frame(rng, [0x10, 0x14], gateway) for _ in range(4)]
    opens = gateway.frame(Request(reads=[0]).packed(make_key(0x7000, 0)), STRANGER, EXCHANGE_PORT)
    small = reduced(build, Finding(NETWORK, "", (*noise[:2], opens, *noise[2:])))
    assert small.traffic == (opens,)
    path = tmp_path / "finding.json"
    small.save(path)
    assert Finding.load(path) == small
    assert "taken" in replay(build, small)


def test_traffic_follows_from_its_seed():
    def some(seed):
        rng, gateway = random.Random(seed), Gateway()
        return [network_frame(rng, [0, 4], gateway) for _ in range(50)] + [
            serial_bytes(rng, [0, 4]) for _ in range(50)
        ]

    assert some(1) == some(1)
    assert some(1) != some(2)
    assert sum(frame.startswith(PREAMBLE) for frame in some(1)) > 30
