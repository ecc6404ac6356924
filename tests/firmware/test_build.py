# SPDX-License-Identifier: BSD-2-Clause
"""The build: the committed image is what the sources say, within its limits, and what cannot be bounded is refused."""

import importlib.util
import os
import subprocess
import sys

import pytest

from triplane.firmware import build as firmware_build
from triplane.firmware.analysis import AnalysisError, Program, check_source, strong_components
from triplane.firmware.build import FLAGS, LINK_FLAGS, STACK_BYTES, TURN, BuildError, Report, build, main
from triplane.firmware.elf import Elf
from triplane.firmware.image import committed
from triplane.firmware.registers import firmware_header
from triplane.gateware.processor.core import WATCHDOG_CYCLES
from triplane.gateware.processor.layouts import SLOT_BYTES

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="needs `uv sync --extra firmware`"
)

CYCLES_PER_INSTRUCTION = 8
"""More than any turn was measured to take; the window's accesses apart."""

LINK = """
ENTRY(start)
SECTIONS { .text 0 : { *(.text .text.*) } .bounds 0 : { KEEP(*(.bounds)) } /DISCARD/ : { *(.comment) *(.riscv.*) } }
"""


@pytest.fixture(scope="module")
def zig_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("zig")


@pytest.fixture(scope="module")
def built(zig_cache):
    return build(zig_cache)


