# SPDX-License-Identifier: BSD-2-Clause
"""The firmware's logic, compiled for this machine under sanitizers, and a model of the hardware that it sees."""

from __future__ import annotations

from pathlib import Path
from subprocess import Popen

from triplane.firmware.build import FOLDER, WARNINGS
from triplane.firmware.registers import firmware_header
from triplane.gateware.processor.boardtable import GROUPS, BoardTable, Entry
from triplane.gateware.processor.layouts import (
    BOARD_BASE,
    KICK_KEY,
    PRIVATE_BASE,
    REGISTERS,
    TABLE_BASE,
    Command,
    LogCode,
    Result,
    State,
)
from triplane.sim.cache import cached, content_key
from triplane.sim.toolchain import find_toolchain
from triplane.sim.verilate import run_tool

NATIVE = ("supervisor.c", "monitor.c", "board.c", "job.c", "crc.c", "selftest.c")
DRIVER = Path(__file__).with_name("driver.c")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FLAGS = ("-x", "c", "-std=c11", "-O1", "-g", "-DTRIPLANE_NATIVE", *WARNINGS, *SANITIZERS)

SCRATCH, START, ABORT, CLEAR, FINISHED, FAULTS, BACKLOG, MISSES = (0x100 + 4 * k for k in range(8))
TABLES = (0x200, 0x204, 0x208)


def table() -> BoardTable:
    """The entries of a board with three tables."""
    groups = {name: [Entry()] * count for name, (count, _) in GROUPS.items()}
    groups["scratch"][0] = Entry("scratch", SCRATCH, 2**32 - 1)
    groups["start"][0] = Entry("start", START, 1, 1)
    groups["abort"][0] = Entry("abort", ABORT, 2, 2)
    groups["clear"][0] = Entry("clear", CLEAR, 1, 1)
    groups["finished"][0] = Entry("finished", FINISHED, 3, 2)
    groups["faults"][0] = Entry("faults", FAULTS, 0xFFF)
    for number, address in enumerate(TABLES):
        groups["trusted"][number] = Entry(f"table{number}", address, 1, 1)
    groups["backlog"][0] = Entry("backlog", BACKLOG, 0xFFFF)
    groups["misses"][0] = Entry("misses", MISSES, 0xFFFF_FFFF)
    return BoardTable({name: tuple(entries) for name, entries in groups.items()})


