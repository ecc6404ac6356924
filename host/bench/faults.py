# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench faults`: bad networks, hosts and boards that are killed, strangers, malformed traffic."""

from __future__ import annotations

import functools
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import stim

from triplane import hal
from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.decoder.window import whole_window
from triplane.gateware.link.records.layouts import Kind
from triplane.hal.datagrams import StreamSocket
from triplane.hal.drivers.remote.board import RemoteBoard
from triplane.hal.drivers.remote.links import SerialLink, UdpLink
from triplane.hal.drivers.simulated import served_gateware, simulated_design
from triplane.hal.gateware import Gateware
from triplane.hal.stream import StreamReceiver
from triplane.host.bench.registry import BenchContext, benchmark
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.sampling import memory_circuit
from triplane.host.served import Served, served, triplane
from triplane.sim.board import build_board
from triplane.sim.fuzz import Hunt
from triplane.sim.fuzz.hunt import NETWORK, SERIAL
from triplane.sim.weather import FATES, SHARE, BadLink, BadSource

COMMAND = "triplane bench faults"
SEED = 2026
CODE = ("--distance", "3", "--rounds", "1")
PROBABILITY = 0.02
PERIOD_CYCLES, STREAM_PERIOD_CYCLES = 20, 400
"""Of rounds; slower where the record stream is taken beside the records, since the host has twice as much to do."""
SHOTS, QUICK_SHOTS = 2_000, 200
LINGER_CYCLES = 6_000
"""For which a packet of the record stream stays open."""

FILLS = 30
"""Bursts of three words into a FIFO that counts them."""

STRANGE_BYTES = 100_000
FUZZ_S, QUICK_FUZZ_S = 300.0, 5.0
"""For each way; ten minutes in all."""

LONGEST_DATAGRAM = 1_400
TIMED_OUT_S = 20.0
"""For an answer on a bad network, repetitions included."""

ERROR_GOAL = "<= 7"
"""Seconds: the time-out of 5, and what it takes a process to end."""

SAFE_GOAL = "<= 30"
"""Seconds: the lease is 5 of them at the pace that the board's clock had when the host connected, and a simulated board
that nobody keeps busy has another."""

STREAMING_S = 120.0

EXACT = ("sequence", "observables", "flags", "frame", "decode_cycles")
"""Fields of a record that do not depend on when a run was started."""


@dataclass(frozen=True)
class Work:
    """What is run on the board: shots of a small memory."""

    shots: int

    @cached_property
    def circuit(self) -> stim.Circuit:
        """The memory."""
        return memory_circuit(distance=3, rounds=1, probability=PROBABILITY)

    @cached_property
    def graph(self) -> DecodingGraph:
        """That the board was built to decode, as `triplane board` builds it."""
        return compile_graph(self.circuit.detector_error_model(decompose_errors=True))

    @cached_property
    def target(self) -> hal.ArrayTarget:
        """The decoder of the board."""
        return hal.ArrayTarget(whole_window(self.graph))

    @cached_property
    def gateware(self) -> Gateware:
        """What the board carries."""
        return served_gateware(*simulated_design(self.target))

    @cached_property
    def rounds(self) -> npt.NDArray[np.uint32]:
        """Of all shots, as `Board.run` takes them."""
        return self.graph.pack_events(self.circuit.compile_detector_sampler(seed=SEED).sample(self.shots))

    @cached_property
    def expected(self) -> npt.NDArray[np.void]:
        """Records of the board in this process."""
        with hal.connect("sim", graph=self.graph) as board:
            return self.records(board)

    def records(self, board: hal.Board) -> npt.NDArray[np.void]:
        """Records of a board."""
        board.load(hal.DecoderProgram.from_graph(self.graph))
        return np.concatenate(list(board.run(self.rounds, round_period_cycles=PERIOD_CYCLES)))

    def differing(self, found: npt.NDArray[np.void]) -> int:
        """Records that are not as expected, missing and doubled ones among them."""
        count = min(len(found), len(self.expected))
        wrong = np.zeros(count, dtype=bool)
        for name in EXACT:
            wrong |= found[name][:count] != self.expected[name][:count]
        return int(wrong.sum()) + abs(len(found) - len(self.expected))


