# SPDX-License-Identifier: BSD-2-Clause
"""A board with QICK's firmware as a board: control programs run, and all else is refused by its descriptor."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from triplane.hal.barrier import BarrierRequest, BarrierState, DecodeLimits
from triplane.hal.board import Fault, Identity, Words
from triplane.hal.control import ControlProgram, Execution
from triplane.hal.descriptor import Descriptor
from triplane.hal.drivers.qick.compiler import Compiled, compile_program
from triplane.hal.drivers.qick.firmware import CYCLE_HZ, descriptor_of, limits_of
from triplane.hal.drivers.qick.link import SocLink
from triplane.hal.drivers.qick.processor import DONE, EXIT, FAULT, FIRST
from triplane.hal.drivers.qick.steps import check_registers
from triplane.hal.drivers.qick.wiring import Wiring, usual_wiring
from triplane.hal.errors import (
    AddressError,
    BoardClosedError,
    ProgramError,
    RecordStreamError,
    RunTimeoutError,
    SafeStateError,
    UnsupportedError,
)
from triplane.hal.program import DecoderProgram
from triplane.hal.records import Records, RunStream
from triplane.hal.registers import Register

POLL_S = 0.002
"""From one look at a running program to the next."""

GRACE_S = 1.0
"""That a program may take beyond its cycles: until the host sees that it has ended."""

ACCUMULATED = np.dtype([("line", "u1"), ("bit", "u1"), ("i", "<i4"), ("q", "<i4")])
"""What a window has measured: line, bit, and the sums of its samples, of each line in the order of its windows."""


class QickBoard:
    """A board with QICK's firmware.

    Args:
        link: to it.
        wiring: of a program's channels; None: `usual_wiring`. May be set anew before a program is loaded.

    Raises:
        UnsupportedError: a block of the firmware cannot stand for a channel of the wiring.
        ProgramError: the wiring names what is not there.
    """

    place: str | None = None

    def __init__(self, link: SocLink, wiring: Wiring | None = None) -> None:
        self._link = link
        self._closed = False
        self.configuration = link.configuration
        self._descriptor = descriptor_of(self.configuration)
        self.limits = limits_of(self.configuration)
        self._wiring = usual_wiring(self.configuration)
        if wiring is not None:
            self.wiring = wiring
        self._compiled: Compiled | None = None
        self._program: ControlProgram | None = None
        self._registers: dict[int, int] = {}

    @property
    def wiring(self) -> Wiring:
        """Which generators and readouts stand for the channels of programs that are loaded from now on."""
        return self._wiring

    @wiring.setter
    def wiring(self, wiring: Wiring) -> None:
        wiring.check(self.configuration)
        self._wiring = wiring

    @property
    def descriptor(self) -> Descriptor:
        """What the board is capable of."""
        return self._descriptor

    @property
    def registers(self) -> Mapping[str, Register]:
        """None: QICK's firmware has no register map of Triplane's."""
        return {}

    def identify(self) -> Identity:
        """What QICK says that it is; the hash is that of its configuration, since its Verilog is not known here."""
        self._open()
        content = json.dumps(self.configuration, sort_keys=True, default=str).encode()
        return Identity(
            name=self._descriptor.name,
            version=str(self.configuration["sw_version"]),
            build_hash=hashlib.sha256(content).hexdigest(),
            table_hash="0" * 64,
            clock_hz=CYCLE_HZ,
        )

    # Control programs

    def load_control(self, program: ControlProgram) -> None:
        """Compile a program and load it; what QICK cannot do is refused before anything is sent.

        Raises:
            UnsupportedError: the board's tProcessor is not v2, or the program needs what its descriptor denies.
            ProgramError: an instruction or a table is beyond QICK, or the board has not enough of something.
        """
        self._open()
        compiled = compile_program(program, self.configuration, self._wiring)
        self._compiled = self._program = None
        with self._link.talking() as soc:
            compiled.program.config_all(soc)
        self._compiled, self._program = compiled, program

    def execute(
        self,
        registers: Mapping[int, int] | None = None,
        *,
        limit_cycles: int,
        timeout_s: float | None = None,
        live: bool = False,
        records: bool = False,
        outcomes: Callable[[Words], object] | None = None,
    ) -> Execution:
        """Run the program that is loaded until it halts and its last event is played.

        QICK counts nothing but results: of the `Execution`, cycles, instructions, events, waited cycles and strays are
        0. `records` fills its `rounds`, as `ACCUMULATED`.

        Args:
            registers: of the program -> value at the start; the others keep what they had.
            limit_cycles: after which, on the host's clock, the processor is stopped.
            timeout_s: a limit beside that.
            live: refused: there is no decoder.
            records: fetch what was measured.
            outcomes: refused: programs with `emit` are not compiled.

        Raises:
            SafeStateError: the program has stopped itself; the message has the place.
            RunTimeoutError: it did not end in time; the processor was stopped.
            RecordStreamError: more was measured than the buffers hold.
        """
        self._open()
        if live:
            self._refuse("rounds go to no decoder", "decoding")
        if outcomes is not None:
            raise UnsupportedError(
                f"{self._descriptor.name} runs QICK's firmware, whose programs give nothing out while they run; leave "
                "outcomes out, or use a board with Triplane's gateware"
            )
        compiled = self._compiled
        if compiled is None:
            raise ProgramError("no control program is loaded; call load_control() first")
        given = dict(registers or {})
        check_registers(given)
        self._registers.update(given)
        kept = [self._registers.get(number, 0) for number in compiled.registers]
        memory = np.array([0] * (FIRST + len(compiled.lines)) + kept, dtype=np.int64).astype(np.int32)
        seconds = limit_cycles / CYCLE_HZ + GRACE_S
        deadline = time.monotonic() + (seconds if timeout_s is None else min(seconds, timeout_s))
        with self._link.talking() as soc:
            compiled.program.config_bufs(soc, enable_avg=True, enable_buf=False)
            soc.load_mem(memory.tolist(), mem_sel="dmem", addr=0)
            soc.clear_tproc_counter(addr=1)
            soc.start_src("internal")
            soc.start_tproc()
            while int(soc.get_tproc_counter(addr=1)) != DONE:
                if time.monotonic() > deadline:
                    soc.stop_tproc()
                    raise RunTimeoutError(
                        f"the program did not end within {limit_cycles} cycles; the tProcessor was stopped"
                    )
                time.sleep(POLL_S)
            found = [int(word) for word in np.asarray(soc.read_mem(len(memory), mem_sel="dmem", addr=0))]
        return self._ended(compiled, found, records)

    def _ended(self, compiled: Compiled, memory: list[int], records: bool) -> Execution:
        if memory[FAULT] and self._program is not None:
            place = self._program.sequence.place(memory[FAULT] - 1)
            raise SafeStateError(
                f"{place}: the program stopped itself: a time from a register that is negative, longer than 2**24 - 1 "
                f"cycles or no whole number of ticks (1 cycle is {compiled.limits.ticks_per_cycle}), or an amplitude "
                "above 1"
            )
        counts = dict(zip(compiled.lines, memory[FIRST:], strict=False))
        kept = memory[FIRST + len(compiled.lines) :]
        self._registers.update({n: v % 2**32 for n, v in zip(compiled.registers, kept, strict=True)})
        rounds = np.zeros(0, dtype=ACCUMULATED)
        if records:
            rounds = np.concatenate([rounds, *(self._measured(compiled, *item) for item in counts.items())])
        return Execution(memory[EXIT] % 2**32, 0, 0, 0, 0, 0, rounds=rounds)

    def _measured(self, compiled: Compiled, line: int, count: int) -> npt.NDArray[np.void]:
        """The sums of a line's windows."""
        readout = compiled.wiring.lines[line].readout
        having = self.configuration["readouts"][readout]["avg_maxlen"]
        if count >= having:
            raise RecordStreamError(
                f"line {line} has measured {count} windows, the buffer of readout {readout} holds fewer than {having}; "
                "let the program measure less, or take records=False"
            )
        result = np.zeros(count, dtype=ACCUMULATED)
        if count:
            with self._link.talking() as soc:
                sums = np.asarray(soc.get_accumulated(ch=readout, address=0, length=count))
            threshold = compiled.settings[line].threshold
            result["line"], result["i"], result["q"] = line, sums[:, 0], sums[:, 1]
            result["bit"] = (result[threshold.component] >= threshold.least) == threshold.above
        return result

    def elapse(self, cycles: int) -> None:
        """Let so many cycles pass, on the host's clock."""
        self._open()
        time.sleep(cycles / CYCLE_HZ)

    def fault(self) -> Fault | None:
        """None: QICK's firmware has no safe state. What stops a program is told by `execute`."""
        self._open()
        return None

    # What the descriptor denies

    def _refuse(self, what: str, feature: str) -> NoReturn:
        raise UnsupportedError(
            f"{self._descriptor.name} runs QICK's firmware: {what} (features.{feature} is false); use a board with "
            "Triplane's gateware"
        )

    def read(self, address: int) -> int:
        """Refused: there are no registers of Triplane's."""
        raise AddressError(
            f"there is no register at {address:#x}: {self._descriptor.name} runs QICK's firmware"
        )

    def write(self, address: int, value: int) -> None:
        """Refused, as `read`."""
        self.read(address)

    def burst_read(self, address: int, count: int, *, increment: bool = True) -> Words:
        """Refused, as `read`."""
        return np.array([self.read(address)], dtype=np.uint32)

    def burst_write(self, address: int, words: npt.ArrayLike, *, increment: bool = True) -> None:
        """Refused, as `read`."""
        self.read(address)

    def load(self, program: DecoderProgram) -> None:
        """Refused: there is no decoder."""
        self._refuse("it has no decoder to load tables into", "decoding")

    def exchange(self, program: DecoderProgram) -> None:
        """Refused: there is no decoder."""
        self._refuse("it has no decoder to exchange tables of", "decoding")

    def run(
        self,
        rounds: npt.ArrayLike,
        *,
        round_period_cycles: int,
        timeout_s: float | None = None,
        shot_by_shot: bool = False,
    ) -> RunStream:
        """Refused: there is no decoder."""
        self._refuse("it has no decoder for rounds", "decoding")

    def records(self) -> Iterator[Records]:
        """Refused: there is no decoder."""
        self._refuse("it has no decoder, and no records of one", "decoding")

    def limit(self, limits: DecodeLimits) -> None:
        """Refused: there is no decoder."""
        self._refuse("it has no windows with a deadline", "escalation")

    def barrier(self, request: BarrierRequest) -> None:
        """Refused: there is no frame."""
        self._refuse("it has no frame to wait for", "escalation")

    def amend(self, shot: int, flips: int) -> bool:
        """Refused: there is no frame."""
        self._refuse("it has no frame to amend", "escalation")

    def barrier_state(self) -> BarrierState:
        """Refused: there is no frame."""
        self._refuse("it has no barrier", "escalation")

    def trace(self, path: Path | str | None, cycles: int) -> None:
        """Refused: there is no simulation."""
        self._refuse("it has no waveform to write", "trace")

    # Life

    def _open(self) -> None:
        if self._closed:
            raise BoardClosedError("the board is closed; connect again")

    def close(self) -> None:
        """Leave the board; closing twice does no harm."""
        if not self._closed:
            self._closed = True
            self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect_qick(url: str, wiring: Wiring | None = None, **others: Any) -> QickBoard:
    """Connect to a board with QICK's firmware.

    Args:
        url: "qick:HOST" or "qick:HOST:PORT" for QICK's Pyro server by its name server; "qick:local" on the board.
        wiring: of a program's channels; None: `usual_wiring`, with frequencies as they are at the converters.
        others: what else `hal.connect` was asked for; anything but None and False is refused, since it is for a decoder
            or for Triplane's gateware.

    Raises:
        ValueError: the address is none.
        BuildError: qick, Pyro4 or psutil is not installed.
        LinkError: the board cannot be reached, or does not answer.
        UnsupportedError: a decoder or a fabric was asked for.
    """
    asked = [name for name, value in others.items() if value not in (None, False) and name != "progress"]
    if asked:
        raise UnsupportedError(
            f"{url} runs QICK's firmware, which has no {', no '.join(asked)} of Triplane's (features.decoding is false)"
        )
    return QickBoard(SocLink.to(url), wiring)
