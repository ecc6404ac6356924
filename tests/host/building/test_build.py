# SPDX-License-Identifier: BSD-2-Clause
"""What is built, and what is refused before anything is built."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from triplane.boards import descriptor_path
from triplane.boards.rfsoc.design import ADDRESSES
from triplane.hal import load_descriptor
from triplane.host.building import BOARDS, BuildFailedError, build_bundle, command, load_bundle
from triplane.host.building.decoders import DesignError, channels, fabric_shape, window_plan
from triplane.host.building.gateware import BoardGateware
from triplane.host.cli import app

HASH = "12" * 32


@pytest.fixture
def elaborated(monkeypatch, registers_of_a_board):
    """In the place of a minute of elaboration: a board whose Verilog says nothing."""

    def elaborate(board, distance, report):
        descriptor = load_descriptor(descriptor_path(board))
        return BoardGateware(
            board,
            distance,
            descriptor,
            "module board; endmodule\n",
            registers_of_a_board,
            HASH,
            "0" * 64,
            [],
            {},
            "part",
        )

    monkeypatch.setattr(command, "elaborate", elaborate)


def handover(**changes):
    spans = {
        "triplane": "0xA0000000 0xA003FFFF",
        "converters": "0xA0040000 0xA007FFFF",
        "mover": "0xA0080000 0xA008FFFF",
    }
    ranges = "".join(
        '<MEMRANGE INSTANCE="{}" BASEVALUE="{}" HIGHVALUE="{}"/>'.format(cell, *span.split())
        for cell, span in (spans | changes).items()
    )
    return (
        f'<EDKSYSTEM><MODULE MODTYPE="zynq_ultra_ps_e"><MEMORYMAP>{ranges}</MEMORYMAP></MODULE></EDKSYSTEM>'
    )


def results(folder, *, stamp=HASH, hwh=None):
    folder.mkdir()
    (folder / "triplane.bit").write_bytes(b"bits")
    (folder / "triplane.hwh").write_text(handover() if hwh is None else hwh)
    (folder / "build_hash").write_text(f"{stamp}\n")
    return folder


def test_project_of_an_rfsoc_board(elaborated, tmp_path):
    bundle = build_bundle("zcu216", tmp_path / "out", distance=3)
    assert bundle.manifest.bitstream is None
    names = set(bundle.manifest.files)
    assert {
        "project/build.tcl",
        "project/block_design.tcl",
        "project/constraints.xdc",
        "project/ip/board.v",
    } <= names
    assert {"registers.json", "registers.h", "descriptor.yaml", "firmware.hex", "board.v"} <= names
    header = bundle.path("registers.h").read_text()
    assert f"BOARD_IDENTIFICATION_VERSION REGISTER_WORD({0xA0000010:#x})" in header, (
        "as the processor sees it"
    )
    assert f"puts $stamp {HASH}" in bundle.path("project/build.tcl").read_text()


def test_same_input_same_bundle(elaborated, tmp_path):
    one, other = (build_bundle("rfsoc4x2", tmp_path / name).folder for name in ("one", "other"))
    assert (one / "manifest.json").read_bytes() == (other / "manifest.json").read_bytes()


def test_what_vivado_made_completes_the_bundle(elaborated, tmp_path):
    bundle = build_bundle("zcu216", tmp_path / "out", collect=results(tmp_path / "vivado"))
    assert (bundle.manifest.bitstream, bundle.manifest.handover) == ("triplane.bit", "triplane.hwh")
    assert bundle.path("triplane.bit").read_bytes() == b"bits"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"stamp": "34" * 32}, "was made from build 343434343434, and this is build 121212121212"),
        ({"hwh": handover(triplane="0xA0100000 0xA013FFFF")}, "has 0xa0100000 to 0xa013ffff for triplane"),
        ({"hwh": "<EDKSYSTEM/>"}, "has nothing for triplane"),
        ({"hwh": "no xml"}, "the hwh is no XML"),
    ],
)
def test_what_vivado_made_of_something_else(elaborated, tmp_path, options, text):
    with pytest.raises(BuildFailedError, match=text):
        build_bundle("zcu216", tmp_path / "out", collect=results(tmp_path / "vivado", **options))
    assert not (tmp_path / "out").exists()


def test_nothing_to_collect(elaborated, tmp_path):
    with pytest.raises(BuildFailedError, match="run Vivado to its end"):
        build_bundle("zcu216", tmp_path / "out", collect=tmp_path / "nowhere")


def test_addresses_are_those_of_the_block_design():
    found = command.handover_addresses(handover())
    for entry in ADDRESSES[:3]:
        assert found[entry.segment.split("/")[0]] == (entry.base, entry.base + entry.size - 1)


@pytest.mark.parametrize(
    ("board", "options", "text"),
    [
        ("zcu999", {}, "no board named 'zcu999' can be built; there are: ecpix5, zcu216, rfsoc4x2, zcu111"),
        ("ecpix5", {"distance": 5}, "holds a decoder of distance 3, not 5; build it with --distance 3"),
    ],
)
def test_what_cannot_be_built(tmp_path, board, options, text):
    with pytest.raises(BuildFailedError, match=text):
        build_bundle(board, tmp_path / "out", **options)


def test_ecp5_without_its_tools(monkeypatch, tmp_path):
    monkeypatch.setattr("triplane.boards.synthesis.tools.importlib.util.find_spec", lambda _: None)
    with pytest.raises(BuildFailedError, match=r"yosys is not installed: .*uv sync --extra synth"):
        build_bundle("ecpix5", tmp_path / "out")


def test_distances_that_are_none():
    with pytest.raises(DesignError, match="4"):
        window_plan(4)


def test_distance_whose_worst_case_is_too_long(monkeypatch, tmp_path):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path))
    monkeypatch.setattr("triplane.gateware.decoder.engine.MAX_CYCLES", 100)
    with pytest.raises(DesignError, match=r"choose a smaller one: the worst case of \d+ cycles"):
        build_bundle("zcu216", tmp_path / "out")


@pytest.mark.parametrize(
    ("board", "distance", "expected"),
    [
        ("ecpix5", 3, (0, 0)),
        ("zcu216", 3, (13, 3)),
        ("zcu216", 5, (9, 7)),
        ("rfsoc4x2", 3, (1, 1)),
        ("zcu111", 3, (5, 3)),
        ("zcu111", 5, (1, 7)),
    ],
)
def test_converters_are_shared(board, distance, expected):
    assert channels(load_descriptor(descriptor_path(board)), distance) == expected


def test_fabric_gives_the_words_that_the_decoder_takes():
    plan = window_plan(3)
    shape = fabric_shape(load_descriptor(descriptor_path("zcu216")), 3, plan)
    assert shape.syndrome.words_per_round == plan.words_per_round
    assert shape.syndrome.observables == plan.num_observables
    assert len(shape.frame_qubits) == 17


def test_every_board_has_a_descriptor():
    for board in BOARDS:
        assert load_descriptor(descriptor_path(board)).name == board


def test_command_line(elaborated, tmp_path):
    arguments = ["build", "zcu111", "--output", str(tmp_path / "out"), "--json", str(tmp_path / "build.json")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "no bitstream yet: run `vivado" in done.output
    manifest = json.loads((tmp_path / "build.json").read_text())
    assert manifest == load_bundle(tmp_path / "out").manifest.model_dump(mode="json")
    done = CliRunner().invoke(app, ["flash", str(tmp_path / "out"), "--host", "10.0.0.7"])
    assert done.exit_code == 1
    done = CliRunner().invoke(app, ["build", "toaster"])
    assert done.exit_code == 2
