# SPDX-License-Identifier: BSD-2-Clause
"""Flashing with tools that write down what they are told, and boards that answer what they like."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from triplane.hal.errors import LinkTimeoutError
from triplane.host.building import flash as module
from triplane.host.building.flash import FlashError, flash


@pytest.fixture
def pynq(fake_tool, identification):
    """A board under PYNQ that carries what the test says."""

    def make(**carried):
        said = "some noise of XRT\ntriplane " + json.dumps(identification(**carried)) + "\n"
        return fake_tool("ssh", said), fake_tool("scp")

    return make


@pytest.fixture
def network(monkeypatch, fake_tool, identification):
    """An ECP5 board that carries what the test says."""

    def make(*, silent=False, **carried):
        words = [word for name in module.IDENTIFICATION for word in identification(**carried)[name]]
        asked = []

        class Link:
            def __init__(self, host, port):
                asked.append((host, port))

            def close(self):
                asked.append("closed")

        class Client:
            def __init__(self, link, key_address, timeout_s):
                assert key_address == 0x800

            def execute(self, request):
                if silent:
                    raise LinkTimeoutError("no answer")
                assert list(request.reads) == [*range(0, 16, 4), 16, *range(32, 64, 4)]
                return tuple(words)

        monkeypatch.setattr(module, "UdpLink", Link)
        monkeypatch.setattr(module, "Client", Client)
        return fake_tool("openFPGALoader"), asked

    return make


def test_pynq_gets_bitstream_and_handover_and_is_asked(make_bundle, pynq):
    ssh, scp = pynq()
    bundle = make_bundle(folder="a bundle; rm -rf $HOME")
    flash(bundle, "10.0.0.7")
    folder = f".triplane/{bundle.manifest.build_hash[:16]}"
    copied = scp.read_text().splitlines()
    assert str(bundle.path("triplane.bit")) in copied, "paths reach scp as they are"
    assert str(bundle.path("triplane.hwh")) in copied
    assert copied[-2:] == [f"root@10.0.0.7:{folder}/", "--"]
    made, loaded = ssh.read_text().split("--\n")[:2]
    assert made.splitlines()[-2:] == ["root@10.0.0.7", f"mkdir -p {folder}"]
    assert f"Overlay('{folder}/triplane.bit')" in loaded
    assert "MMIO(0xa0000000, 0x40000)" in loaded
    assert "set_ref_clks(lmk_freq=245.76, lmx_freq=491.52)" in loaded, "clocks come before the bus"


FAKE_PYNQ = """
import json
class Overlay:
    def __init__(self, name):
        assert name.endswith("/triplane.bit")
class MMIO:
    def __init__(self, base, size):
        assert (base, size) == (0xA0000000, 0x40000)
        self.words = json.load(open("words.json"))
    def read(self, address):
        return self.words[str(address)]
"""


def test_what_runs_on_the_board_reads_the_identification(make_bundle, pynq, identification, tmp_path):
    ssh, _ = pynq()
    flash(make_bundle(), "board.lab")
    program = ssh.read_text().split("--\n")[1].split("exec python3 -\n")[1]
    words = {4 * k: word for k, word in enumerate(identification()["identification_name"])}
    words |= {0x10: 0x100}
    words |= {0x20 + 4 * k: word for k, word in enumerate(identification()["identification_build_hash"])}
    (tmp_path / "words.json").write_text(json.dumps(words))
    (tmp_path / "pynq.py").write_text(FAKE_PYNQ)
    (tmp_path / "xrfclk.py").write_text("def set_ref_clks(*, lmk_freq, lmx_freq): pass")
    done = subprocess.run(
        [sys.executable, "-"], input=program, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.removeprefix("triplane ")) == identification()


def test_other_build_is_refused(make_bundle, pynq):
    pynq(build_hash="cd" * 32)
    with pytest.raises(
        FlashError,
        match=r"carries build cdcdcdcdcdcd \(register map 0.1.0\), and this bundle is build abababababab .*flash again",
    ):
        flash(make_bundle(), "10.0.0.7")


def test_other_register_map_is_refused(make_bundle, pynq):
    pynq(version=0x010200)
    with pytest.raises(FlashError, match=r"register map 1.2.0\), and this bundle .*register map 0.1.0"):
        flash(make_bundle(), "10.0.0.7")


def test_stranger_is_refused(make_bundle, pynq):
    pynq(name=b"qick")
    with pytest.raises(FlashError, match=r"calls itself b'qick', not b'triplane'"):
        flash(make_bundle(), "10.0.0.7")


@pytest.mark.parametrize("said", ["", "triplane {", 'triplane {"identification_name": [1]}', "Killed"])
def test_board_that_says_nothing(make_bundle, fake_tool, said):
    fake_tool("ssh", said)
    fake_tool("scp")
    with pytest.raises(FlashError, match=r"has loaded the bitstream and not said what it is"):
        flash(make_bundle(), "10.0.0.7")


def test_ssh_that_fails(make_bundle, fake_tool):
    fake_tool("ssh", status=255, error="Permission denied (publickey).")
    with pytest.raises(
        FlashError, match=r"ssh failed with status 255: Permission denied.*without a password"
    ):
        flash(make_bundle(), "10.0.0.7")


@pytest.mark.parametrize("host", ["-oProxyCommand=evil", "a b", "$(reboot)", ""])
def test_hosts_that_are_none(make_bundle, pynq, host):
    ssh, _ = pynq()
    with pytest.raises(FlashError, match=r"is no user of a machine"):
        flash(make_bundle(), host)
    assert not ssh.exists(), "nothing was called"


def test_ecp5_is_loaded_and_asked(make_bundle, network):
    loader, asked = network()
    bundle = make_bundle("ecpix5", bitstream="board.bit")
    flash(bundle, None)
    assert loader.read_text().splitlines() == ["--board", "ecpix5", str(bundle.path("board.bit")), "--"]
    assert asked == [("192.168.1.50", 1234), "closed"]
    flash(bundle, "10.0.0.9", permanent=True)
    assert "--write-flash" in loader.read_text()
    assert asked[2] == ("10.0.0.9", 1234)


def test_ecp5_with_another_build(make_bundle, network):
    network(build_hash="cd" * 32)
    with pytest.raises(FlashError, match=r"carries build cdcdcdcdcdcd"):
        flash(make_bundle("ecpix5", bitstream="board.bit"), None)


def test_ecp5_that_does_not_answer(make_bundle, network):
    _, asked = network(silent=True)
    with pytest.raises(FlashError, match=r"does not answer at 192.168.1.50.*--host"):
        flash(make_bundle("ecpix5", bitstream="board.bit"), None)
    assert asked[-1] == "closed"


def test_without_openfpgaloader(make_bundle, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FlashError, match=r"openFPGALoader is not on the PATH; install openFPGALoader"):
        flash(make_bundle("ecpix5", bitstream="board.bit"), None)


def test_without_bitstream(make_bundle):
    with pytest.raises(
        FlashError, match=r"holds no bitstream yet. Run `vivado .* build zcu216 --distance 3 --collect"
    ):
        flash(make_bundle(bitstream=None), "10.0.0.7")


def test_options_that_make_no_sense(make_bundle):
    with pytest.raises(FlashError, match=r"zcu216 is reached by ssh: name it with --host"):
        flash(make_bundle(), None)
    with pytest.raises(FlashError, match=r"leave out --permanent"):
        flash(make_bundle(), "10.0.0.7", permanent=True)
