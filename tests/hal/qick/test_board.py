# SPDX-License-Identifier: BSD-2-Clause
"""QICK's proxy path on real sockets: Pyro4's name server and daemon on loopback, a stand-in of `QickSoc` behind them.

The stand-in answers with the real configuration, records what it is asked, and executes the words that it was loaded
with by the interpreter of the other tests. It is not a board: no converter, no DMA, no time.
"""

import contextlib
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.hal import errors
from triplane.hal.board import Board
from triplane.hal.drivers.qick import ACCUMULATED, QickBoard, SocLink, Wiring, connect_qick
from triplane.hal.drivers.qick.link import parse

Pyro4 = pytest.importorskip("Pyro4", reason="Pyro4 is not installed (uv sync --extra qick)")
naming = pytest.importorskip("Pyro4.naming", reason="Pyro4 is not installed (uv sync --extra qick)")

TUNE = "    slot l0, 0\n    freq l0, 134217728\n    slot l1, 0\n    freq l1, 134217728\n    wait 200\n"


class StandIn:
    """What `QickSoc` does for a program, as far as it is asked for."""

    def __init__(self, config, interpreter):
        self.config, self.interpreter = config, interpreter
        self.calls = []
        self.answers = {0: [], 1: []}
        self.ends = True
        self.binprog, self.memory, self.outcome, self.lengths = None, [], None, {}

    def get_cfg(self):
        return self.config

    def seen(self):
        return [name for name, *_ in self.calls]

    def reset(self, answers, ends=True):
        self.calls.clear()
        self.answers, self.ends = answers, ends

    def _note(self, name, *values):
        self.calls.append((name, *values))

    def start_src(self, src):
        self._note("start_src", src)

    def stop_tproc(self, lazy=False):
        self._note("stop_tproc", lazy)

    def load_envelope(self, ch, data, addr):
        self._note("load_envelope", ch, len(data), addr)

    def set_nyquist(self, ch, nqz, force=False):
        self._note("set_nyquist", ch, nqz)

    def configure_readout(self, ch, ro_regs):
        self._note("configure_readout", ch, ro_regs["f_int"])

    def load_bin_program(self, binprog, load_mem=True):
        self._note("load_bin_program", len(binprog["pmem"]))
        self.binprog = binprog

    def config_avg(self, ch, address=0, length=1, **_):
        self._note("config_avg", ch, length)
        self.lengths[ch] = length

    def enable_buf(self, ch, enable_avg=True, enable_buf=True):
        self._note("enable_buf", ch, enable_avg, enable_buf)

    def load_mem(self, data, mem_sel="dmem", addr=0):
        self._note("load_mem", mem_sel, addr)
        self.memory = list(data)

    def clear_tproc_counter(self, addr):
        self._note("clear_tproc_counter", addr)
        self.outcome = None

    def start_tproc(self):
        self._note("start_tproc")
        windows = {ch: round(length * 430.08 / 307.2) for ch, length in self.lengths.items()}
        runner = self.interpreter(self.binprog, self.answers, windows, self.memory)
        self.outcome = runner.run()

    def get_tproc_counter(self, addr):
        return int(self.ends and self.outcome is not None and self.outcome.ended)

    def read_mem(self, length, mem_sel="dmem", addr=0):
        self._note("read_mem", mem_sel, length)
        return np.array([*self.outcome.memory, *[0] * length][:length], dtype=np.uint32).astype(np.int32)

    def get_accumulated(self, ch, address=0, length=None):
        self._note("get_accumulated", ch, length)
        return np.array(self.answers[ch][:length], dtype=np.int32)


SETTINGS = ("SERIALIZER", "SERIALIZERS_ACCEPTED", "PICKLE_PROTOCOL_VERSION", "REQUIRE_EXPOSE", "SERVERTYPE")


@contextlib.contextmanager
def served(soc):
    """Pyro4's name server and a daemon with the stand-in, each in a thread, as qick.pyro.start_server has them."""
    kept = {name: getattr(Pyro4.config, name) for name in SETTINGS}
    Pyro4.config.SERVERTYPE = "multiplex"  # connections end with the server, as those of a process do
    Pyro4.config.REQUIRE_EXPOSE = False
    Pyro4.config.SERIALIZER = "pickle"
    Pyro4.config.SERIALIZERS_ACCEPTED = {"pickle"}
    Pyro4.config.PICKLE_PROTOCOL_VERSION = 4
    _, names, _ = naming.startNS(host="127.0.0.1", port=0, enableBroadcast=False)
    daemon = Pyro4.Daemon(host="127.0.0.1")
    threads = [threading.Thread(target=each.requestLoop) for each in (names, daemon)]
    for thread in threads:
        thread.start()
    port = int(names.locationStr.split(":")[1])
    try:
        with Pyro4.locateNS(host="127.0.0.1", port=port) as server:
            server.register("myqick", daemon.register(soc))
        yield SimpleNamespace(url=f"qick:127.0.0.1:{port}", port=port)
    finally:
        for each in (daemon, names):
            each.shutdown()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        for each in (daemon, names):
            each.close()
        for name, value in kept.items():
            setattr(Pyro4.config, name, value)


