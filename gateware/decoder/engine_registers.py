# SPDX-License-Identifier: BSD-2-Clause
"""Registers of the decode engine."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import bits_for

from triplane.gateware.decoder.table import WORD_BITS
from triplane.gateware.decoder.window.plan import WindowPlan
from triplane.gateware.decoder.window.queue import RoundQueue


class EngineRegisters(LiteXModule):
    """Declares the registers; `engine.DecodeEngine` connects them."""

    plan: WindowPlan
    queue: RoundQueue

    def _add_registers(self) -> None:
        plan = self.plan
        self._control = CSRStorage(
            fields=[
                CSRField(
                    "correction", size=1, description="Append the physical correction to every result record."
                ),
                CSRField(
                    "restart",
                    size=1,
                    pulse=True,
                    description="Forget rounds of an unfinished shot, empty the queue and count windows from 0. "
                    "A window that is being decoded is not stopped: restart while no window is.",
                ),
                CSRField(
                    "activate",
                    size=1,
                    pulse=True,
                    description="Take the checked table over between two shots. Forgotten if its check fails.",
                ),
                CSRField(
                    "passes",
                    size=2,
                    offset=4,
                    reset=1,
                    description="Correlated passes for each window, 1 to 3; 0 counts as 1. A third is made only "
                    "where the second changed the observables.",
                ),
            ],
            description="Mode of the decoder.",
        )
        self._status = CSRStatus(
            fields=[
                CSRField(
                    "busy",
                    size=1,
                    description="A window is being decoded or sent, rounds wait, or a table is checked or taken over.",
                ),
                CSRField(
                    "table",
                    size=2,
                    description="Whether the table that was written last is right.",
                    values=[
                        ("``0b00``", "Not checked since reset, or since a word was written."),
                        ("``0b01``", "Being checked."),
                        ("``0b10``", "Its CRC is not the expected one."),
                        ("``0b11``", "Right."),
                    ],
                ),
                CSRField(
                    "pending", size=1, description="A table waits for the end of a shot to take its place."
                ),
                CSRField(
                    "trusted", size=1, description="A table is in use; without one no flips are predicted."
                ),
                CSRField(
                    "stalled", size=1, description="The queue was full when a word came; see stalled_round."
                ),
                CSRField(
                    "bound",
                    size=16,
                    offset=16,
                    description="Worst-case decode cycles with all passes, computed when the gateware was built.",
                ),
            ],
            description="State of the decoder.",
        )
        self._rounds = CSRStorage(
            32,
            reset=0 if plan.sliding else plan.num_layers,
            description="Rounds of a shot, from the next shot on: more than a window has layers, or 0 for a shot "
            "without end. Of no effect where a window holds a whole shot.",
        )
        self._deadline = CSRStorage(
            16, description="Cycles after which a window's passes are cut short; 0 for none."
        )
        self._hard_above = CSRStorage(
            16, reset=0xFFFF, description="Windows of a hardness above this are flagged hard."
        )
        self._table_index = CSRStorage(
            bits_for(plan.num_classes),
            description="Word of the table that the next write to table_data goes to.",
        )
        self._table_data = CSRStorage(
            WORD_BITS,
            description="Word of the next table: 0 is the first growth in half-units, then one for each weight class, "
            "base weight in the lowest byte, alternatives above. table_index then moves to the next word.",
        )
        self._table_crc = CSRStorage(
            32, description="CRC-32 that the whole table must have. Writing it starts the check."
        )
        self._table_found = CSRStatus(32, description="CRC-32 that the last check found.")
        self._table_active = CSRStatus(32, description="CRC-32 of the table in use; 0 without one.")
        self._windows = CSRStatus(32, description="Windows decoded since the last restart.")
        self._rounds_in = CSRStatus(32, description="Rounds that have entered since the last restart.")
        self._backlog = CSRStatus(
            len(self.queue.level), description="Rounds in the queue that the window has not taken yet."
        )
        self._backlog_max = CSRStatus(
            len(self.queue.level_max),
            description="Most rounds in the queue at any time since the last restart.",
        )
        self._stalled_round = CSRStatus(
            32,
            description="First round since the last restart that had to wait outside a full queue; see status.stalled.",
        )
        self._late_windows = CSRStatus(
            32, description="Windows since the last restart that the deadline cut short."
        )
        self._hard_windows = CSRStatus(
            32, description="Windows since the last restart that were flagged hard."
        )
