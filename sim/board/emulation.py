# SPDX-License-Identifier: BSD-2-Clause
"""An emulated processor behind a simulated board that is reached by a cable, and is told what to be by registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from triplane.gateware.shape import FabricShape
from triplane.sim.board.coupling import Behind, Coupling
from triplane.sim.board.library import SimulatedBoard
from triplane.sim.board.tables import GeneratorTables
from triplane.sim.qpu.events import EventError

WORD_BYTES = 4
WORD_BITS = 32


class EmulatedProcessor:
    """Lets time pass on a board and behind it; the host reaches the processor by the registers `emulator_*`.

    Args:
        board: out of reset, with a fabric and links.
        processor: behind its converters, or what stands there in the place of one.
        addresses: register of the board -> its address in bytes.
        shape: of its fabric.
        refused: told of what the processor refuses to be played. The board goes on, and hears nothing of its answer.
    """

    def __init__(
        self,
        board: SimulatedBoard,
        processor: Behind,
        addresses: Mapping[str, int],
        shape: FabricShape,
        *,
        refused: Callable[[EventError], object],
    ) -> None:
        self._seed = 0
        self._refused = refused
        seed = addresses["emulator_seed"]
        self._coupling = Coupling(
            board,
            processor,
            GeneratorTables(addresses, shape),
            {
                seed: lambda word: self._set_seed(0, word),
                seed + WORD_BYTES: lambda word: self._set_seed(WORD_BITS, word),
                addresses["emulator_renew"]: lambda _: self._coupling.renew(self._seed),
            },
        )

    def play(self, max_cycles: int) -> None:
        """Let time pass, up to what the board sends."""
        try:
            self._coupling.play(max_cycles)
        except EventError as error:
            self._refused(error)

    def _set_seed(self, offset: int, word: int) -> None:
        self._seed = self._seed & ~((2**WORD_BITS - 1) << offset) | word << offset
