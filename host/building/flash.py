# SPDX-License-Identifier: BSD-2-Clause
"""`triplane flash`: a bundle into a board, and the question whether it has arrived.

An ECP5 board is written by openFPGALoader over its cable, and asked over the network. A board under PYNQ gets its files
by ssh, and a short program there loads them and reads the identification. Either way the answer must be the bundle's
build hash and version: what was sent is not what is believed.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from triplane.boards.rfsoc.board import board
from triplane.boards.rfsoc.design import CORE_ADDRESS
from triplane.gateware.link.etherbone import EXCHANGE_PORT
from triplane.gateware.link.network import DEFAULT_IP
from triplane.hal.drivers.remote.client import Client
from triplane.hal.drivers.remote.links import UdpLink
from triplane.hal.drivers.remote.packets import Request
from triplane.hal.errors import LinkError
from triplane.hal.registers import WORD_BYTES, Register, RegisterMap
from triplane.host.building.bundle import REGISTERS, Bundle

LOADER_BOARDS = {"ecpix5": "ecpix5"}
"""Board -> its name for openFPGALoader."""

REMOTE_FOLDER = ".triplane"
"""In the home of the user of the board."""

PYTHON = ". /etc/profile.d/pynq_venv.sh; . /etc/profile.d/xrt_setup.sh; exec python3 -"
"""Of PYNQ, with its environment; needs the rights of root."""

TIMEOUT_S = 300.0
HANDSHAKE_S = 10.0
"""For a board to come up: an ECP5 reads its flash, and the link takes seconds to be negotiated."""

# Runs on the board. Its last line is what the identification says, word by word.
LOAD = """\
import json
import xrfclk
from pynq import MMIO, Overlay
# The core runs from the clock chips: without them the bus would hang on its first access.
xrfclk.set_ref_clks(lmk_freq={lmk}, lmx_freq={lmx})
overlay = Overlay({bitfile!r})
mmio = MMIO({base:#x}, {size:#x})
found = {{name: [mmio.read(address + 4 * k) for k in range(words)] for name, address, words in {registers!r}}}
print("triplane " + json.dumps(found))
"""

IDENTIFICATION = ("identification_name", "identification_version", "identification_build_hash")

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?")
USER = re.compile(r"[a-z_][a-z0-9_-]*")

Progress = Callable[[str], None]
Words = dict[str, list[int]]


class FlashError(RuntimeError):
    """A board was not flashed, or does not carry what it was given; the text says what to do."""


def flash(
    bundle: Bundle,
    host: str | None,
    *,
    user: str = "root",
    permanent: bool = False,
    report: Progress = lambda _: None,
) -> None:
    """Bring a bundle into a board and ask the board for it.

    host: name or address of the board; None for an ECP5 board with the address of its gateware.
    user: of the board, for ssh.
    permanent: into the flash memory of an ECP5 board, so that it is there after a power cycle.

    Raises:
        FlashError: the bundle has no bitstream; a tool is missing or failed; the board does not answer, or answers
            that it is something else.
    """
    if bundle.manifest.bitstream is None:
        raise FlashError(
            f"{bundle.folder}: holds no bitstream yet. Run `vivado -mode batch -source build.tcl` in its folder "
            f"project, then `triplane build {bundle.manifest.board} --distance {bundle.manifest.distance} --collect` "
            "with the folder `out` that this leaves"
        )
    if bundle.manifest.board in LOADER_BOARDS:
        _load(bundle, permanent, report)
        # From here on the board is reached as its users reach it.
        words = _over_network(bundle.registers, host or DEFAULT_IP, report)
    else:
        if permanent:
            raise FlashError(
                f"{bundle.manifest.board} is loaded by Linux at each start; leave out --permanent"
            )
        if host is None:
            raise FlashError(f"{bundle.manifest.board} is reached by ssh: name it with --host")
        words = _over_ssh(bundle, host, user, report)
    check_identity(bundle, words)


def check_identity(bundle: Bundle, words: Words) -> None:
    """Compare what a board says with what a bundle promises.

    words: register of `IDENTIFICATION` -> words, least significant first.

    Raises:
        FlashError: something else is in the board.
    """
    values = {name: sum(word << 32 * k for k, word in enumerate(words[name])) for name in IDENTIFICATION}
    promised = bundle.manifest
    name = values["identification_name"].to_bytes(16, "little").rstrip(b"\0")
    expected_name = _reset(bundle, "identification_name").to_bytes(16, "little").rstrip(b"\0")
    if name != expected_name:
        raise FlashError(
            f"what answers calls itself {name!r}, not {expected_name!r}: it is no board of Triplane's, or its bus "
            "does not work. Power the board off and on, and flash again"
        )
    fields = bundle.registers["identification_version"].fields
    version = ".".join(
        str(fields[part].of(values["identification_version"])) for part in ("major", "minor", "patch")
    )
    build_hash = f"{values['identification_build_hash']:064x}"
    if (version, build_hash) != (promised.register_version, promised.build_hash):
        raise FlashError(
            f"the board carries build {build_hash[:12]} (register map {version}), and this bundle is build "
            f"{promised.build_hash[:12]} (register map {promised.register_version}). The board was not loaded with it: "
            "flash again, or connect with the bundle that is in the board"
        )


def _reset(bundle: Bundle, name: str) -> int:
    value: int = json.loads(bundle.path(REGISTERS).read_text())["registers"][name]["reset"]
    return value


def _load(bundle: Bundle, permanent: bool, report: Progress) -> None:
    board, bitstream = LOADER_BOARDS[bundle.manifest.board], bundle.manifest.bitstream
    assert bitstream is not None
    options = ["--write-flash"] if permanent else []
    command = ["openFPGALoader", "--board", board, *options, str(bundle.path(bitstream))]
    report(f"loading {bitstream} into the {'flash memory' if permanent else 'device'}")
    _run(
        command,
        missing="install openFPGALoader (apt install openfpgaloader, or the oss-cad-suite)",
        remedy="check cable, power and the rights to the USB device",
    )


def _over_network(registers: RegisterMap, host: str, report: Progress) -> Words:
    report(f"asking the board at {host}")
    found = [registers[name] for name in IDENTIFICATION]
    try:
        link = UdpLink(host, EXCHANGE_PORT)
        try:
            client = Client(link, registers["udp_key"].address, HANDSHAKE_S)
            words = iter(
                client.execute(Request(reads=[a for register in found for a in _addresses(register)]))
            )
        finally:
            link.close()
    except LinkError as error:
        raise FlashError(
            f"the board was loaded, and does not answer at {host}: {error}. A board comes up with the address "
            f"{DEFAULT_IP}: put this machine into that network, or name another address with --host"
        ) from error
    return {register.name: [next(words) for _ in range(register.size_words)] for register in found}


def _addresses(register: Register) -> list[int]:
    return [register.address + WORD_BYTES * k for k in range(register.size_words)]


def _over_ssh(bundle: Bundle, host: str, user: str, report: Progress) -> Words:
    if not HOST.fullmatch(host) or not USER.fullmatch(user):
        raise FlashError(f"{user}@{host} is no user of a machine; give the name alone to --host and --user")
    bitstream, handover = bundle.manifest.bitstream, bundle.manifest.handover
    assert bitstream is not None
    if handover is None:
        raise FlashError(
            f"{bundle.folder}: has a bitstream and no hwh, without which PYNQ loads nothing; collect it anew"
        )
    # A folder per build: what runs from one is never overwritten.
    folder = f"{REMOTE_FOLDER}/{bundle.manifest.build_hash[:16]}"
    there, options = f"{user}@{host}", ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    hints = {
        "missing": "install OpenSSH's client",
        "remedy": f"check that `ssh {there}` works without a password (ssh-copy-id)",
    }
    report(f"copying to {host}")
    _run(["ssh", *options, there, f"mkdir -p {shlex.quote(folder)}"], **hints)
    files = [str(bundle.path(name)) for name in (bitstream, handover)]
    # A path with a colon in it is a machine to scp, unless it begins with a slash.
    _run(["scp", *options, *(str(Path(file).resolve()) for file in files), f"{there}:{folder}/"], **hints)
    report(f"loading {bitstream} on {host}")
    registers = [bundle.registers[name] for name in IDENTIFICATION]
    chips = {name[:3].lower(): mhz for name, mhz in board(bundle.manifest.board).clock_chips.items()}
    program = LOAD.format(
        **chips,
        bitfile=f"{folder}/{bitstream}",
        base=CORE_ADDRESS.base,
        size=CORE_ADDRESS.size,
        registers=[(register.name, register.address, register.size_words) for register in registers],
    )
    hints["remedy"] = "the board needs PYNQ 3 or later, and the user the rights to load overlays (root)"
    answer = _run(["ssh", *options, there, PYTHON], text=program, **hints)
    lines = [line for line in answer.splitlines() if line.startswith("triplane ")]
    try:
        words: Words = json.loads(lines[-1].removeprefix("triplane "))
        complete = all(len(words[register.name]) == register.size_words for register in registers)
    except (IndexError, KeyError, TypeError, ValueError):
        complete = False
    if not complete:
        raise FlashError(
            f"{host} has loaded the bitstream and not said what it is; its last words: {answer[-200:]!r}. Log in and "
            f"load ~/{folder}/{bitstream} by hand to see why"
        )
    return words


def _run(command: Sequence[str], *, missing: str, remedy: str, text: str | None = None) -> str:
    """Output of a command. Raises FlashError where it is not there, fails, or takes too long."""
    tool = command[0]
    if shutil.which(tool) is None:
        raise FlashError(f"{tool} is not on the PATH; {missing}")
    try:
        done = subprocess.run(
            command,
            input=text or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FlashError(f"{tool} did not end within {TIMEOUT_S:.0f} s; {remedy}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise FlashError(f"{tool} failed with status {done.returncode}: {said}; {remedy}")
    return done.stdout
