# SPDX-License-Identifier: BSD-2-Clause
"""A bundle without a long build, and tools that only write down what they are told."""

from __future__ import annotations

import json
import os

import pytest

from triplane.boards import descriptor_path
from triplane.gateware.identification import NAME_BYTES
from triplane.host.building.bundle import DESCRIPTOR, REGISTERS, Manifest, write_bundle

BUILD_HASH = "ab" * 31 + "01"
VERSION = {"patch": 0, "minor": 1, "major": 0}


def register(address, words, bits, reset=0, fields=()):
    return {
        "address": address,
        "words": words,
        "bits": bits,
        "access": "ro",
        "description": "A register.",
        "reset": reset,
        "fields": list(fields),
    }


def registers():
    fields = [
        {"name": name, "offset": 8 * k, "bits": 8, "access": "ro", "description": "A part.", "reset": value}
        for k, (name, value) in enumerate(VERSION.items())
    ]
    name = int.from_bytes(b"triplane".ljust(NAME_BYTES, b"\0"), "little")
    return {
        "registers": {
            "identification_name": register(0x0, 4, 128, name),
            "identification_version": register(0x10, 1, 24, fields=fields),
            "identification_build_hash": register(0x20, 8, 256, int(BUILD_HASH, 16)),
            "udp_key": register(0x800, 1, 32),
        }
    }


def answer(build_hash=BUILD_HASH, version=0x000100, name=b"triplane"):
    """What a board's identification reads."""
    number = int(build_hash, 16)
    text = name.ljust(NAME_BYTES, b"\0")
    return {
        "identification_name": [int.from_bytes(text[4 * k : 4 * k + 4], "little") for k in range(4)],
        "identification_version": [version],
        "identification_build_hash": [number >> 32 * k & 0xFFFFFFFF for k in range(8)],
    }


@pytest.fixture
def make_bundle(tmp_path):
    """Writes a bundle of a board."""

    def make(board="zcu216", *, bitstream="triplane.bit", folder="bundle", **changes):
        handover = "triplane.hwh" if board != "ecpix5" and bitstream else None
        about = Manifest.model_validate(
            {
                "board": board,
                "distance": 3,
                "build_hash": BUILD_HASH,
                "register_version": "0.1.0",
                "structure_hash": "0" * 64,
                "clock_hz": 245_760_000,
                "part": "a part",
                "bitstream": bitstream,
                "handover": handover,
                "tools": {},
                "files": {},
            }
            | changes
        )
        files = {REGISTERS: json.dumps(registers()).encode(), DESCRIPTOR: descriptor_path(board)}
        files |= {name: f"content of {name}".encode() for name in (bitstream, handover) if name}
        return write_bundle(tmp_path / folder, files, about)

    return make


@pytest.fixture
def fake_tool(tmp_path, monkeypatch):
    """Puts a tool on the PATH that writes its arguments and its input into a file, line by line, and says `output`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name, output="", *, status=0, error=""):
        log = tmp_path / f"{name}.log"
        (folder / f"{name}.out").write_text(output)
        script = folder / name
        script.write_text(
            "#!/bin/sh\n"
            f'printf "%s\\n" "$@" >> "{log}"; cat >> "{log}"; echo "--" >> "{log}"\n'
            f'cat "{folder}/{name}.out"; echo "{error}" >&2; exit {status}\n'
        )
        script.chmod(0o755)
        return log

    return make


@pytest.fixture
def identification():
    """Words of a board's identification, as a function of what it carries."""
    return answer


@pytest.fixture
def registers_of_a_board():
    """A register map with what every board has."""
    content = registers()
    content["registers"]["identification_clock_hz"] = register(0x60, 1, 32, 245_760_000)
    return content