@benchmark(
    "faults", help="Bad networks, killed hosts and boards, strangers, and a fuzzer of malformed traffic."
)
def bench_faults(ctx: BenchContext) -> None:
    """Rows of each; the board is in a process of its own, but for the fuzzer's."""
    command = COMMAND + (" --quick" if ctx.quick else "")
    ctx.seeds["faults"] = SEED
    work = Work(QUICK_SHOTS if ctx.quick else SHOTS)
    with ProgressView() as view:
        view.step("the board in this process, for what is expected")
        assert len(work.expected) == work.shots
        ctx.gateware["board"] = {"build_hash": work.gateware.build_hash}
        with served(*CODE) as board:
            for bank in ("udp", "uart"):
                view.step(f"a bad network, {bank}")
                _weather(ctx, work, board, bank, command)
            view.step("the record stream on a bad network")
            _stream(ctx, work, board, command)
        with served(*CODE, "--pynq-port", "0", links=("udp", "uart", "pynq")) as board:
            view.step("strangers")
            _strangers(ctx, work, board, command)
        view.step("killed hosts and boards")
        _host_killed(ctx, work, command)
        _board_killed(ctx, work, command)
        for way in (NETWORK, SERIAL):
            _fuzz(ctx, work, way, view, command)


# A bad network


def _link(board: Served, bank: str) -> UdpLink | SerialLink:
    if bank == "udp":
        where = urlsplit(board.urls["udp"])
        return UdpLink(str(where.hostname), int(where.port or 0))
    return SerialLink(board.urls["uart"].removeprefix("uart:"), hal.BAUDRATE)


def _weather(ctx: BenchContext, work: Work, board: Served, bank: str, command: str) -> None:
    title = f"{bank}, {SHARE:.0%} each of datagrams {', '.join(FATES)}, both directions"
    row = functools.partial(ctx.row, work=f"{title}; {work.shots:,} shots", command=command)
    rates = []
    for bad in (False, True):
        link: UdpLink | SerialLink | BadLink = _link(board, bank)
        if bad:
            link = BadLink(link, SEED)
        with RemoteBoard(link, bank, work.gateware, work.target, timeout_s=TIMED_OUT_S) as remote:
            began = time.monotonic()
            found = work.records(remote)
            rates.append(len(found) / (time.monotonic() - began))
            if bad:
                row(
                    measure="records that differ, or are lost",
                    value=work.differing(found),
                    unit="records",
                    goal="<= 0",
                )
                row(
                    measure="words that a FIFO got twice, or never",
                    value=_miscounted(remote),
                    unit="words",
                    goal="<= 0",
                )
    assert isinstance(link, BadLink)
    unsound = sum(link.counts[fate] for fate in FATES)
    row(measure="datagrams that were not left alone", value=unsound, unit="datagrams", goal=None)
    row(measure="records a second, of those on a good network", value=rates[1] / rates[0], unit="", goal=None)


def _miscounted(board: RemoteBoard) -> int:
    clear = board.registers["faults_control"]
    board.write(clear.address, 1 << clear.fields["clear"].offset)
    space = board.registers["link_status"].fields["event_space"]
    before = space.of(board.get("link_status"))
    for _ in range(FILLS):
        board.burst_write(board.registers["events_data"].address, [1, 2, 3], increment=False)
    return abs(before - space.of(board.get("link_status")) - 3 * FILLS)


