# SPDX-License-Identifier: BSD-2-Clause
"""Configurations that come from the package without a board, and what is said of boards that have them."""

import pytest

from triplane.hal.board import Board
from triplane.hal.descriptor import Descriptor
from triplane.hal.drivers.qick import QickBoard, descriptor_of, limits_of, shipped_config, usual_wiring
from triplane.hal.drivers.qick.firmware import SHIPPED, megahertz
from triplane.hal.errors import UnsupportedError


def test_the_configuration_of_qick_216(shipped):
    """As the block design says: seven generators on two tiles, two readouts, a tProcessor v1, a tick of 430.08 MHz."""
    assert shipped["board"] == "ZCU216"
    assert {gen["type"] for gen in shipped["gens"]} == {"axis_signal_gen_v6"}
    assert [gen["dac"] for gen in shipped["gens"]] == ["20", "21", "22", "23", "30", "31", "32"]
    assert [gen["tproc_ch"] for gen in shipped["gens"]] == list(range(1, 8))
    assert {(gen["fs"], gen["f_fabric"], gen["maxlen"]) for gen in shipped["gens"]} == {
        (6881.28, 430.08, 65536)
    }
    assert [readout["adc"] for readout in shipped["readouts"]] == ["20", "22"]
    assert {(r["fs"], r["f_output"], r["ro_type"]) for r in shipped["readouts"]} == {
        (2457.6, 307.2, "axis_readout_v2")
    }
    (processor,) = shipped["tprocs"]
    assert (processor["type"], processor["pmem_size"], processor["f_time"]) == (
        "axis_tproc64x32_x8",
        8192,
        430.08,
    )


def test_qick_can_use_it(shipped):
    """QICK's own software makes a configuration of it, and an older program of that."""
    from qick import QickConfig, QickProgram

    configuration = QickConfig(shipped)
    assert "axis_signal_gen_v6 - fs=6881.280 Msps, fabric=430.080 MHz" in str(configuration)
    program = QickProgram(configuration)
    program.synci(200)
    program.end()
    program.compile()
    assert program.binprog == [0b00010100 << 56 | 200, 0b00111111 << 56]


def test_there_is_no_firmware_of_another_name():
    with pytest.raises(ValueError, match="firmware qick_111, qick_216, qick_4x2, not 'qick_999'"):
        shipped_config("qick_999")
    assert set(SHIPPED) == {"qick_111", "qick_216", "qick_4x2"}


def test_limits_of_the_shipped_firmware(shipped):
    limits = limits_of(shipped)
    assert (limits.processor, limits.generators, limits.readouts) == ("v1", 7, 2)
    assert (limits.program_words, limits.envelope_samples, limits.results) == (8192, 65536, 16384)
    assert limits.tick_hz == 430_080_000
    assert limits.ticks_per_cycle * 4 == 7


def test_limits_of_a_tprocessor_v2(config):
    limits = limits_of(config)
    assert (limits.processor, limits.registers, limits.wave_words, limits.data_words) == (
        "v2",
        16,
        1024,
        16384,
    )


def test_a_firmware_without_a_processor(shipped):
    with pytest.raises(UnsupportedError, match="no tProcessor"):
        limits_of({key: value for key, value in shipped.items() if key != "tprocs"})


@pytest.mark.parametrize(("which", "controls"), [("shipped", False), ("config", True)])
def test_descriptors(request, which, controls):
    descriptor = descriptor_of(request.getfixturevalue(which))
    assert isinstance(descriptor, Descriptor)
    assert descriptor.name == "qick_zcu216"
    features = descriptor.features.model_dump()
    assert (features.pop("sequencer"), features.pop("readout")) == (controls, controls)
    assert not any(features.values())
    assert descriptor.qec.decoders == ()
    assert (descriptor.control.dac_channels, descriptor.control.adc_channels) == (7, 2)
    assert f"tProcessor {'v2' if controls else 'v1'}, 7 generators, 2 readouts" in descriptor.description
    assert descriptor.timing.clock_hz == 245_760_000


def test_the_usual_wiring(config):
    wiring = usual_wiring(config)
    assert [drive.generator for drive in wiring.drives] == [0, 1, 2, 3, 4]
    assert [(line.generator, line.readout) for line in wiring.lines] == [(5, 0), (6, 1)]
    wiring.check(config)


def test_frequencies_are_whole_millihertz():
    assert megahertz(430.08) == 430_080_000
    assert megahertz(409.6) / megahertz(245.76) * 3 == 5


def test_it_is_a_board():
    methods = {name for name in vars(Board) if not name.startswith("_")}
    assert {"load_control", "execute", "descriptor"} < methods
    assert methods <= set(dir(QickBoard))
