# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for a decoder that is busy: by the board's clock, however many or few words the host moves."""

import pytest

from triplane.hal.drivers import bus
from triplane.hal.drivers.bus import RegisterBoard
from triplane.hal.errors import BoardError


class Busy(RegisterBoard):
    """A board of which only the time is there; a look at it takes a cycle."""

    def __init__(self) -> None:
        self.cycle = 0

    def now(self) -> int:
        self.cycle += 1
        return self.cycle

    def elapse(self, cycles: int) -> None:
        self.cycle += cycles

    _read = _write = _source = close = None  # type: ignore[assignment]


@pytest.mark.parametrize("cycles", [0, 1, 10_000, bus.ANSWER_CYCLES - 1])
def test_whoever_is_slow_is_waited_for(cycles: int) -> None:
    board = Busy()
    looks = 0

    def reached() -> bool:
        nonlocal looks
        looks += 1
        return board.cycle >= cycles

    board._await(reached, "end the check of its table")
    assert cycles <= board.cycle <= cycles + bus.LAST_PAUSE_CYCLES + looks
    assert looks < 100


def test_whoever_never_ends_is_not_waited_for_for_ever() -> None:
    board = Busy()
    with pytest.raises(
        BoardError, match="did not come to rest within 1000000 cycles; power the board up again"
    ):
        board._await(lambda: False, "come to rest")
    assert board.cycle < bus.ANSWER_CYCLES + 2 * bus.LAST_PAUSE_CYCLES
