# SPDX-License-Identifier: BSD-2-Clause
"""A board whose time passes by itself, and is not that of this process: what that asks of a driver."""

from __future__ import annotations

import time
from abc import abstractmethod

from triplane.gateware.shape import FabricShape
from triplane.hal.board import Words
from triplane.hal.drivers.bus import RegisterBoard
from triplane.hal.drivers.parts import Parts
from triplane.hal.drivers.transfer import BusTransfer
from triplane.hal.errors import BoardClosedError, IdentityError
from triplane.hal.gateware import Gateware
from triplane.hal.records import RecordSource
from triplane.hal.registers import WORD_MAX
from triplane.hal.target import Target

MEASURED = 4
"""Readings of the clock that tell how long one takes."""

LEAD_READINGS = 50
"""Requests that begin a program, in readings of the clock, with some to spare."""

HOST_PAUSE_S = 0.02
"""That the host may pause in between without a program being late."""


class FreeRunningBoard(RegisterBoard):
    """A board that is reached word by word while it runs. Subclasses move words, and call `_begin` once they can.

    Args:
        gateware: that is expected in the board.
        target: what it was built to decode.
        fabric, correction: as of `RegisterBoard`.
    """

    def __init__(
        self,
        gateware: Gateware,
        target: Target,
        *,
        fabric: FabricShape | None = None,
        correction: bool = False,
    ) -> None:
        super().__init__(gateware.descriptor, gateware.registers, target, correction, fabric)
        self._expected = gateware.build_hash
        self._open = True

    def _begin(self, timeout_s: float) -> None:
        """See that the board is the one that is expected, and measure how fast it is; it is closed if it is not.

        Args:
            timeout_s: of silence after which the board gives this host up.

        Raises:
            IdentityError: another gateware answers.
        """
        try:
            found = self.identify()
            if found.build_hash != self._expected:
                raise IdentityError(
                    f"the board carries build {found.build_hash[:12]} (register map {found.version}), and this host "
                    f"expects {self._expected[:12]}: flash the board with the bundle that you connect with, or "
                    "connect with the bundle, or for the code, that is in it"
                )
            each, per_second = self._pace()
            if self._control is not None:
                # What requests take that begin a program, and a pause of ours.
                self._control.lead_cycles = min(int(LEAD_READINGS * each + HOST_PAUSE_S * per_second), 2**30)
            self._supervise(min(int(timeout_s * per_second) + 1, WORD_MAX))
        except BaseException:
            self.close()
            raise

    def _pace(self) -> tuple[float, float]:
        """Cycles from one request to the next, and in a second of ours: a simulated board's are longer."""
        cycles, began = self.now(), time.monotonic()
        for _ in range(MEASURED):
            self.now()
        each = (self.now() - cycles) / (MEASURED + 1)
        return each, (MEASURED + 1) * each / (time.monotonic() - began)

    @abstractmethod
    def _free(self) -> None:
        """Free the way to the board."""

    def close(self) -> None:
        """Leave the board as it is, and free the way to it."""
        if self._open:
            self._open = False
            if self._run is not None:
                self._run.end()
                self._run = None
            self._free()

    def _check_open(self) -> None:
        if not self._open:
            raise BoardClosedError("the board is closed; connect again")

    def stop_pacer(self) -> None:
        """Release no rounds any more; a board that nobody holds any more is left as it is."""
        if self._open:
            super().stop_pacer()

    def _leave_job(self) -> None:
        """No job any more; one that nobody holds any more is ended by the board, when the lease runs out."""
        if self._open:
            super()._leave_job()

    def _source(
        self, words: Words, parts: int | None, records: int, idle_limit: int, timeout_s: float | None
    ) -> RecordSource:
        if parts is None:
            return BusTransfer(self, words, records, idle_limit, timeout_s)
        count = records // parts
        return Parts(
            lambda part, left: BusTransfer(self, part, count, idle_limit, left),
            words.reshape(parts, -1),
            record_words=self.record_words,
            num_edges=self.num_edges,
            clock=self.now,
            stop=self.stop_pacer,
            timeout_s=timeout_s,
        )
