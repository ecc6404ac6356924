# SPDX-License-Identifier: BSD-2-Clause
"""What the firmware may do to a board, as a table of register accesses in a memory of the gateware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litex.gen import LiteXModule
from migen import Memory, Signal, bits_for

from triplane.gateware.processor.layouts import WORD_BITS, WORD_BYTES, WORD_MASK, guarded_tables

MAGIC = 0x5450_4254
"""First word of a table: "TPBT"."""

TABLE_VERSION = 1
HEADER_WORDS = 2
ENTRY_WORDS = 3

GROUPS = {
    "scratch": (1, "a register that keeps what is written to it"),
    "start": (1, "written to start a job"),
    "abort": (3, "written in order to stop one"),
    "clear": (4, "written in order to leave the safe state"),
    "finished": (1, "a job has ended by itself where register & mask == value"),
    "faults": (1, "register & mask is what is wrong with the board"),
    "trusted": (8, "a table may be used where register & mask == value"),
    "backlog": (2, "register & mask is a high-water mark of rounds that wait"),
    "misses": (4, "register & mask counts missed deadlines"),
}
"""Groups of entries: name -> (entries, what they mean), in their order in the table."""

NUM_ENTRIES = sum(count for count, _ in GROUPS.values())
TABLE_WORDS = HEADER_WORDS + ENTRY_WORDS * NUM_ENTRIES

ABORTING = (("sequencer_control_control", "abort"), ("pacer_control", "stop"))
CLEARING = (
    ("sequencer_control_control", "clear"),
    ("faults_control", "clear"),
    # What others find wrong with a sequencer that is safe, they forget after it.
    ("sequencer_control_control", "clear"),
    ("formation_control", "restart"),
)
BACKLOGS = ("pacer_backlog_max", "decoder_backlog_max")
MISSES = ("decoder_late_windows", "pacer_stalled_rounds", "pacer_starved_rounds", "decoder_barrier_timed_out")
TRUST_VALUE = 3
"""Value of a field `table` whose table is trusted, as `decoder.memory.TRUSTED`."""


@dataclass(frozen=True)
class Entry:
    """One access; a mask of 0 means that the board has no such register.

    Attributes:
        register: name of it, for people; "" for none.
        address: on the board's bus, in bytes.
        mask: bits that count.
        value: what is written, or what the bits must be.
    """

    register: str = ""
    address: int = 0
    mask: int = 0
    value: int = 0


@dataclass(frozen=True)
class BoardTable:
    """The entries of a board by group, in which every group has exactly its number of entries."""

    groups: Mapping[str, tuple[Entry, ...]]

    @classmethod
    def for_map(cls, register_map: Mapping[str, Any]) -> BoardTable:
        """The table of a board whose register map is that of `gateware.registers.register_map`.

        Raises ValueError: the board lacks a register that no board can do without, or has too many tables.
        """
        registers = register_map["registers"]

        def bits(name: str, fields: Mapping[str, int]) -> Entry:
            """Fields of a register, with the values that they must have."""
            known = {field["name"]: field for field in registers[name]["fields"]}
            missing = [field for field in fields if field not in known]
            if missing:
                raise ValueError(
                    f"{name} has no field {', '.join(missing)}, which the board table needs; it has {', '.join(known)}"
                )
            mask = value = 0
            for field, wanted in fields.items():
                mask |= (2 ** known[field]["bits"] - 1) << known[field]["offset"]
                value |= wanted << known[field]["offset"]
            return Entry(name, registers[name]["address"], mask, value)

        def whole(name: str) -> Entry:
            return Entry(name, registers[name]["address"], 2 ** min(registers[name]["bits"], WORD_BITS) - 1)

        required = (
            "identification_scratch",
            "faults_status",
            "faults_control",
            "pacer_control",
            "pacer_status",
        )
        absent = [name for name in required if name not in registers]
        if absent:
            raise ValueError(
                f"the register map lacks {', '.join(absent)}; the firmware needs these on every board"
            )
        if "sequencer_control_control" in registers:
            start = bits("sequencer_control_control", {"start": 1})
            ended = {"starting": 0, "executing": 0, "paused": 0, "halted": 1, "drained": 1}
            finished = bits("sequencer_control_status", ended)
        else:
            start, finished = bits("pacer_control", {"start": 1}), bits("pacer_status", {"running": 0})
        fields = {
            name: [field["name"] for field in register["fields"]] for name, register in registers.items()
        }
        found = {
            "scratch": [whole("identification_scratch")],
            "start": [start],
            "abort": [bits(name, {field: 1}) for name, field in ABORTING if name in registers],
            "clear": [bits(name, {field: 1}) for name, field in CLEARING if name in registers],
            "finished": [finished],
            "faults": [whole("faults_status")],
            "trusted": [
                bits(name, {"trusted": 1} if "trusted" in fields[name] else {"table": TRUST_VALUE})
                for name in guarded_tables(fields)
            ],
            "backlog": [whole(name) for name in BACKLOGS if name in registers],
            "misses": [whole(name) for name in MISSES if name in registers],
        }
        return cls({name: _filled(name, entries) for name, entries in found.items()})

    def words(self) -> list[int]:
        """The table as the firmware reads it, `TABLE_WORDS` words."""
        entries = [entry for name in GROUPS for entry in self.groups[name]]
        fields = [word for entry in entries for word in (entry.address, entry.mask, entry.value)]
        return [MAGIC, TABLE_VERSION, *fields]

    @property
    def tables(self) -> list[str]:
        """Status registers of the tables that a job may need; bit k of a check's argument leaves out number k."""
        return [entry.register for entry in self.groups["trusted"] if entry.mask]


def _filled(name: str, entries: list[Entry]) -> tuple[Entry, ...]:
    count, what = GROUPS[name]
    if len(entries) > count:
        names = ", ".join(entry.register for entry in entries)
        raise ValueError(f"the board table holds {count} registers of the group {name} ({what}), not {names}")
    return (*entries, *[Entry()] * (count - len(entries)))


def group_offsets() -> dict[str, int]:
    """Group -> its first entry's byte in the table."""
    offsets, word = {}, HEADER_WORDS
    for name, (count, _) in GROUPS.items():
        offsets[name] = WORD_BYTES * word
        word += ENTRY_WORDS * count
    return offsets


class TableMemory(LiteXModule):
    """Read-only memory of a board table.

    The addresses of a board's registers are known when all its cores are there, so the contents are set last:
    `describe` may be called until the Verilog is written, and has to be called before.

    Attributes:
        address: input; a word.
        data: that word, one cycle later.
    """

    def __init__(self) -> None:
        self.address = Signal(bits_for(TABLE_WORDS - 1))
        self.data = Signal(WORD_BITS)

        # # #

        self._memory = memory = Memory(WORD_BITS, TABLE_WORDS, init=[0] * TABLE_WORDS)
        self.autocsr_exclude = {"_memory"}  # LiteX puts memories that it finds on the register bus
        port = memory.get_port()
        self.specials += memory, port
        self.comb += [port.adr.eq(self.address), self.data.eq(port.dat_r)]

    def describe(self, table: BoardTable) -> None:
        """Make this the table of a board."""
        words = table.words()
        if any(not 0 <= word <= WORD_MASK for word in words):
            raise ValueError("the words of a board table are of 32 bits")
        self._memory.init[:] = words
