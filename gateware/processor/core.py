# SPDX-License-Identifier: BSD-2-Clause
"""The soft core with all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus
from migen import Case, Cat, If, Signal

from triplane.gateware.processor.boardtable import TABLE_WORDS, BoardTable, TableMemory
from triplane.gateware.processor.boot import BootControl
from triplane.gateware.processor.cpu import Cpu
from triplane.gateware.processor.layouts import (
    BOARD_BASE,
    KICK_KEY,
    PRIVATE_BASE,
    RAM_BASE,
    REGION_BITS,
    REGISTERS,
    SLOT_BASE,
    SLOT_BYTES,
    TABLE_BASE,
    WORD_BYTES,
    State,
)
from triplane.gateware.processor.lease import Lease
from triplane.gateware.processor.log import EventLog
from triplane.gateware.processor.mailbox import Mailbox
from triplane.gateware.processor.private import PrivateRegisters
from triplane.gateware.processor.ram import RAM_WORDS, StaticRam
from triplane.gateware.processor.slot import SLOT_WORDS, Slot
from triplane.gateware.processor.update import UpdatePort
from triplane.gateware.processor.window import BusWindow

WORD_ADDRESS_BITS = 30
SELF_TEST_BITS = 32

WATCHDOG_CYCLES = 1 << 17
"""0.53 ms: each element of the RAM test, which has nothing else to do, takes half of it."""

TRIAL_CYCLES = 1 << 28
"""1.1 s, in which a host at the other end of a network says that a new image works."""

LEASE_CYCLES = 245_760_000
"""1 s without a heartbeat."""

BUS_LIMIT = 1024
"""Cycles of an access to the board's bus; a burst of another master takes a few hundred."""


