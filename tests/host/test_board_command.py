# SPDX-License-Identifier: BSD-2-Clause
"""`triplane board` in one process, `triplane sample --board` in another: real sockets, real signals."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.hal.drivers.remote.packets import Request, unpack
from triplane.hal.registers import RegisterMap
from triplane.host.replay.sampling import memory_circuit
from triplane.host.serving import board_for
from triplane.sim.board import elaborate_board

CODE = ("--distance", "3", "--rounds", "1")
NOISE = ("--probability", "0.02")
TIMEOUT_S = 600


def triplane(*arguments, home):
    command = [sys.executable, "-m", "triplane.host", *arguments]
    return subprocess.Popen(
        command,
        env={**os.environ, "TRIPLANE_HOME": str(home)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def run(tmp_path):
    """Runs a command to its end: (exit code, output, errors)."""

    def run(*arguments):
        process = triplane(*arguments, home=tmp_path / "home")
        output, error = process.communicate(timeout=TIMEOUT_S)
        return process.returncode, output, error

    return run


@pytest.fixture
def served(tmp_path):
    """A board that listens: (its process, URLs by link)."""
    process = triplane("board", *CODE, "--udp-port", "0", home=tmp_path / "home")
    urls = {}
    for line in process.stdout:
        if found := re.search(r"--board ((udp|uart)\S+)", line):
            urls[found[2]] = found[1]
        if len(urls) == 2:
            break
    assert len(urls) == 2, process.communicate()
    yield process, urls
    process.terminate()
    process.communicate(timeout=60)


def figures(path):
    """What must not depend on the way to the board."""
    result = json.loads(path.read_text())
    return {
        "failures": result["failures"],
        "decode": result["latency"]["decode"]["cycles"],
        "shots": result["shots"],
    }


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    process = triplane(
        "sample", *CODE, *NOISE, "--shots", "300", "--json", str(folder / "local.json"), home=folder
    )
    _, error = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, error
    return figures(folder / "local.json")


@pytest.fixture(scope="module")
def model():
    circuit = memory_circuit(distance=3, rounds=1, probability=0.001)
    return circuit.detector_error_model(decompose_errors=True)


@pytest.fixture(scope="module")
def graph(model):
    """That the board which is served decodes."""
    return compile_graph(model, weight_bits=5)


@pytest.fixture(scope="module")
def registers(model):
    """Of the board that is served."""
    design = board_for(model, weight_bits=5, decoder="array")
    return RegisterMap(elaborate_board(design).registers)


def test_the_same_figures_by_every_link(run, served, local, tmp_path):
    _, urls = served
    for link, url in urls.items():
        path = tmp_path / f"{link}.json"
        code, output, error = run(
            "sample", *CODE, *NOISE, "--shots", "300", "--board", url, "--json", str(path)
        )
        assert code == 0, output + error
        assert figures(path) == local


ENDLESS = ("sample", *CODE, *NOISE, "--shots", "1000000")


def streaming(process):
    """Wait until a run has begun to stream, by what it tells on stderr."""
    told = ""
    for line in process.stderr:
        told += line
        if line.startswith("streaming"):
            return
    raise AssertionError(told)


def faults(url, registers):
    """(safe, conditions) as anybody may read them who takes nothing over."""
    request = Request(reads=[registers[name].address for name in ("faults_state", "faults_status")]).packed(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(1)
        probe.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        for _ in range(20):
            probe.send(request)
            with contextlib.suppress(TimeoutError):
                return unpack(probe.recv(2000)).words
    raise AssertionError("the board does not answer")


def test_a_host_that_is_killed_takes_its_job_with_it(run, served, local, registers, graph, tmp_path):
    """The lease runs out though somebody watches, the board goes safe by its soft core, and the next job runs."""
    _, urls = served
    host = triplane(*ENDLESS, "--board", urls["udp"], home=tmp_path / "home")
    streaming(host)
    assert faults(urls["udp"], registers)[0] == 0
    with hal.connect(urls["uart"], graph=graph, observe=True) as observer:
        host.kill()
        host.communicate()
        deadline = time.monotonic() + 60
        while (fault := observer.fault()) is None:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert "requested" in fault.stopping
    found = faults(urls["udp"], registers)
    assert found[0]
    assert registers["faults_status"].fields["requested"].of(found[1])
    path = tmp_path / "next.json"
    code, output, error = run(
        "sample", *CODE, *NOISE, "--shots", "300", "--board", urls["udp"], "--json", str(path)
    )
    assert code == 0, output + error
    assert figures(path) == local


def test_a_board_that_is_killed_is_told_within_the_time_out(run, served, local, tmp_path):
    process, urls = served
    host = triplane(*ENDLESS, "--board", urls["udp"], home=tmp_path / "home")
    streaming(host)
    process.kill()
    process.communicate()
    began = time.monotonic()
    _, error = host.communicate(timeout=60)
    assert time.monotonic() - began < 12  # the time-out is of 5 s; the rest is for a busy machine
    assert host.returncode == 1
    assert "has not answered within 5 s" in error
    assert "Traceback" not in error
    port = urls["udp"].rpartition(":")[2]
    again = triplane("board", *CODE, "--udp-port", port, home=tmp_path / "home")
    try:
        assert any(urls["udp"] in line for line in again.stdout)
        path = tmp_path / "next.json"
        code, output, error = run(
            "sample", *CODE, *NOISE, "--shots", "300", "--board", urls["udp"], "--json", str(path)
        )
        assert code == 0, output + error
        assert figures(path) == local
    finally:
        again.kill()
        again.communicate()


def test_ctrl_c_ends_it(served):
    process, _ = served
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error


def test_ctrl_c_ends_a_board_that_clients_of_pynq_find(tmp_path):
    pytest.importorskip("grpc", reason="needs the extra grpc")
    process = triplane("board", *CODE, "--udp-port", "0", "--pynq-port", "0", home=tmp_path / "home")
    url = next(found[1] for line in process.stdout if (found := re.search(r"--board (pynq://\S+)", line)))
    port = int(url.rsplit(":", 1)[1])
    socket.create_connection(("127.0.0.1", port)).close()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port))


def test_a_port_that_is_taken(run):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        code, _, error = run("board", *CODE, "--udp-port", str(taken.getsockname()[1]))
    assert code == 1
    assert "--udp-port" in error
    assert "Traceback" not in error


def test_clients_of_pynq_are_told_where(tmp_path):
    process = triplane("board", *CODE, "--udp-port", "0", "--pynq-port", "0", home=tmp_path / "home")
    try:
        told = ""
        for line in process.stdout:
            told += line
            if "serial line" in line:
                break
        host, port = re.search(r"--board pynq://(\S+):(\d+)", told).groups()
        with socket.create_connection((host, int(port)), timeout=10):
            pass
        bitfile = Path(re.search(r"overlay: +(\S+)", told)[1])
        assert bitfile.is_file()
        assert bitfile.with_suffix(".hwh").is_file()
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_no_closed_loop_under_pynq(run):
    code, _, error = run("board", "--closed-loop", "--pynq-port", "0")
    assert code == 1
    assert "without --closed-loop" in error


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--board", "tcp://x"), "no driver for board 'tcp://x'"),
        (("--board", "udp://x:70000"), "udp://x:70000"),
        (("--board", "uart:"), "no driver for board 'uart:'"),
        (("--board", "udp://127.0.0.1:9", "--vcd", "x.vcd"), "writes no waveforms"),
    ],
)
def test_what_cannot_be(run, arguments, text):
    code, _, error = run("sample", *CODE, *NOISE, *arguments)
    assert code == 1
    assert text in error
