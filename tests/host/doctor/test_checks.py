# SPDX-License-Identifier: BSD-2-Clause
"""Every check on a simulated board that is well, and on one that has what the check is for."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from triplane import hal
from triplane.firmware.image import committed
from triplane.hal.datagrams import StreamSocket
from triplane.hal.drivers.remote.board import ObservedBoard
from triplane.hal.drivers.remote.links import UdpLink
from triplane.hal.drivers.simulated import served_gateware, simulated_design
from triplane.host.built import loopback_board
from triplane.host.doctor import CHECKS, Patient, Status, examine, standing
from triplane.host.doctor.converters import FEEDBACK_CYCLES, find
from triplane.host.doctor.patient import Way
from triplane.host.small import CABLED, small_target
from triplane.sim.board.cables import Cables
from triplane.sim.board.emulation import EmulatedProcessor
from triplane.sim.weather import BadLink, BadSource

DELAYS = (140.0, 140.0)
"""What the descriptor of the simulated board says, in ns: 34 cycles."""


class Exchangeable:
    """Cables that are taken out and replaced while the board is on."""

    def __init__(self):
        self.cables = Cables(DELAYS)

    def __getattr__(self, name):
        return getattr(self.cables, name)


@pytest.fixture(scope="module")
def attend(serve):
    """A patient behind these cables, with a serial line as its second way."""
    design, _ = simulated_design(small_target(), fabric=CABLED)
    built_for = loopback_board()

    @contextlib.contextmanager
    def attend(cables):
        def behind(board, addresses):
            return EmulatedProcessor(board, cables, addresses, CABLED, refused=pytest.fail).play

        with serve(design, behind) as served, built_for.connect(served.urls["udp"]) as board:
            way = Way(served.urls["uart"], lambda: built_for.connect(served.urls["uart"], observe=True))
            yield Patient(
                board,
                served.urls["udp"],
                built_for.target,
                (way,),
                CABLED,
                cabled=True,
                stream=lambda: StreamSocket("127.0.0.1"),
            )

    return attend


@pytest.fixture(scope="module")
def plugged():
    return Exchangeable()


@pytest.fixture(scope="module")
def healthy(attend, plugged):
    with attend(plugged) as patient:
        yield patient


@pytest.fixture
def patient(healthy, plugged):
    """The healthy one, whose defects are taken away again."""
    yield replace(healthy)
    plugged.cables = Cables(DELAYS)
    for name, value in (("locked", 1), ("period", 32), ("flowing", 0b11111)):
        healthy.put(f"defects_{name}", value)
    assert standing.pll(healthy).measured["locked"] == 1  # clears what was lost


@pytest.fixture
def alone(attend):
    """A patient of this test's own."""
    with attend(Cables(DELAYS)) as patient:
        yield patient


def diagnosis(patient, name):
    """What one check says."""
    return examine(patient, [name])[name]


def test_a_board_that_is_well(patient, monkeypatch):
    # On a busy machine the simulated board is slow, and an answer that is late is none that was lost.
    monkeypatch.setattr("triplane.host.doctor.links.ANSWER_S", 5.0)
    findings = examine(patient)
    assert list(findings) == list(CHECKS)
    assert {name: found.text for name, found in findings.items() if found.status is not Status.OK} == {}
    assert not any(found.fix for found in findings.values())
    assert findings["clock"].measured["ratio"] == 1
    assert [findings["loopback"].measured[f"line {line} loop_cycles"] for line in range(2)] == [34, 34]
    assert findings["latency"].measured["feedback_cycles"] == 19
    assert findings["records"].measured["records"] == findings["records"].measured["streamed"] == 200


def test_another_firmware(patient, monkeypatch):
    image = committed()

    class Other:
        crc = image.crc ^ 1

    monkeypatch.setattr(standing, "committed", Other)
    found = diagnosis(patient, "versions")
    assert found.status is Status.WARNING
    assert f"{image.crc:#010x}, not {image.crc ^ 1:#010x}" in found.text
    assert "slot A" in found.fix


