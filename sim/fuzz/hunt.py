# SPDX-License-Identifier: BSD-2-Clause
"""Sends malformed traffic to a simulated board, and watches that nothing is written and nothing hangs."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triplane.hal.drivers.remote.client import Client
from triplane.hal.drivers.remote.packets import Request
from triplane.hal.errors import BoardError
from triplane.hal.registers import Register, RegisterMap
from triplane.sim.board.build import BoardBuild
from triplane.sim.board.library import SimulatedBoard
from triplane.sim.fuzz.frames import network_frame, serial_bytes
from triplane.sim.fuzz.pins import NetworkPins, SerialPins

BATCH = 10
"""Frames between two looks at the board."""

SNAPSHOT_BATCHES = 20
"""Batches from one look at all registers to the next."""

CYCLES_PER_BYTE = 2
SETTLE_CYCLES = 600

BOOT_CYCLES = 600_000
"""After which the soft core has ended its self-test, in which it writes the scratch register."""

PATIENCE_S = 10.0
"""For the answer to a sound request. Real time: a simulated board answers within milliseconds."""

ASKED = (
    "identification_scratch",
    "identification_clock_hz",
    "identification_table_hash",
    "pacer_period",
    "link_status",
    "faults_status",
)
"""Registers that mutated requests name: to read one changes nothing."""

COUNTERS = (
    "udp_malformed",
    "udp_refused",
    "uart_malformed",
    "uart_refused",
    "network_dropped",
    "network_crc_errors",
    "network_preamble_errors",
)
"""Of what was not executed."""

NETWORK, SERIAL = "network", "serial line"


@dataclass(frozen=True)
class Finding:
    """Traffic after which the board is not as it was.

    Attributes:
        way: `NETWORK` or `SERIAL`.
        what: is wrong.
        traffic: frames, or serial bytes, from one look at the board to the next.
    """

    way: str
    what: str
    traffic: tuple[bytes, ...]

    def save(self, path: Path) -> None:
        """Write it as JSON, for `replay`."""
        path.write_text(
            json.dumps({"way": self.way, "what": self.what, "traffic": [t.hex() for t in self.traffic]})
        )

    @classmethod
    def load(cls, path: Path) -> Finding:
        """As `save` has written it."""
        content = json.loads(path.read_text())
        return cls(content["way"], content["what"], tuple(map(bytes.fromhex, content["traffic"])))


class _Way:
    """One way to the board: a host on it that is sound, and how traffic is sent."""

    def __init__(self, board: SimulatedBoard, registers: Mapping[str, Register], way: str) -> None:
        self.pins: NetworkPins | SerialPins
        self.put: Callable[[bytes], None]
        if way == NETWORK:
            self.pins, bank, self.put = NetworkPins(board), "udp", board.put_frame
        else:
            self.pins, bank, self.put = SerialPins(board), "uart", board.put_serial
        self._scratch = registers["identification_scratch"].address
        self._client = Client(self.pins, registers[f"{bank}_key"].address, PATIENCE_S)
        self._word: int | None = None

    def wrong(self) -> str | None:
        """What is wrong with a request: it must find the word of the last one, and leave the next."""
        word = ((self._word or 0) * 1_103_515_245 + 12_345) % 2**32
        try:
            (found,) = self._client.execute(Request(reads=[self._scratch]))
            self._client.execute(Request([word], self._scratch, False, [self._scratch]))
        except BoardError as error:
            return f"a sound request: {error}"
        expected, self._word = self._word, word
        return (
            None if expected in (None, found) else f"the scratch register holds {found:#x}, not {expected:#x}"
        )


class Hunt:
    """A board under malformed traffic.

    Args:
        build: of a board with links.
        way: `NETWORK` or `SERIAL`.
        seed: of the traffic.

    Attributes:
        sent: frames, or pieces of serial bytes, so far.
        findings: so far; the board is a fresh one after each.
    """

    def __init__(self, build: BoardBuild, way: str, seed: int) -> None:
        self.sent = 0
        self.findings: list[Finding] = []
        self._build, self._way_name = build, way
        self._registers = RegisterMap(build.registers)
        self._random = random.Random(seed)
        self._addresses = [self._registers[name].address for name in ASKED]
        self._counted: dict[str, int] = dict.fromkeys(COUNTERS, 0)
        self._board: SimulatedBoard | None = None
        self._open()

    def __enter__(self) -> Hunt:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the board."""
        if self._board is not None:
            self._board.close()
            self._board = None

    def _open(self) -> None:
        self.close()
        self._board = SimulatedBoard(self._build.library)
        self._board.run(BOOT_CYCLES)
        self._way = _Way(self._board, self._registers, self._way_name)
        found = self._way.wrong()
        if found is not None:
            raise BoardError(f"the {self._way_name} of an untouched board: {found}")
        self._before = self._snapshot()

    def _read(self, name: str) -> int:
        assert self._board is not None
        return int(self._board.read(self._registers[name].address)[0])

    def _snapshot(self) -> dict[str, list[int]]:
        """Registers that a request could have written."""
        assert self._board is not None
        own = ("udp_", "uart_", "identification_scratch")
        return {
            name: self._board.read(register.address, register.size_words).tolist()
            for name, register in self._registers.items()
            if register.writable and not name.startswith(own)
        }

    def _wrong(self, whole: bool) -> str | None:
        found = self._way.wrong()
        if found is None and whole:
            now = self._snapshot()
            changed = sorted(name for name, words in self._before.items() if now[name] != words)
            if changed:
                found = f"written: {', '.join(changed)}"
        return found

    def _traffic(self) -> bytes:
        pins = self._way.pins
        if isinstance(pins, NetworkPins):
            return network_frame(self._random, self._addresses, pins.gateway)
        return serial_bytes(self._random, self._addresses)

    def _send(self, traffic: Sequence[bytes]) -> None:
        for piece in traffic:
            self._way.put(piece)
            # A serial line of 1 Mbaud is simulated by whole bytes, as fast as they are taken.
            self._way.pins.pass_time(CYCLES_PER_BYTE * len(piece) + SETTLE_CYCLES)
            self.sent += 1

    def run(
        self,
        seconds: float | None = None,
        pieces: int | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Send until so many seconds have passed, or so many pieces are sent; what is found is added to `findings`."""
        began, target = time.monotonic(), None if pieces is None else self.sent + pieces
        since_snapshot: list[bytes] = []
        batch = 0
        while not (
            (seconds is not None and time.monotonic() - began >= seconds)
            or (target is not None and self.sent >= target)
        ):
            traffic = [self._traffic() for _ in range(BATCH)]
            self._send(traffic)
            since_snapshot += traffic
            batch += 1
            whole = batch % SNAPSHOT_BATCHES == 0
            found = self._wrong(whole)
            if found is not None:
                self._found(found, since_snapshot)
            if found is not None or whole:
                since_snapshot = []
            progress(self.sent)
        found = self._wrong(whole=True)
        if found is not None:
            self._found(found, since_snapshot)

    def _found(self, what: str, traffic: Sequence[bytes]) -> None:
        self._count()
        self.close()
        self.findings.append(reduced(self._build, Finding(self._way_name, what, tuple(traffic))))
        self._open()

    def _count(self) -> None:
        for name in COUNTERS:
            self._counted[name] += self._read(name)

    def counts(self) -> dict[str, int]:
        """What the boards have counted; may be called once, at the end."""
        self._count()
        return {name: count for name, count in self._counted.items() if count}


def replay(build: BoardBuild, finding: Finding) -> str | None:
    """Send a finding's traffic to a fresh board; what is wrong then, None if nothing is."""
    with Hunt(build, finding.way, seed=0) as hunt:
        hunt._send(finding.traffic)
        return hunt._wrong(whole=True)


def reduced(build: BoardBuild, finding: Finding) -> Finding:
    """The same with as few pieces as still do it; as it is, where a fresh board stands it."""
    what = replay(build, finding)
    if what is None:
        return finding
    traffic, size = list(finding.traffic), max(len(finding.traffic) // 2, 1)
    while size:
        start = 0
        while start < len(traffic):
            shorter = traffic[:start] + traffic[start + size :]
            found = replay(build, Finding(finding.way, what, tuple(shorter))) if shorter else None
            if found is None:
                start += size
            else:
                traffic, what = shorter, found
        size //= 2
    return Finding(finding.way, what, tuple(traffic))
