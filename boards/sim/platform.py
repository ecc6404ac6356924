# SPDX-License-Identifier: BSD-2-Clause
"""Pins and clock of the simulated board: clocks, reset, the register bus, and converters where there is a fabric."""

from litex.build.generic_platform import GenericPlatform, Pins, Subsignal
from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import Cat, ClockDomain, Constant

from triplane.gateware.dsp.layouts import NUM_TONES
from triplane.gateware.fabric import ControlFabric
from triplane.gateware.soc import TriplaneSoC

CLOCK_HZ = 245_760_000
BUS_ADDRESS_BITS = 30

_io = [
    ("sys_clk", 0, Pins(1)),
    ("sys_rst", 0, Pins(1)),
    # The decoder's clock: the harness leaves out the edges that `decoder_enable` does not ask for.
    ("decoder_clk", 0, Pins(1)),
    ("decoder_enable", 0, Pins(1)),
    # Wishbone, word addresses; the native harness is its master.
    (
        "wishbone",
        0,
        Subsignal("adr", Pins(BUS_ADDRESS_BITS)),
        Subsignal("dat_w", Pins(32)),
        Subsignal("dat_r", Pins(32)),
        Subsignal("sel", Pins(4)),
        Subsignal("cyc", Pins(1)),
        Subsignal("stb", Pins(1)),
        Subsignal("ack", Pins(1)),
        Subsignal("we", Pins(1)),
        Subsignal("cti", Pins(3)),
        Subsignal("bte", Pins(2)),
        Subsignal("err", Pins(1)),
    ),
]

LINK_PINS = [
    (
        "ethernet",
        0,
        Subsignal("rx_valid", Pins(1)),
        Subsignal("rx_data", Pins(8)),
        Subsignal("rx_last", Pins(1)),
        Subsignal("tx_valid", Pins(1)),
        Subsignal("tx_data", Pins(8)),
        Subsignal("tx_last", Pins(1)),
    ),
    (
        "serial",
        0,
        Subsignal("rx_valid", Pins(1)),
        Subsignal("rx_ready", Pins(1)),
        Subsignal("rx_data", Pins(8)),
        Subsignal("tx_valid", Pins(1)),
        Subsignal("tx_data", Pins(8)),
    ),
]

TAP_PINS = [
    (
        "written",
        0,
        Subsignal("valid", Pins(1)),
        Subsignal("address", Pins(32)),
        Subsignal("data", Pins(32)),
    ),
]
"""What is written to registers, for whoever emulates what is behind the converters."""

WORD_BITS = 32
WIDE_WORDS = 3
"""Least words of a pin that the harness takes as an array of words."""

DRIVE_WORDS = 4
"""Words of what a drive has begun: time; entry, slot and gain; frequency; phase."""

TONES_WORDS = 3 + 2 * NUM_TONES
"""Words of what a readout line's tones have begun: time; entry and gain; mask; frequencies; phases."""

GAIN_OFFSET, SLOT_OFFSET = 10, 27


def converter_words(drives: int, lines: int) -> dict[str, int]:
    """Words of each pin of the converters.

    `adc` has a word per line, i in its low half. `dac` has two per channel, for the two samples of a clock.
    `played_valid`
    has a bit per channel, and `played` the words of every drive, then those of every line.
    """
    channels = drives + lines
    words = {
        "adc": lines,
        "dac": 2 * channels,
        "played_valid": -(-channels // WORD_BITS),
        "played": DRIVE_WORDS * drives + TONES_WORDS * lines,
    }
    return {name: max(count, WIDE_WORDS) for name, count in words.items()}


class Platform(GenericPlatform):
    """The simulated board's pins; Verilator is its only tool chain, run by `triplane.sim.board`.

    Args:
        drives, lines: channels with converters; none without a line.
        links: network and serial line (`links.py`).
    """

    def __init__(self, drives: int = 0, lines: int = 0, *, links: bool = False) -> None:
        pins = converter_words(drives, lines) if lines else {}
        converters = [(name, 0, Pins(WORD_BITS * words)) for name, words in pins.items()]
        tap = TAP_PINS if lines else []
        super().__init__("sim", [*_io, *converters, *tap, *(LINK_PINS if links else [])], name="board")


class ClockReset(LiteXModule):
    """Clock domains `sys` and `decoder`, straight from the pins."""

    def __init__(self, platform: Platform) -> None:
        self.cd_sys = ClockDomain()
        self.cd_decoder = ClockDomain()

        # # #

        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(platform.request("sys_rst")),
            self.cd_decoder.clk.eq(platform.request("decoder_clk")),
            self.cd_decoder.rst.eq(self.cd_sys.rst),
        ]


def register_bus(platform: Platform) -> tuple[wishbone.Interface, list[object]]:
    """The bus master at the pins, and the statements that connect it."""
    bus = wishbone.Interface(data_width=32, adr_width=BUS_ADDRESS_BITS)
    return bus, bus.connect_to_pads(platform.request("wishbone"), mode="slave")


def register_tap(platform: Platform, soc: TriplaneSoC) -> list[object]:
    """The statements that show at pins what is written to registers."""
    tap = platform.request("written")
    return [
        tap.valid.eq(soc.written),
        tap.address.eq(soc.written_address),
        tap.data.eq(soc.written_data),
    ]


def converters(platform: Platform, fabric: ControlFabric) -> list[object]:
    """The statements that connect a fabric to the converters' pins."""
    drives = fabric.shape.drives
    adc, dac, valid, played = (platform.request(name) for name in ("adc", "dac", "played_valid", "played"))
    statements: list[object] = []
    for number, (i, q) in enumerate(fabric.adc):
        word = adc[WORD_BITS * number : WORD_BITS * (number + 1)]
        statements += [i.eq(word[:16]), q.eq(word[16:])]
    statements += [
        dac.eq(Cat(*(part for i, q in fabric.dac for pair in zip(i, q, strict=True) for part in pair))),
        valid.eq(Cat(*(tap.valid for tap in fabric.played))),
    ]
    words: list[object] = []
    for tap in fabric.played[:drives]:
        words += [tap.time, Cat(tap.entry, tap.gain, tap.slot, Constant(0, 2)), tap.frequency, tap.phase]
    for tap in fabric.played[drives:]:
        words += [tap.time, Cat(tap.entry, tap.gain, Constant(0, 5)), Cat(tap.mask, Constant(0, 24))]
        words += [getattr(tap, f"{what}{k}") for what in ("frequency", "phase") for k in range(NUM_TONES)]
    statements.append(played.eq(Cat(*words)))
    return statements