class Processor(LiteXModule):
    r"""VexRiscv with memories, registers and a window to the board's bus; see the package for why.

    ```
    fetch --> slot A or B
    data  --> slot A or B | RAM | registers | board table | window --> bus
    ```

    Every access of the processor is answered in the second cycle, one in the window when it has ended.

    Args:
        image: firmware of slot A, bytes in the order of their addresses, a whole number of words.
        watchdog_cycles, trial_cycles: see `BootControl`.
        lease_cycles: see `Lease`; out of reset.
        bus_limit: see `BusWindow`.

    Attributes:
        bus: Wishbone master on the board's register bus, word addresses.
        now: input, 64 bits; cycle counter.
        safe: input; the board is in its safe state.
        alive: input; a sign of life of the host, besides its heartbeats and commands.
        safe_request: the firmware wants it there.
        expired: one cycle; the firmware does not work, or was taken away: the board has to go safe.
    """

    def __init__(
        self,
        image: bytes,
        *,
        watchdog_cycles: int = WATCHDOG_CYCLES,
        trial_cycles: int = TRIAL_CYCLES,
        lease_cycles: int = LEASE_CYCLES,
        bus_limit: int = BUS_LIMIT,
    ) -> None:
        if not image or len(image) % WORD_BYTES or len(image) > SLOT_BYTES:
            raise ValueError(
                f"an image is of 1 to {SLOT_WORDS} words of {WORD_BYTES} bytes, not of {len(image)} bytes; "
                "build it with triplane.firmware.build"
            )
        words = [
            int.from_bytes(image[k : k + WORD_BYTES], "little") for k in range(0, len(image), WORD_BYTES)
        ]
        self.now = Signal(64)
        self.safe = Signal()
        self.alive = Signal()
        self.safe_request = Signal()
        self.expired = Signal()

        self.cpu = cpu = Cpu()
        self.slot_a = slot_a = Slot(words)
        self.slot_b = slot_b = Slot(writable=True)
        self.ram = ram = StaticRam()
        self.table = table = TableMemory()
        self.window = window = BusWindow(bus_limit)
        self.private = private = PrivateRegisters()
        self.boot = boot = BootControl(watchdog_cycles, trial_cycles)
        self.update = update = UpdatePort(slot_b)
        self.mailbox = mailbox = Mailbox()
        self.lease = lease = Lease(lease_cycles)
        self.log = log = EventLog()
        self.bus = window.bus

        self._job = CSRStatus(
            fields=[
                CSRField(
                    "state",
                    size=4,
                    description="Of the job.",
                    values=[(f"``{state:d}``", state.name) for state in State],
                ),
                CSRField("event", size=4, description="Event that led to it, see Event."),
                CSRField("safe_request", description="The firmware wants the board to be safe."),
            ],
            description="What the firmware does.",
        )
        self._version = CSRStatus(
            32, description="Version of the firmware that runs; 0 until it has said so."
        )
        self._image_crc = CSRStatus(32, description="CRC-32 that it found over its own image.")
        self._golden = CSRStatus(
            256,
            reset=int(sha256(image).hexdigest(), 16),
            description="SHA-256 of the image in slot A.",
        )
        self._self_test = CSRStatus(
            SELF_TEST_BITS,
            description="What the firmware's self-test found, see layouts.REGISTERS; bit 31 when it is done.",
        )
        self._ram_address = CSRStatus(32, description="Address of the first cell of RAM that failed.")
        self._turn = CSRStatus(32, description="Cycles of the main loop's longest turn since the start.")

        # # #

        self._connect_memories(cpu, slot_a, slot_b, ram, table, window, private, boot)
        held = {
            name: private.held(name)
            for name in (
                "job", "value", "log_argument", "version", "image_crc", "self_test", "turn", "ram_address",
            )
        }  # fmt: skip
        high = Signal(32)
        values = private.value
        spoken = Signal()
        self.comb += [
            values["now_low"].eq(self.now[:32]),
            values["now_high"].eq(high),
            private.field("boot", "cause").eq(boot.cause),
            private.field("boot", "slot").eq(boot.slot),
            private.field("boot", "confirmed").eq(boot.confirmed),
            private.field("mailbox", "code").eq(mailbox.code),
            private.field("mailbox", "sequence").eq(mailbox.sequence),
            private.field("mailbox", "pending").eq(mailbox.pending),
            values["argument0"].eq(mailbox.argument0),
            values["argument1"].eq(mailbox.argument1),
            values["safe"].eq(self.safe),
            values["silence"].eq(lease.silence),
            values["lease"].eq(lease.lease),
            values["backlog_limit"].eq(lease.backlog_limit),
            values["miss_limit"].eq(lease.miss_limit),
            values["bus_failed"].eq(window.failed),
            values["bus_address"].eq(window.failed_address),
            window.forget.eq(private.reads["bus_failed"]),
            # The watchdog
            boot.now.eq(self.now),
            boot.kick.eq(private.writes["kick"] & (private.write_data == KICK_KEY)),
            boot.confirm.eq(private.bit("boot_control", "confirm")),
            boot.reboot_a.eq(private.bit("boot_control", "reboot_a")),
            boot.reboot_b.eq(private.bit("boot_control", "reboot_b")),
            boot.trap.eq(private.writes["trap"]),
            boot.checking.eq(slot_b.checking),
            boot.trusted.eq(slot_b.trusted),
            update.locked.eq(boot.slot | boot.hold),
            update.check.eq(boot.check),
            self.expired.eq(boot.expired),
            # What the host asks for
            mailbox.value.eq(held["value"]),
            mailbox.answer.eq(private.writes["answer"]),
            mailbox.result.eq(private.write_data),
            mailbox.lose.eq(boot.restarts),
            lease.alive.eq(mailbox.taken | self.alive),
            # What the host sees
            log.now.eq(self.now),
            log.push.eq(private.writes["log_code"]),
            log.code.eq(private.write_data),
            log.argument.eq(held["log_argument"]),
            self._job.fields.state.eq(State.BOOT),
            If(spoken, Cat(*self._job.fields.fields).eq(held["job"])),
            self.safe_request.eq(self._job.fields.safe_request),
            [
                getattr(self, f"_{name}").status.eq(held[name])
                for name in ("version", "image_crc", "self_test", "turn", "ram_address")
            ],
        ]
        self.sync += [
            If(private.reads["now_low"], high.eq(self.now[32:])),
            If(private.writes["job"], spoken.eq(1)),
            If(boot.hold,
                spoken.eq(0),
                [held[name].eq(0) for name in ("job", "version", "image_crc", "self_test", "turn", "ram_address")],
            ),
        ]  # fmt: skip

    def describe(self, register_map: Mapping[str, Any]) -> None:
        """Tell the firmware of the board's registers, `gateware.registers.register_map` of the finalised system.

        Call it before the Verilog is written. Raises ValueError where the board lacks what the firmware needs.
        """
        self.table.describe(BoardTable.for_map(register_map))

    def _connect_memories(self, cpu, slot_a, slot_b, ram, table, window, private, boot) -> None:
        fetch, data = cpu.fetch, cpu.data
        region_at = WORD_ADDRESS_BITS - REGION_BITS
        offset, region = data.adr[:region_at], data.adr[region_at:]
        selected = {
            base: Signal(name=f"selects_{name}")
            for base, name in (
                (SLOT_BASE, "slot"), (RAM_BASE, "ram"), (PRIVATE_BASE, "private"), (TABLE_BASE, "table"),
            )
        }  # fmt: skip
        words = {
            SLOT_BASE: SLOT_WORDS,
            RAM_BASE: RAM_WORDS,
            PRIVATE_BASE: len(REGISTERS),
            TABLE_BASE: TABLE_WORDS,
        }
        wants, first, answered, fetched = Signal(), Signal(), Signal(), Signal()
        known, in_window, astray = Signal(), Signal(), Signal()
        self.comb += [
            [
                select.eq((region == base >> (32 - REGION_BITS)) & (offset < words[base]))
                for base, select in selected.items()
            ],
            in_window.eq(region == BOARD_BASE >> (32 - REGION_BITS)),
            known.eq(
                (selected[SLOT_BASE] & ~data.we)
                | selected[RAM_BASE]
                | selected[PRIVATE_BASE]
                | (selected[TABLE_BASE] & ~data.we)
            ),
            wants.eq(data.cyc & data.stb & ~boot.hold),
            # An access stands until it is answered: the first of its cycles is the one in which it acts.
            first.eq(wants & ~answered & ~in_window),
            astray.eq(fetch.cyc & fetch.stb & (fetch.adr >= SLOT_WORDS)),
            boot.stray.eq((first & ~known) | (astray & ~boot.hold)),
            cpu.hold.eq(boot.hold),
            # Instructions
            slot_a.fetch_address.eq(fetch.adr),
            slot_b.fetch_address.eq(fetch.adr),
            fetch.ack.eq(fetched),
            fetch.dat_r.eq(slot_a.fetched),
            If(boot.slot, fetch.dat_r.eq(slot_b.fetched)),
            # Data
            slot_a.data_address.eq(offset),
            slot_b.data_address.eq(offset),
            ram.address.eq(offset),
            ram.write_data.eq(data.dat_w),
            If(first & selected[RAM_BASE] & data.we, ram.write.eq(data.sel)),
            table.address.eq(offset),
            private.access.eq(first & selected[PRIVATE_BASE]),
            private.write.eq(data.we),
            private.address.eq(offset),
            private.write_data.eq(data.dat_w),
            window.access.eq(wants & in_window),
            window.write.eq(data.we),
            window.address.eq(offset),
            window.write_data.eq(data.dat_w),
            data.ack.eq(answered | window.done),
            Case(
                Cat(*selected.values()),
                {
                    0b0001: [data.dat_r.eq(slot_a.data), If(boot.slot, data.dat_r.eq(slot_b.data))],
                    0b0010: data.dat_r.eq(ram.data),
                    0b0100: data.dat_r.eq(private.data),
                    0b1000: data.dat_r.eq(table.data),
                    "default": data.dat_r.eq(window.data),
                },
            ),
        ]
        self.sync += [
            answered.eq(first),
            fetched.eq(fetch.cyc & fetch.stb & ~fetched & ~boot.hold),
        ]
