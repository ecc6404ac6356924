# SPDX-License-Identifier: BSD-2-Clause
"""Our driver over pynq, beside the conformance suite: when an overlay is loaded, and what is said if it cannot be."""

import numpy as np
import pytest

from triplane import hal
from triplane.hal import errors
from triplane.hal.drivers import pynq as driver


def test_an_overlay_is_loaded_once_in_a_process(code, host):
    url = f"pynq://{host}"
    with hal.connect(url, graph=code.graph) as board:
        board.set("identification_scratch", 5)
    with hal.connect(url, graph=code.graph) as board:
        assert board.get("identification_scratch") == 5


def test_on_the_board_itself(code, bitfile, host):
    """The device that pynq finds by itself: on a board that of its fabric, here that of PYNQ_REMOTE_DEVICES."""
    with hal.connect(f"pynq:{bitfile}", graph=code.graph) as board:
        board.load(hal.DecoderProgram.from_graph(code.graph))
        records = np.concatenate(list(board.run(code.rounds[:5], round_period_cycles=20)))
        assert len(records) == 5


def test_a_board_that_was_switched_on_again_gets_its_overlay(code, bitfile, monkeypatch):
    class Forgotten:
        def read(self, offset):
            raise RuntimeError("there is no window 'mmio-1'; open it again")

    (digest, window), loads = driver._loaded[None, driver.PYNQ_PORT], []
    monkeypatch.setitem(driver._loaded, (None, driver.PYNQ_PORT), (digest, Forgotten()))
    monkeypatch.setattr(driver, "_load", lambda *board: loads.append(board) or window)
    with hal.connect(f"pynq:{bitfile}", graph=code.graph) as board:
        assert board.identify().name == "triplane"
    assert loads == [(bitfile, None, driver.PYNQ_PORT)]


def test_a_file_of_ones_own(code, bitfile, host):
    with hal.connect(f"pynq://{host}:7967{bitfile}", graph=code.graph) as board:
        assert board.identify().name == "triplane"


def test_another_build_is_refused(code, other, host):
    with pytest.raises(errors.IdentityError, match="is of build 000000000000"):
        hal.connect(f"pynq://{host}{other}", graph=code.graph)


def test_nobody_is_there(code):
    with pytest.raises(errors.LinkError, match="cannot be reached"):
        hal.connect("pynq://127.0.0.1:9", graph=code.graph)


def test_a_place_in_the_window_without_a_register(code, host):
    """Errors of a window are errors of the bus."""
    with hal.connect(f"pynq://{host}", graph=code.graph) as board:
        with pytest.raises(errors.BusError, match="is no word of a window"):
            board._read(0x10_0000, 1, True)
        assert board.identify().name == "triplane"