def test_a_soft_core_that_does_not_pass_its_self_test(attend):
    with attend(Cables(DELAYS)) as patient:
        # The self-test takes half a million cycles, of which this board has spent few when it is asked.
        patient.pulse("processor_boot_control", "reboot_a")
        found = diagnosis(patient, "firmware")
        assert found.status is Status.FAILED
        assert "self-test has not passed (processor_self_test: 0x" in found.text
        assert patient.wait(lambda: patient.get("processor_self_test") >> 31, 120)
        # A core that was started anew while the board was on leaves it safe.
        found = diagnosis(patient, "firmware")
        assert found.status is Status.WARNING
        assert "in its safe state since firmware" in found.text


@pytest.mark.parametrize(
    ("period", "status", "says"),
    [
        (33, Status.FAILED, "runs at 1.03125 of what it should: 8448 cycles in 256 ticks"),
        (31, Status.FAILED, "at 238.08 MHz, not 245.76"),
        (0, Status.FAILED, "stands still"),
        (32, Status.OK, "8192 cycles in 256 ticks of the reference, of 8192 at 245.76 MHz"),
    ],
)
def test_a_clock_that_is_wrong(patient, monkeypatch, period, status, says):
    # A reference that stands still need not be waited for; one that runs may have a busy machine under it.
    monkeypatch.setattr(standing, "WINDOW_S", 60.0 if period else 1.0)
    patient.put("defects_period", period)
    found = diagnosis(patient, "clock")
    assert found.status is status
    assert says in found.text


def test_a_pll_without_lock(patient):
    patient.put("defects_locked", 0)
    found = diagnosis(patient, "pll")
    assert (found.status, found.measured["locked"]) == (Status.FAILED, 0)
    patient.put("defects_locked", 1)
    assert diagnosis(patient, "pll").status is Status.OK
    patient.put("defects_locked", 0)
    patient.put("defects_locked", 1)
    found = diagnosis(patient, "pll")
    assert found.status is Status.WARNING
    assert "has lost its lock since somebody looked last" in found.text
    assert diagnosis(patient, "pll").status is Status.OK


def test_converters_that_do_not_run(patient):
    patient.put("defects_flowing", 0b10101)
    found = diagnosis(patient, "streams")
    assert found.status is Status.FAILED
    assert found.text == "no samples: ADC of line 1, DAC of channel 1"
    assert "synchronise the tiles" in found.fix


def test_a_converter_that_pauses(patient, monkeypatch):
    elapse = patient.board.elapse

    def pausing(cycles):
        patient.put("defects_flowing", 0b01111)
        patient.put("defects_flowing", 0b11111)
        elapse(cycles)

    monkeypatch.setattr(patient.board, "elapse", pausing)
    found = diagnosis(patient, "streams")
    assert found.status is Status.FAILED
    assert found.text == "samples are missing now and then: DAC of channel 2"


@pytest.mark.parametrize(
    ("register", "says"),
    [
        ("identification_scratch", "bits 5 are wrong"),
        ("sequencer_program_data", "sequencer_program does not hold"),
        ("sequencer_dispatcher_arms_data", "sequencer_dispatcher_arms does not hold"),
        ("decoder_table_data", "decoder's table"),
    ],
)
def test_a_bit_that_is_lost_on_its_way_into_memory(patient, monkeypatch, register, says):
    write, address = patient.board._write, patient.board.registers[register].address

    def losing(at, words, increment):
        write(at, words & ~np.uint32(1 << 5) if at == address else words, increment)

    monkeypatch.setattr(patient.board, "_write", losing)
    found = diagnosis(patient, "memory")
    assert found.status is Status.FAILED
    assert says in found.text


def test_a_way_that_leads_nowhere(patient):
    gone = "uart:socket://127.0.0.1:1"
    patient.ways = (Way(gone, lambda: loopback_board().connect(gone, observe=True)),)
    found = diagnosis(patient, "transports")
    assert found.status is Status.FAILED
    assert found.text.startswith(f"{gone}: ")


def test_a_way_to_another_board(patient, alone):
    patient.ways = alone.ways
    found = diagnosis(patient, "transports")
    assert found.status is Status.FAILED
    assert found.text == f"{alone.ways[0].url}: leads to another board of the same build"


