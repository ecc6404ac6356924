# SPDX-License-Identifier: BSD-2-Clause
"""An RFSoC board's core as its block design sees it: registers over AXI-Lite, samples over AXI-Stream.

The other side of AXI-Lite is cocotbext-axi's, which knows nothing of this gateware.
"""

import random

import cocotb
import numpy as np
import stim
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from triplane.boards.rfsoc.target import rfsoc_soc
from triplane.firmware.image import committed
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.lut import LookupDecoder
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.gateware.processor import source
from triplane.gateware.registers import register_map
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.gateware.verilog import with_contents, without_comments
from triplane.hal.control import ControlProgram
from triplane.hal.registers import RegisterMap
from triplane.host.compiler.device import drive_pulses
from triplane.sim.cocotb_runner import parameters, run_cocotb_on

HASH = "0" * 64
PERIOD_PS = 4_000
CLOCKS = 12
LEVEL = 0.25 - 0.125j
"""Of the pulse, full scale 1."""

SHAPE = FabricShape(
    1,
    1,
    SyndromeShape(slots=1, events=2, kept=1, history=1, known=0, kinds=2),
    tones=1,
    pulse_entries=4,
    envelope_clocks=32,
    window_samples=16,
    windows=2,
    trace_samples=32,
    partial_values=16,
    program_words=32,
    groups=4,
    queue_events=8,
)

PROGRAM = """
.channel drive, 0
.group drive, drive
    wait 200
    play drive, 0, +50
    halt 9
"""


def program():
    pulse = np.full(2 * CLOCKS, LEVEL, dtype=np.complex64)
    return ControlProgram(assemble(PROGRAM), drives=(drive_pulses({0: (pulse, {})}),))


class Core:
    """The core between clocks, a processor, and a converter that counts."""

    def __init__(self, dut):
        self.dut = dut
        self.registers = RegisterMap(parameters()["registers"])
        dut.aresetn.value = 0
        dut.sysref.value = 0
        dut.s_adc0_tvalid.value = 1
        dut.s_adc0_tdata.value = 0
        cocotb.start_soon(Clock(dut.aclk, PERIOD_PS, unit="ps").start())
        cocotb.start_soon(Clock(dut.reference_clk, 2 * PERIOD_PS, unit="ps").start())
        self.axi = AxiLiteMaster(
            AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False
        )

    async def begin(self):
        await Timer(20 * PERIOD_PS, unit="ps")
        await RisingEdge(self.dut.aclk)
        self.dut.aresetn.value = 1

    async def read(self, name):
        register = self.registers[name]
        data = (await self.axi.read(register.address, 4 * register.size_words)).data
        return int.from_bytes(data, "little")

    async def write(self, name, *words):
        """Words, all to one address."""
        for word in words:
            answer = await self.axi.write(self.registers[name].address, (word % 2**32).to_bytes(4, "little"))
            assert answer.resp == AxiResp.OKAY


def pausing(seed):
    chosen = random.Random(seed)
    while True:
        yield chosen.random() < 0.5


@cocotb.test()
async def registers(dut):
    """Read, written, and read again, whoever of both sides makes the other wait."""
    core = Core(dut)
    for seed, channel in enumerate(
        (
            core.axi.write_if.aw_channel,
            core.axi.write_if.w_channel,
            core.axi.write_if.b_channel,
            core.axi.read_if.ar_channel,
            core.axi.read_if.r_channel,
        )
    ):
        channel.set_pause_generator(pausing(seed))
    await core.begin()
    assert (await core.read("identification_name")).to_bytes(16, "little").rstrip(b"\0") == b"triplane"
    chosen = random.Random(7)
    for _ in range(20):
        word = chosen.getrandbits(32)
        await core.write("identification_scratch", word)
        assert await core.read("identification_scratch") == word
    before = await core.read("link_status")
    # A FIFO: each word goes in once.
    await core.write("events_data", 1, 2, 3)
    space = core.registers["link_status"].fields["event_space"]
    assert space.of(before) - space.of(await core.read("link_status")) == 3


@cocotb.test()
async def samples_in(dut):
    """The raw trace of a line is what came from its converter, a sample a clock."""
    core = Core(dut)

    async def count():
        number = 0
        while True:
            await RisingEdge(dut.aclk)
            number += 1
            dut.s_adc0_tdata.value = (-number & 0xFFFF) << 16 | number

    await core.begin()
    cocotb.start_soon(count())
    await Timer(100 * PERIOD_PS, unit="ps")
    assert int(dut.s_adc0_tready.value)
    await core.write("line0_trace_control", 3)  # armed and triggered
    await Timer(100 * PERIOD_PS, unit="ps")
    await core.write("line0_trace_index", 0)
    words = [await core.read("line0_trace_data") for _ in range(SHAPE.trace_samples)]
    first = words[0] & 0xFFFF
    assert first > 50
    assert [word & 0xFFFF for word in words] == list(range(first, first + len(words)))
    assert [-(word >> 16) & 0xFFFF for word in words] == list(range(first, first + len(words)))


@cocotb.test()
async def samples_out(dut):
    """A program loaded and started by the processor: its pulse, two samples a clock, silence around it."""
    core = Core(dut)
    await core.begin()
    for name, words in program().writes(SHAPE):
        await core.write(name, *words)
    played = []

    async def watch():
        while True:
            await RisingEdge(dut.aclk)
            assert int(dut.m_dac0_tvalid.value)
            played.append(int(dut.m_dac0_tdata.value))

    cocotb.start_soon(watch())
    start = core.registers["sequencer_control_control"].fields["start"].offset
    await core.write("sequencer_control_control", 1 << start)
    halted = core.registers["sequencer_control_status"].fields["halted"]
    while not halted.of(await core.read("sequencer_control_status")):
        await Timer(50 * PERIOD_PS, unit="ps")
    assert await core.read("sequencer_control_exit") == 9
    await Timer(200 * PERIOD_PS, unit="ps")
    parts = np.array(
        [[word >> 16 * k & 0xFFFF for k in range(4)] for word in played], dtype=np.uint16
    ).astype(np.int16)
    sounding = np.flatnonzero(parts.any(axis=1))
    assert np.array_equal(np.diff(sounding), np.ones(CLOCKS - 1))
    expected = np.array([LEVEL.real, LEVEL.imag] * 2) * 2**15
    assert np.abs(parts[sounding] - expected).max() <= 2


def test_core():
    graph = compile_graph(
        stim.Circuit.generated(
            "repetition_code:memory", distance=3, rounds=1, before_round_data_depolarization=0.1
        ).detector_error_model(decompose_errors=True)
    )
    soc = rfsoc_soc(
        LookupDecoder(graph, TableShape(observed_detectors(graph), 1)),
        SHAPE,
        "zcu216",
        build_hash=HASH,
        event_depth=16,
        result_depth=16,
        image=committed().content,
    )
    output = soc.platform.get_verilog(soc, name="board")
    text = with_contents(without_comments(output.main_source), output.data_files) + source().read_text()
    run_cocotb_on(text, {}, __file__, "board", {"registers": register_map(soc)})