def _stream(ctx: BenchContext, work: Work, board: Served, command: str) -> None:
    title = f"record stream, {SHARE:.0%} each of packets lost, doubled, swapped; {work.shots:,} shots"
    row = functools.partial(ctx.row, work=title, command=command)
    with (
        hal.connect(board.urls["udp"], graph=work.graph) as remote,
        StreamReceiver(
            remote, BadSource(StreamSocket("127.0.0.1"), SEED), linger_cycles=LINGER_CYCLES
        ) as receiver,
    ):
        remote.load(hal.DecoderProgram.from_graph(work.graph))
        chunks, packets = [], []
        for chunk in remote.run(work.rounds, round_period_cycles=STREAM_PERIOD_CYCLES):
            chunks.append(chunk)
            packets += receiver.take()
        packets += receiver.finish()
        held = np.concatenate(chunks)
        words = [record.words for packet in packets for record in packet.of(Kind.RESULT)]  # type: ignore[union-attr]
        lost = sum(receiver.lost_on_board().values())
        fetched = receiver.counts["fetched"]
    streamed = RESULT.parse(np.stack(words)) if words else held[:0]
    wrong = abs(len(streamed) - len(held)) + int((streamed[: len(held)] != held[: len(streamed)]).sum())
    row(
        measure="records that are lost, or not what the FIFO held",
        value=wrong + lost,
        unit="records",
        goal="<= 0",
    )
    row(measure="packets fetched from the ring", value=fetched, unit=f"of {len(packets)}", goal=None)


# Strangers


def _strangers(ctx: BenchContext, work: Work, board: Served, command: str) -> None:
    rng = random.Random(SEED)
    for name, send in {"udp": _to_udp, "uart": _to_tcp, "pynq": _to_tcp}.items():
        title = f"{STRANGE_BYTES:,} random bytes to the {name} port"
        row = functools.partial(ctx.row, work=title, command=command)
        with hal.connect(board.urls["udp"], graph=work.graph) as remote:
            remote.write(remote.registers["identification_scratch"].address, 0xC0FFEE)
            before, counted = _written(remote), _refusals(remote, name)
            send(board.urls[name], rng)
            began = time.monotonic()
            changed = sum(word != old for word, old in zip(_written(remote), before, strict=True))
            row(measure="registers that were written", value=changed, unit="registers", goal="<= 0")
            row(measure="until the next right answer", value=time.monotonic() - began, unit="s", goal=None)
            if name != "pynq":
                refused = _refusals(remote, name) - counted
                row(
                    measure="requests that the board has refused",
                    value=refused,
                    unit="datagrams",
                    goal=">= 1",
                )


def _written(board: hal.Board) -> list[int]:
    """Of all registers that a host may write, but for those of the links."""
    return [
        int(word)
        for name, register in board.registers.items()
        if register.writable and not name.startswith(("udp_", "uart_"))
        for word in board.burst_read(register.address, register.size_words)
    ]


def _refusals(board: hal.Board, bank: str) -> int:
    names = (f"{bank}_malformed", f"{bank}_refused")
    return sum(board.read(board.registers[name].address) for name in names if name in board.registers)