@pytest.fixture
def program(zig_cache, tmp_path):
    """Compiles C with `machine.h` and analyses it."""

    def compile_(text):
        (tmp_path / "registers.h").write_text(firmware_header())
        (tmp_path / "it.ld").write_text(LINK)
        (tmp_path / "it.c").write_text(f'#include "machine.h"\n{text}\n')
        include = ["-I", str(tmp_path), "-I", str(firmware_build.FOLDER)]
        link = [*LINK_FLAGS[2:], "-Wl,--entry=start", f"-Wl,-T,{tmp_path / 'it.ld'}"]
        command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *include, *link, str(tmp_path / "it.c")]
        environment = os.environ | {
            "ZIG_GLOBAL_CACHE_DIR": str(zig_cache),
            "ZIG_LOCAL_CACHE_DIR": str(zig_cache),
        }
        done = subprocess.run(
            [*command, "-o", str(tmp_path / "it.elf")], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return Program(Elf.parse((tmp_path / "it.elf").read_bytes()))

    return compile_


def test_the_committed_image_is_what_the_sources_say(built):
    image, _ = built
    assert image == committed()


def test_limits(built):
    image, report = built
    assert report.image_bytes == len(image.content) <= SLOT_BYTES
    assert 0 < report.stack_bytes <= STACK_BYTES
    assert report.text_bytes + report.rodata_bytes + 4 <= report.image_bytes
    assert report.turn_instructions < report.boot_instructions
    assert report.turn_instructions * CYCLES_PER_INSTRUCTION < WATCHDOG_CYCLES, "no turn starves the watchdog"
    assert "no recursion" in "\n".join(report.lines())


def test_check_notices_a_difference(tmp_path, capsys, monkeypatch, built):
    monkeypatch.setattr(firmware_build, "build", lambda: built)
    path = tmp_path / "image.hex"
    assert main([str(path), "--check"]) == 1
    assert "is not what the sources say; run without --check" in capsys.readouterr().err
    assert main([str(path)]) == 0
    assert main([str(path), "--check"]) == 0
    path.write_text(path.read_text().replace("54504657", "54504658"))
    assert main([str(path), "--check"]) == 1
    assert "0x54504658" in capsys.readouterr().err


def test_another_compiler_is_refused(monkeypatch):
    monkeypatch.setattr(firmware_build, "version", lambda name: "0.16.0")
    with pytest.raises(BuildError, match="those of ziglang 0.17.1, and 0.16.0 is installed; run `uv sync`"):
        build()


def test_too_much_stack_is_refused(built, monkeypatch):
    monkeypatch.setattr(firmware_build, "STACK_BYTES", 16)
    with pytest.raises(BuildError, match="the stack of the firmware takes .* bytes, and there are 16"):
        build()


def test_what_the_compiler_says_is_an_error(tmp_path, monkeypatch):
    for path in firmware_build.FOLDER.iterdir():
        if path.suffix in (".c", ".h", ".S", ".ld"):
            (tmp_path / path.name).write_text(path.read_text())
    source = tmp_path / "crc.c"
    source.write_text(source.read_text().replace("uint32_t nibble = 0", "int nibble = 0"))
    monkeypatch.setattr(firmware_build, "FOLDER", tmp_path)
    with pytest.raises(BuildError, match="comparison of integers of different signs"):
        build()


# What the analysis finds


def test_a_chain_of_calls(program):
    found = program("""
__attribute__((noinline)) static uint32_t leaf(uint32_t a) { return machine_read(a) + 1u; }
__attribute__((noinline)) static uint32_t middle(uint32_t a) { return leaf(a) ^ leaf(a + 4u); }
uint32_t start(uint32_t a) { return middle(a) + middle(a + 8u); }
""")
    assert found.order("start") == ["leaf", "middle", "start"]
    leaf, middle, start = (found.longest_path(name) for name in ("leaf", "middle", "start"))
    own = {name: len(found.flows[name].successors) for name in ("leaf", "middle", "start")}
    assert leaf == own["leaf"], "no branch: every instruction once"
    assert (middle, start) == (own["middle"] + 2 * leaf, own["start"] + 2 * middle)
    frames = {name: found.flows[name].frame for name in own}
    assert frames["leaf"] == 0
    assert found.stack_bytes("start") == sum(frames.values()) > 16


def test_the_longer_branch_counts(program):
    found = program("""
void start(uint32_t a)
{
    if (machine_read(a) != 0u) {
        machine_write(a, 1u); machine_write(a, 2u); machine_write(a, 3u); machine_write(a, 4u);
    }
}
""")
    assert found.longest_path("start") == len(found.flows["start"].successors)


@pytest.mark.parametrize("count", [5, 1000])
def test_a_loop_counts_as_often_as_it_is_bounded(program, count):
    found = program(f"""
void start(uint32_t a)
{{
    for (uint32_t k = 0; k < {count}u; ++k) {{ BOUND({count}u); machine_write(a, k); machine_write(a + 4u, k); }}
}}
""")
    longest = found.longest_path("start")
    assert 3 * count < longest < 8 * (count + 2)


def test_loops_in_loops_multiply(program):
    found = program("""
void start(uint32_t a)
{
    for (uint32_t k = 0; k < 100u; ++k) {
        BOUND(100u);
        machine_write(a, k);
        for (uint32_t j = 0; j < 1000u; ++j) { BOUND(1000u); machine_write(a, j); }
    }
}
""")
    assert 2 * 100 * 1000 < found.longest_path("start") < 8 * 101 * 1002


def test_a_loop_without_a_bound_is_refused(program):
    found = program("void start(uint32_t a) { while (machine_read(a) == 0u) { } }")
    with pytest.raises(AnalysisError, match=r"start\+0x\w+: a loop without a bound; make BOUND"):
        found.longest_path("start")


def test_an_inner_bound_does_not_cover_the_outer_loop(program):
    found = program("""
void start(uint32_t a)
{
    while (machine_read(a) == 0u) {
        for (uint32_t j = 0; j < 1000u; ++j) { BOUND(1000u); machine_write(a, j); }
    }
}
""")
    with pytest.raises(AnalysisError, match="two ways back to one beginning may be two loops"):
        found.longest_path("start")


@pytest.mark.parametrize(
    "loop",
    [
        "for (;;) { }",
        "while (x) y();",
        "do { } while (x);",
        "for (int k = 0; k < 3; ++k)\n    BOUND(3u);",
        "for (int k = 0; k < 3; ++k) { f(); BOUND(3u); }",
        "again: f(); goto again;",
    ],
)
def test_a_loop_that_does_not_begin_with_its_bound_is_refused(loop):
    with pytest.raises(AnalysisError, match="it.c:3: .* without BOUND"):
        check_source("it.c", f"/* for\n ever */\n{loop}\n")


def test_loops_with_bounds_and_words_in_comments_pass():
    check_source(
        "it.c", 'for (int k = 0; k < 3; ++k) {\n    BOUND(3u); /* do it for a while */\n    say("for");\n}\n'
    )
    check_source("it.c", "while (f(x)) {\n BOUND(2u);\n }\nfor (;;) { BOUND(FOREVER); }\n")


def test_recursion_is_refused(program):
    found = program("""
uint32_t ping(uint32_t a);
__attribute__((noinline)) static uint32_t pong(uint32_t a) { return machine_read(a) ? ping(a + 4u) + 1u : 0u; }
__attribute__((noinline)) uint32_t ping(uint32_t a) { return machine_read(a) ? pong(a + 4u) + 1u : 1u; }
uint32_t start(uint32_t a) { return ping(a); }
""")
    with pytest.raises(
        AnalysisError, match="recursion: ping -> pong -> ping|recursion: pong -> ping -> pong"
    ):
        found.order("start")


def test_a_jump_to_a_register_is_refused(program):
    with pytest.raises(AnalysisError, match="a jump to a register; no function pointers"):
        program("void start(uint32_t a) { ((void (*)(void))machine_read(a))(); }")


def test_an_instruction_that_the_processor_has_not_is_refused(program):
    with pytest.raises(AnalysisError, match="0x02b50533 is no instruction of RV32I"):
        program('uint32_t start(uint32_t a) { __asm__ volatile(".word 0x02b50533"); return a; }')


def test_a_stack_that_is_computed_is_refused(program):
    with pytest.raises(AnalysisError, match="the stack pointer is computed"):
        program("""
void start(uint32_t a)
{
    volatile uint8_t room[machine_read(a)];
    room[0] = 1u;
    machine_write(a, room[machine_read(a) - 1u]);
}
""")


def test_every_function_of_the_image_is_reached_and_bounded(zig_cache):
    """The firmware's own turn is bounded without its forever loop being one of it."""
    _, report = build(zig_cache)
    assert isinstance(report, Report)
    assert report.functions >= 10
    assert TURN == "supervisor_turn"


def test_strong_components_come_after_those_they_lead_to():
    graph = {0: [1], 1: [2, 4], 2: [3], 3: [1], 4: [4, 5], 5: []}
    assert strong_components(graph, 0) == [{5}, {4}, {1, 2, 3}, {0}]


def test_what_is_no_elf_file_is_refused():
    with pytest.raises(ValueError, match="not a little-endian 32-bit ELF file"):
        Elf.parse(b"MZ" + bytes(60))
    with pytest.raises(ValueError, match="for machine 3, not for RISC-V"):
        Elf.parse(b"\x7fELF\x01\x01" + bytes(10) + b"\x02\x00\x03\x00" + bytes(40))
