# SPDX-License-Identifier: BSD-2-Clause
"""Connecting with the bundle that is in the board."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from triplane.host.building import connecting
from triplane.host.building.bundle import BundleError
from triplane.host.building.connecting import connect_bundle
from triplane.host.building.decoders import window_plan


@pytest.fixture
def connected(monkeypatch):
    """What the driver was given."""
    calls = []

    def remote(*args, **options):
        calls.append((args, options))
        return SimpleNamespace()

    monkeypatch.setattr(connecting, "RemoteBoard", remote)
    monkeypatch.setattr(connecting, "UdpLink", lambda host, port: (host, port))
    monkeypatch.setattr(connecting, "SerialLink", lambda device, baudrate: (device, baudrate))
    return calls


@pytest.mark.parametrize(
    ("url", "link", "bank"),
    [
        ("udp://192.168.1.50", ("192.168.1.50", 1234), "udp"),
        ("udp://board.lab:99", ("board.lab", 99), "udp"),
        ("uart:/dev/ttyUSB1", ("/dev/ttyUSB1", 1_000_000), "uart"),
    ],
)
def test_driver_is_told_what_it_must_find(make_bundle, connected, url, link, bank):
    plan = window_plan(3)
    bundle = make_bundle("ecpix5", bitstream="board.bit", structure_hash=plan.structure_hash)
    connect_bundle(bundle, url, correction=True)
    ((args, options),) = connected
    assert args[:2] == (link, bank)
    assert args[2].build_hash == bundle.manifest.build_hash
    assert args[2].descriptor.name == "ecpix5"
    assert args[3].structure_hash == plan.structure_hash
    assert options == {"fabric": None, "correction": True}


def test_board_that_is_not_on_a_network(make_bundle, connected):
    with pytest.raises(BundleError, match="zcu216 is not reached by udp, but by pynq"):
        connect_bundle(make_bundle(), "udp://10.0.0.7")
    assert not connected