def _to_udp(url: str, rng: random.Random) -> None:
    where = urlsplit(url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        sent = 0
        while sent < STRANGE_BYTES:
            data = rng.randbytes(rng.randrange(1, LONGEST_DATAGRAM))
            stranger.sendto(data, (where.hostname, where.port))
            sent += len(data)
            time.sleep(
                0.005
            )  # as fast as the board takes them: what is dropped on the way does no harm to anybody


def _to_tcp(url: str, rng: random.Random) -> None:
    where = urlsplit(url.removeprefix("uart:"))
    with socket.create_connection((where.hostname, where.port), timeout=60) as stranger:
        try:
            stranger.sendall(rng.randbytes(STRANGE_BYTES) + b"\xc0")
        except (ConnectionError, TimeoutError):
            return  # a server that hangs up has heard enough


# Hosts and boards that are killed


def _streaming(process: subprocess.Popen[str]) -> None:
    """Wait until a run has begun to stream, by what it tells on stderr."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("streaming"):
            return


def _endless(url: str) -> subprocess.Popen[str]:
    host = triplane("sample", *CODE, "--probability", str(PROBABILITY), "--shots", "1000000", "--board", url)
    _streaming(host)
    return host


def _next_job(ctx: BenchContext, work: Work, url: str, title: str, command: str) -> None:
    with hal.connect(url, graph=work.graph) as board:
        wrong = work.differing(work.records(board))
    ctx.row(
        work=title,
        measure="records of the next job that differ",
        value=wrong,
        unit="records",
        goal="<= 0",
        command=command,
    )


def _host_killed(ctx: BenchContext, work: Work, command: str) -> None:
    title = "the host is killed in the middle of a run"
    with served(*CODE) as board:
        host = _endless(board.urls["udp"])
        with hal.connect(board.urls["uart"], graph=work.graph, observe=True) as observer:
            safe_before = observer.fault() is not None
            host.kill()
            host.communicate()
            seconds = _until(lambda: observer.fault() is not None)
            stopping = observer.fault()
        row = functools.partial(ctx.row, work=title, command=command)
        row(measure="safe while it ran", value=int(safe_before), unit="", goal="<= 0")
        row(measure="until the board is safe, by the lease", value=seconds, unit="s", goal=SAFE_GOAL)
        by_soft_core = stopping is not None and "requested" in stopping.stopping
        row(measure="at the request of its soft core", value=int(by_soft_core), unit="", goal=">= 1")
        _next_job(ctx, work, board.urls["udp"], title, command)


def _board_killed(ctx: BenchContext, work: Work, command: str) -> None:
    title = "the board is killed in the middle of a run"
    row = functools.partial(ctx.row, work=title, command=command)
    with served(*CODE) as board:
        host = _endless(board.urls["udp"])
        board.process.kill()
        began = time.monotonic()
        _, said = host.communicate(timeout=STREAMING_S)
        row(
            measure="until the host ends with an error",
            value=time.monotonic() - began,
            unit="s",
            goal=ERROR_GOAL,
        )
        clear = host.returncode == 1 and "has not answered" in said and "Traceback" not in said
        row(measure="error that names the board, and no traceback", value=int(clear), unit="", goal=">= 1")
        port = int(urlsplit(board.urls["udp"]).port or 0)
    with served(*CODE, udp_port=port) as again:
        _next_job(ctx, work, again.urls["udp"], title, command)


def _until(reached: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not reached() and time.monotonic() - began < STREAMING_S:
        time.sleep(0.05)
    return time.monotonic() - began


# Malformed traffic


def _fuzz(ctx: BenchContext, work: Work, way: str, view: ProgressView, command: str) -> None:
    seconds = QUICK_FUZZ_S if ctx.quick else FUZZ_S
    design, _ = simulated_design(work.target)
    told = time.monotonic()

    def progress(sent: int) -> None:
        nonlocal told
        if time.monotonic() - told > 10:
            told = time.monotonic()
            view.step(f"malformed traffic, {way}: {sent:,}")

    with Hunt(build_board(design.with_links(), progress=view.build), way, SEED) as hunt:
        hunt.run(seconds=seconds, progress=progress)
        counts = hunt.counts()
    title = f"malformed traffic, {way}, {seconds:g} s"
    row = functools.partial(ctx.row, work=title, command=command)
    row(measure="pieces", value=hunt.sent, unit="", goal=None)
    row(measure="findings: something was written, or hung", value=len(hunt.findings), unit="", goal="<= 0")
    for name, count in counts.items():
        row(measure=name, value=count, unit="", goal=None)
    with tempfile.TemporaryDirectory() as folder:
        for number, finding in enumerate(hunt.findings):
            path = Path(folder) / f"finding-{way.replace(' ', '-')}-{number}.json"
            finding.save(path)
            ctx.add_input(path.name, path.read_bytes(), source=finding.what)