def test_a_way_that_loses_datagrams(alone):
    port = int(alone.url.rsplit(":", 1)[1])
    alone.board.close()
    target = small_target()
    gateware = served_gateware(*simulated_design(target, fabric=CABLED))

    def bad():
        link = BadLink(UdpLink("127.0.0.1", port), seed=7, share=0.05)
        return ObservedBoard(link, "udp", gateware, target, fabric=CABLED)

    with bad() as board:
        alone.board, alone.ways = board, ()
        found = diagnosis(alone, "transports")
    assert found.status is Status.WARNING
    assert found.measured[f"{alone.url} lost"] > 5


def test_a_stream_whose_datagrams_are_lost(alone):
    alone.stream = lambda: BadSource(StreamSocket("127.0.0.1"), seed=3, share=0.9)
    found = diagnosis(alone, "records")
    assert found.status is Status.WARNING
    assert "only by asking again" in found.text
    assert found.measured["records"] == found.measured["streamed"] == 200


def test_a_stream_that_somebody_else_takes(alone):
    class Thief(StreamSocket):
        def receive(self, timeout_s):
            alone.put("stream_session", 77)
            return super().receive(timeout_s)

    alone.stream = lambda: Thief("127.0.0.1")
    found = diagnosis(alone, "records")
    assert found.status is Status.FAILED
    assert "another host has begun a session" in found.text


@pytest.mark.parametrize(
    ("cables", "name", "status", "says"),
    [
        (Cables(DELAYS, loss=0), "loopback", Status.FAILED, "line 0, 1: no pulse comes back"),
        (Cables(DELAYS, loss=0), "sync", Status.SKIPPED, "hear nothing"),
        (Cables(DELAYS, loss=0), "latency", Status.SKIPPED, "line 0 hears nothing"),
        (Cables(DELAYS, loss=9), "loopback", Status.FAILED, "beyond its range"),
        (Cables((240.0, 240.0)), "loopback", Status.WARNING, "take 240.1, 240.1 ns; the descriptor says 140"),
        (Cables((140.0, 144.5)), "sync", Status.FAILED, "after 34, 36 cycles"),
    ],
)
def test_cables(patient, plugged, cables, name, status, says):
    plugged.cables = cables
    found = diagnosis(patient, name)
    assert found.status is status
    assert says in found.text


class Slipping(Cables):
    """Loses a sample behind the first pulse of a program that has two."""

    def readout(self, line, start, tones):
        if getattr(self, "last", None) is not None and 0 < start - self.last < 600:
            start += 2
        self.last = start
        super().readout(line, start, tones)


def test_a_sample_that_is_lost_between_two_pulses(patient, plugged):
    plugged.cables = Slipping(DELAYS)
    found = diagnosis(patient, "latency")
    assert found.status is Status.FAILED
    assert found.text.startswith(
        f"feedback takes {FEEDBACK_CYCLES + 1} cycles, and by this gateware's design 19"
    )


def test_without_cables_or_converters(patient):
    patient.cabled = False
    assert "--cabled" in diagnosis(patient, "loopback").text
    patient.fabric = None
    for name in ("streams", "loopback", "sync", "latency"):
        found = diagnosis(patient, name)
        assert (found.status, found.text) == (Status.SKIPPED, "this board has no converters")


def test_an_edge_is_found_in_noise():
    rng = np.random.default_rng(5)
    for first in (3, 40, 199):
        trace = 40 * (rng.normal(size=256) + 1j * rng.normal(size=256))
        trace[first : first + 32] += 900 * np.exp(0.7j)
        echo = find(trace)
        assert (echo.first, echo.clipped) == (first, 0)
        assert abs(echo.value - 900 * np.exp(0.7j)) < 40
    assert find(40 * (rng.normal(size=256) + 1j * rng.normal(size=256)), noise=40.0) is None
    assert find(np.zeros(256, complex)) is None


def test_cables_take_no_negative_time():
    with pytest.raises(ValueError, match="0 ns or more, not -3"):
        Cables((1.0, -3.0))


def test_hal_is_what_is_examined(patient):
    assert isinstance(patient.board, hal.Board)