@pytest.fixture(scope="module")
def interpreter(interpret):
    return interpret.interpreter


@pytest.fixture(scope="module")
def soc(config, interpreter):
    return StandIn(config, interpreter)


@pytest.fixture(scope="module")
def server(soc):
    with served(soc) as where:
        yield where


@pytest.fixture
def board(server, soc, wiring):
    soc.reset({0: [], 1: []})
    with hal.connect(server.url) as board:
        assert isinstance(board, QickBoard)
        board.wiring = wiring
        yield board


def test_what_the_board_says(board, config):
    assert isinstance(board, Board)
    assert board.descriptor.name == "qick_zcu216"
    assert board.descriptor.features.sequencer
    assert board.limits.registers == 16
    assert board.configuration["gens"] == config["gens"]
    identity = board.identify()
    assert (identity.name, identity.version, identity.clock_hz) == (
        "qick_zcu216",
        config["sw_version"],
        245_760_000,
    )
    assert len(identity.build_hash) == 64


def test_a_program_runs_on_the_other_side(board, soc, make):
    soc.reset({0: [(1500, -3), (200, 4), (1800, 5)], 1: []})
    text = f"""{TUNE}
again:
    play l0, 0
    capture l0, 0
    on.zero 0, done, 999
    play q0, 1, +40
    add r1, r1, 1
    wait 600
    loop r2, again
done:
    capture l0, 0
    halt r1
    """
    board.load_control(make(text))
    assert soc.seen()[:2] == ["start_src", "stop_tproc"]
    assert ("load_envelope", 0, 448, 0) in soc.calls
    assert ("set_nyquist", 0, 2) in soc.calls
    assert "configure_readout" in soc.seen()
    assert soc.seen()[-1] == "load_bin_program"
    soc.calls.clear()
    ended = board.execute({1: 10, 2: 9}, limit_cycles=1_000_000, records=True)
    assert ended.exit_code == 11
    assert soc.seen() == [
        "config_avg", "enable_buf", "load_mem", "clear_tproc_counter", "start_src", "start_tproc", "read_mem",
        "get_accumulated",
    ]  # fmt: skip
    assert ("config_avg", 0, 250) in soc.calls
    assert ended.rounds.dtype == ACCUMULATED
    assert ended.rounds.tolist() == [(0, 1, 1500, -3), (0, 0, 200, 4), (0, 1, 1800, 5)]
    assert (ended.cycles, ended.instructions, ended.events, ended.waited_cycles, ended.strays) == (
        0,
        0,
        0,
        0,
        0,
    )
    # Registers keep what the last program has left in them.
    soc.reset({0: [(200, 0), (1, 1)], 1: []})
    assert board.execute(limit_cycles=1_000_000).exit_code == 11
    assert len(board.execute({1: 2**32 - 1}, limit_cycles=1_000_000).rounds) == 0


def test_a_refused_program_sends_nothing(board, soc, make):
    with pytest.raises(errors.ProgramError, match="no leakage"):
        board.load_control(make(TUNE + "    on.leaked 0, end, 100\nend:\n    halt 0"))
    assert soc.calls == []
    with pytest.raises(errors.ProgramError, match=r"call load_control\(\) first"):
        board.execute(limit_cycles=100)


def test_registers_that_are_none(board, make):
    board.load_control(make("    halt 0"))
    for registers in ({0: 1}, {32: 1}, {1: 2**32}, {1: -(2**31) - 1}):
        with pytest.raises(errors.ProgramError, match="there are 1 to 31, of 32 bits"):
            board.execute(registers, limit_cycles=100)


def test_a_program_that_does_not_end_is_stopped(board, soc, make):
    board.load_control(make("    halt 0"))
    soc.reset({0: [], 1: []}, ends=False)
    with pytest.raises(errors.RunTimeoutError, match="within 1000 cycles; the tProcessor was stopped"):
        board.execute(limit_cycles=1000, timeout_s=0.05)
    assert ("stop_tproc", False) in soc.calls


def test_a_program_that_stops_itself(board, make):
    board.load_control(make("    wait 100\n    wait r1\n    play q0, 0\n    halt 0"))
    assert board.execute({1: 8}, limit_cycles=10_000).exit_code == 0
    with pytest.raises(
        errors.SafeStateError, match=r"^test\.tasm:13, address 1: the program stopped itself.*7/4"
    ):
        board.execute({1: 9}, limit_cycles=10_000)
    assert board.fault() is None


def test_more_windows_than_the_buffer_holds(board, soc, make, config):
    board.load_control(make(TUNE + "    capture l0, 0\n    halt 0"))
    soc.reset({0: [(5, 5)], 1: []})
    board.configuration["readouts"][0]["avg_maxlen"] = 1
    with pytest.raises(
        errors.RecordStreamError, match="has measured 1 windows, the buffer of readout 0 holds fewer than 1"
    ):
        board.execute(limit_cycles=10_000, records=True)
    assert config["readouts"][0]["avg_maxlen"] == 16384