class Machine:
    """The hardware that the firmware sees, as a model: private registers, board table, board.

    Attributes:
        private: name -> value of a private register that is read.
        board: address -> value.
        silent: the board's bus does not answer.
        writes: (name or board address, value) in their order.
        log: (code, argument).
        job: the word that was published last.
        answers: (result, value).
        kicks: of the watchdog.
    """

    def __init__(self, process: Popen[str]) -> None:
        self.process = process
        self.private = {r.name: 0 for r in REGISTERS if r.access != "w"}
        self.private |= {"lease": 1000, "backlog_limit": 2**32 - 1, "miss_limit": 2**32 - 1}
        self.table = table().words()
        self.board = {
            SCRATCH: 0x1234,
            FAULTS: 0,
            FINISHED: 0,
            BACKLOG: 0,
            MISSES: 0,
            **dict.fromkeys(TABLES, 1),
        }
        self.silent = False
        self.writes: list[tuple[str | int, int]] = []
        self.log: list[tuple[LogCode, int]] = []
        self.job = self.argument = self.value = 0
        self.answers: list[tuple[Result, int]] = []
        self.kicks = 0
        self.now = 0

    def call(self, command: str) -> list[int]:
        """Let the firmware do something; returns the numbers that it gives back."""
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            kind, *numbers = line.split()
            values = [int(number, 16) for number in numbers]
            if kind == "d":
                return values
            if kind == "r":
                self.process.stdin.write(f"{self.read(*values):x}\n")
                self.process.stdin.flush()
            else:
                self.write(*values)
        raise AssertionError(f"the firmware ended: {self.process.stderr.read()}")

    def read(self, address: int) -> int:
        """What the firmware reads."""
        assert address % 4 == 0
        if address >= BOARD_BASE:
            return self.access(address - BOARD_BASE, None)
        if address >= TABLE_BASE:
            return self.table[(address - TABLE_BASE) // 4]
        name = REGISTERS[(address - PRIVATE_BASE) // 4].name
        if name == "now_low":
            self.now += 7
            return self.now
        value = self.private[name]
        if name == "bus_failed":
            self.private[name] = 0
        return value

    def write(self, address: int, value: int) -> None:
        """What follows from what the firmware writes."""
        if address >= BOARD_BASE:
            self.access(address - BOARD_BASE, value)
            return
        register = REGISTERS[(address - PRIVATE_BASE) // 4]
        assert register.access == "w", f"{register.name} cannot be written"
        self.writes.append((register.name, value))
        match register.name:
            case "log_argument":
                self.argument = value
            case "log_code":
                self.log.append((LogCode(value), self.argument))
            case "job":
                self.job = value
            case "value":
                self.value = value
            case "answer":
                assert self.private["mailbox"] >> 31, "nothing was asked"
                self.private["mailbox"] = 0
                self.answers.append((Result(value), self.value))
            case "kick":
                assert value == KICK_KEY
                self.kicks += 1

    def access(self, address: int, value: int | None) -> int:
        """An access to the board; `value` is None for a read."""
        if self.silent:
            self.private |= {"bus_failed": 1, "bus_address": address}
            return 0
        if value is not None:
            self.writes.append((address, value))
            self.board[address] = value
        return self.board[address]

    @property
    def state(self) -> State:
        """Of the job, as it was published last."""
        return State(self.job & 0xF)

    @property
    def safe_request(self) -> int:
        """1 where the board is asked to be safe."""
        return self.job >> 8 & 1

    def begin(self, failures: int = 0) -> None:
        """Begin after a self-test that found `failures`."""
        self.call(f"b {failures:x}")

    def turn(self, command: int | None = None, argument: int = 0) -> tuple[Result, int] | None:
        """One turn, with a command that waits; returns its answer."""
        if command is not None:
            self.private["mailbox"] = 1 << 31 | command
            self.private["argument0"] = argument
        before, kicks = len(self.answers), self.kicks
        self.call("t")
        assert self.kicks == kicks + 1
        assert len(self.answers) - before == (command is not None)
        return self.answers[-1] if command is not None else None

    def job_running(self) -> None:
        """Begin, and start a job."""
        self.begin()
        for command in (Command.CHECK, Command.ARM, Command.START):
            answer = self.turn(command)
            assert answer is not None
            assert answer[0] == Result.OK
        assert self.state == State.RUNNING


def build_driver() -> Path:
    """Path of the driver (`driver.c` says what it takes), from the cache or compiled now.

    Raises:
        ToolchainError: the compiler is missing, or says something.
    """
    tools = find_toolchain()
    sources = [*(FOLDER / name for name in NATIVE), DRIVER]
    header = firmware_header()
    parts = [header, *(path.read_text() for path in [*sources, *sorted(FOLDER.glob("*.h"))])]

    def build(folder: Path) -> None:
        (folder / "registers.h").write_text(header)
        objects = [str(folder / f"{source.stem}.o") for source in sources]
        # One by one: g++ takes C as C only where it does not link as well.
        for source, name in zip(sources, objects, strict=True):
            include = ["-I", str(folder), "-I", str(FOLDER)]
            run_tool([tools.cxx, *FLAGS, *include, "-c", str(source), "-o", name], tools.environment())
        run_tool([tools.cxx, *SANITIZERS, *objects, "-o", str(folder / "driver")], tools.environment())

    folder, _ = cached("firmware", content_key([*parts, *FLAGS, *tools.identity]), build)
    return folder / "driver"
