# SPDX-License-Identifier: BSD-2-Clause
"""Register map, its documentation, and the checks at the SoC's door; what it does is tested on a board."""

import pytest
import stim

from triplane.boards.sim.target import simulated_soc
from triplane.gateware.decoder.engine import DecodeEngine
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import whole_window
from triplane.gateware.faults import CONDITIONS, STOPPING
from triplane.gateware.identification import Identification
from triplane.gateware.registers import main, register_map, write_registers_md
from triplane.gateware.soc import BANKS

HASH = "0" * 64


def small_soc(**options):
    graph = compile_graph(stim.DetectorErrorModel("error(0.1) D0\nerror(0.1) D0 D1 L0\nerror(0.1) D1"))
    return simulated_soc(DecodeEngine(whole_window(graph)), build_hash=HASH, **options)


@pytest.fixture(scope="module")
def registers():
    soc = small_soc()
    soc.finalize()
    return register_map(soc)["registers"]


def test_words_do_not_overlap(registers):
    words = [entry["address"] + 4 * word for entry in registers.values() for word in range(entry["words"])]
    assert len(words) == len(set(words))
    assert words == sorted(words)


def test_banks_keep_their_places(registers):
    for number, bank in enumerate(BANKS):
        first = min(entry["address"] for name, entry in registers.items() if name.startswith(f"{bank}_"))
        assert first == 0x800 * number


def test_fields_fit_their_registers(registers):
    for entry in registers.values():
        taken = [range(field["offset"], field["offset"] + field["bits"]) for field in entry["fields"]]
        bits = [bit for span in taken for bit in span]
        assert len(bits) == len(set(bits))
        assert max(bits, default=0) < entry["bits"]


def test_everything_is_described(registers):
    for name, entry in registers.items():
        assert entry["description"].endswith("."), name
        for field in entry["fields"]:
            assert field["description"].endswith("."), f"{name}.{field['name']}"


def test_fault_bits_are_in_the_order_of_the_conditions(registers):
    for name in ("faults_status", "faults_stop_on"):
        assert [field["name"] for field in registers[name]["fields"]] == list(CONDITIONS)
        assert [field["offset"] for field in registers[name]["fields"]] == list(range(len(CONDITIONS)))
    stops = [field["name"] for field in registers["faults_stop_on"]["fields"] if field["reset"]]
    assert stops == list(STOPPING)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"event_depth": 1}, "event FIFO depth must be 2 to 32767 words, not 1"),
        ({"event_depth": 2**15}, "event FIFO depth must be 2 to 32767 words, not 32768"),
        ({"result_depth": 5}, "result FIFO depth must be 10 to 32767 words, not 5"),
    ],
)
def test_depths_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        small_soc(**options)


@pytest.mark.parametrize(
    ("name", "version", "build_hash", "message"),
    [
        ("", "0.1.0", HASH, "name must be 1 to 16 ASCII characters, not ''"),
        ("x" * 17, "0.1.0", HASH, "name must be 1 to 16 ASCII characters"),
        ("x", "0.1", HASH, "version must be major.minor.patch, each 0 to 255, not '0.1'"),
        ("x", "0.1.256", HASH, "not '0.1.256'"),
        ("x", "0.1.0", "abc", "build_hash must be a SHA-256 in 64 hexadecimal digits, not 'abc'"),
        ("x", "0.1.0", "g" * 64, "build_hash must be a SHA-256"),
    ],
)
def test_identification_is_checked(name, version, build_hash, message):
    shape = {"num_layers": 1, "words_per_round": 1, "result_words": 6, "correction_words": 0}
    with pytest.raises(ValueError, match=message):
        Identification(name, version, build_hash, 1, **shape, event_depth=2, result_depth=6)


def test_documentation_check(tmp_path, capsys):
    page = tmp_path / "registers.md"
    assert main([str(page), "--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert main([str(page)]) == 0
    assert main([str(page), "--check"]) == 0
    page.write_text(page.read_text().replace("Free for bus tests", "Free"))
    assert main([str(page), "--check"]) == 1
    assert "-`0x0064`, 32 bits, rw, reset 0x12345678. Free; nothing reads it." in capsys.readouterr().err


def test_documentation_names_every_register(tmp_path, registers):
    page = tmp_path / "registers.md"
    write_registers_md(page)
    text = page.read_text()
    for name, entry in registers.items():
        assert f"### `{name}`" in text
        assert all(f"| `{field['name']}` |" in text for field in entry["fields"])