def test_what_qick_says_on_the_board_is_told(board, soc, make, monkeypatch):
    def broken(self, binprog, load_mem=True):
        raise RuntimeError("DMA is not there")

    monkeypatch.setattr(StandIn, "load_bin_program", broken)
    with pytest.raises(errors.BoardError, match="QICK says RuntimeError: DMA is not there"):
        board.load_control(make("    halt 0"))


@pytest.mark.parametrize(
    ("call", "feature"),
    [
        (lambda b: b.load(None), "decoding"),
        (lambda b: b.exchange(None), "decoding"),
        (lambda b: b.run([], round_period_cycles=0), "decoding"),
        (lambda b: b.records(), "decoding"),
        (lambda b: b.execute(limit_cycles=1, live=True), "decoding"),
        (lambda b: b.limit(None), "escalation"),
        (lambda b: b.barrier(None), "escalation"),
        (lambda b: b.amend(0, 0), "escalation"),
        (lambda b: b.barrier_state(), "escalation"),
        (lambda b: b.trace(None, 5), "trace"),
    ],
)
def test_what_the_descriptor_denies_is_refused_by_name(board, call, feature):
    assert not getattr(board.descriptor.features, feature)
    with pytest.raises(
        errors.UnsupportedError, match=rf"runs QICK's firmware: .*\(features\.{feature} is false\)"
    ):
        call(board)


def test_there_are_no_registers(board):
    assert board.registers == {}
    for call in (lambda: board.read(16), lambda: board.write(16, 1), lambda: board.burst_read(16, 2),
                 lambda: board.burst_write(16, [1])):  # fmt: skip
        with pytest.raises(errors.AddressError, match="no register at 0x10"):
            call()


def test_decoders_and_fabrics_are_refused_when_connecting(server, code):
    with pytest.raises(
        errors.UnsupportedError, match=r"has no graph of Triplane's \(features.decoding is false\)"
    ):
        hal.connect(server.url, graph=code.graph)
    with pytest.raises(errors.UnsupportedError, match="has no fabric, no correction"):
        hal.connect(server.url, fabric=FabricShape(1, 1, SyndromeShape(1, 1, 1)), correction=True)


def test_a_closed_board(server):
    board = connect_qick(server.url)
    board.close()
    board.close()
    for call in (board.identify, board.fault, lambda: board.elapse(1), lambda: board.execute(limit_cycles=1)):
        with pytest.raises(errors.BoardClosedError, match="connect again"):
            call()


def test_a_wiring_is_checked_when_it_is_set(board):
    before = board.wiring
    with pytest.raises(errors.ProgramError, match="names generator 9"):
        board.wiring = Wiring((hal_drive(9),))
    assert board.wiring is before


def hal_drive(number):
    from triplane.hal.drivers.qick import Drive

    return Drive(number)


def test_nobody_is_there():
    with pytest.raises(errors.LinkError, match="qick:127.0.0.1:9"):
        hal.connect("qick:127.0.0.1:9")


def test_a_name_server_without_a_board(server, monkeypatch):
    monkeypatch.setattr("triplane.hal.drivers.qick.link.PROXY_NAME", "another")
    with pytest.raises(errors.LinkError, match="under the name 'another'"):
        hal.connect(server.url)


def test_a_board_that_goes_away(config, interpreter, make, wiring):
    with served(StandIn(config, interpreter)) as where:
        board = connect_qick(where.url, wiring)
    with pytest.raises(errors.LinkError):
        board.load_control(make("    halt 0"))
    board.close()


def test_the_board_itself_is_not_here():
    with pytest.raises(errors.BuildError, match="qick:local is for a program on the board itself"):
        hal.connect("qick:local")


def test_without_a_network(config, interpreter, make, wiring):
    """The same board with a `QickSoc` in this process, as `qick:local` has one."""
    soc = StandIn(config, interpreter)
    with QickBoard(SocLink(soc, "qick:local"), wiring) as board:
        board.load_control(make("    play q0, 0\n    halt 5"))
        assert board.execute(limit_cycles=1000).exit_code == 5
    assert soc.seen()[-1] == "read_mem"


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("qick:local", None),
        ("qick:10.0.0.5", ("10.0.0.5", 8888)),
        ("qick:board.lab:9999", ("board.lab", 9999)),
        ("qick:[fe80::1]:77", ("fe80::1", 77)),
    ],
)
def test_addresses(url, where):
    assert parse(url) == where
    assert hal.driver_of(url) == "qick"


@pytest.mark.parametrize("url", ["qick:", "qick:host:99999", "qick:host/path", "quick:host", "qick::8888"])
def test_addresses_that_are_none(url):
    with pytest.raises(ValueError, match="board"):
        hal.connect(url)
