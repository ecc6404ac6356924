# SPDX-License-Identifier: BSD-2-Clause
"""A backend's way to its board: connected when it is needed, leased where others can reach it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from triplane import hal
from triplane.gateware.shape import FabricShape
from triplane.hal.device import Device
from triplane.hal.place import place_of
from triplane.host.runtime.leases import Leases, user
from triplane.host.small import small_target


class Connection:
    """To a board with a fabric of a shape.

    Args:
        board: an address, or a board that is connected, which its owner closes.
        shape: of its fabric.
        emulated: what is behind a simulated board in this process.
        seed: of the emulator.
        leases: of all who may reach the board.
        progress: called with a line of text as a board is built.
    """

    def __init__(
        self,
        board: hal.Board | str,
        shape: FabricShape,
        emulated: Device,
        *,
        seed: int,
        leases: Leases,
        progress: Callable[[str], None] | None,
    ) -> None:
        self._url = board if isinstance(board, str) else None
        self._board = None if isinstance(board, str) else board
        self._place = None if board == "sim" else place_of(board) if isinstance(board, str) else board.place
        self._shape, self._emulated, self._seed = shape, emulated, seed
        self._leases, self._progress = leases, progress
        self.origin: dict[str, Any] = {}
        """What results say of the board: gateware, clock, whether it is simulated; empty before it was needed."""

    @property
    def emulated(self) -> Device | None:
        """What is behind a simulated board in this process; None for other boards."""
        return self._emulated if self._url == "sim" else None

    @property
    def is_open(self) -> bool:
        """Whether a board is connected."""
        return self._board is not None

    def board(self) -> hal.Board:
        """The board, connected now if it was not yet."""
        if self._board is None:
            assert self._url is not None
            target = small_target()
            self._board = hal.connect(
                self._url, graph=target.graph, table=target.shape, fabric=self._shape, progress=self._progress
            )
            if self._url == "sim":
                self._attach(self._seed, ())
        return self._board

    def ready(self, seed: int | None, part: Sequence[int]) -> hal.Board:
        """The board for a part of a job; `seed` is the emulator's, `part` numbers what it is for."""
        board = self.board()
        try:
            identity = board.identify()
        except hal.errors.SessionLostError:
            identity = board.identify()  # others had it between two jobs: this begins another session
        self.origin = {
            "gateware": identity.build_hash,
            "clock_hz": identity.clock_hz,
            "simulated": board.descriptor.modality.simulated,
        }
        if self._url == "sim" and seed is not None:
            self._attach(seed, part)
        return board

    def leased(self, qubits: int, what: str) -> AbstractContextManager[Callable[[], None]]:
        """Hold so many qubits while a block runs, if others can reach the board; see `Leases.holding`.

        Raises:
            LeaseConflictError: others hold one of them.
        """
        if self._place is None:
            return nullcontext(lambda: None)
        holder = f"{user()}, process {os.getpid()}, {what}"
        return self._leases.holding(self._place, range(qubits), holder=holder)

    def close(self) -> None:
        """Close the board, if it was connected here."""
        if self._url is not None and self._board is not None:
            self._board.close()
            self._board = None

    def _attach(self, seed: int, part: Sequence[int]) -> None:
        """A new emulator. Parts of a job are not shots of each other, also where one is made in another process."""
        from triplane.hal.drivers.sim import SimBoard
        from triplane.sim.qpu import Processor

        assert isinstance(self._board, SimBoard)
        state = np.random.SeedSequence([seed, *part]).generate_state(1)[0]
        self._board.attach(Processor(self._emulated, seed=int(state)))
