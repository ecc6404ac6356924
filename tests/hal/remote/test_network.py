# SPDX-License-Identifier: BSD-2-Clause
"""Frames at the pins of a board: what LiteEth and the exchange make of them when they come at a bad time."""

import pytest

from triplane.hal.drivers.remote.packets import Request, unpack
from triplane.sim.board import SimulatedBoard, build_board
from triplane.sim.board.wire import Gateway

CLIENT = ("127.0.0.1", 5555)
PORT = 1234


@pytest.fixture
def board(design):
    with SimulatedBoard(build_board(design[0].with_links()).library) as board:
        yield board


def replies(board, gateway, cycles):
    """What the board answers meanwhile; its questions for hardware addresses are answered."""
    found, end = [], board.cycles + cycles
    while board.cycles < end:
        board.play(500)
        for frame in board.frames():
            answer, datagram = gateway.receive(frame)
            if answer is not None:
                board.put_frame(answer)
            if datagram is not None:
                found.append(unpack(datagram[0]).words)
    return found


@pytest.mark.parametrize("requests", [1, 2, 5])
def test_requests_that_come_before_the_board_knows_who_asks(board, gateware, requests):
    """The reply to the first waits for ARP, whose answer stands behind the others."""
    wire = Gateway()
    hertz = gateware.registers["identification_clock_hz"].address
    frame = wire.frame(Request(reads=[hertz]).packed(0), CLIENT, PORT)
    for _ in range(requests):
        board.put_frame(frame)
    found = replies(board, wire, 30_000)
    dropped = int(board.read(gateware.registers["network_dropped"].address)[0])
    assert found == [(245_760_000,)] * (requests - dropped)
    assert 1 <= len(found) <= 2
    board.put_frame(frame)
    assert replies(board, wire, 5_000) == [(245_760_000,)]
