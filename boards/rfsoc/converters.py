# SPDX-License-Identifier: BSD-2-Clause
"""Parameters and ports of AMD's RF Data Converter for a board and a fabric.

Names and codes are those of `usp_rf_data_converter` 2.6 as Vivado 2023.1 writes them into the hwh of QICK's block
designs (qick 0.2.436), and their meaning is that of PG269.
"""

from __future__ import annotations

from triplane.boards.rfsoc.board import (
    ADC_HZ,
    CLOCK_HZ,
    DAC_HZ,
    DECIMATION,
    INTERPOLATION,
    Converter,
    RfsocBoard,
)
from triplane.boards.rfsoc.target import PER_CLOCK, adc_streams, dac_stream
from triplane.gateware.shape import FabricShape

IQ_OUT = 1
"""ADC_Data_Type: complex samples to the fabric."""

RF_OUT = 0
"""DAC_Data_Type: a real signal at the connector."""

FINE = 2
"""Mixer_Type: by an NCO of 48 bits, which is set at run time."""

REAL_TO_IQ, IQ_TO_REAL = 0, 0
"""Mixer_Mode, of an ADC and of a DAC."""

DAC_SOURCES = 4
"""Clock_Source: ADC tiles count from 0, DAC tiles from here."""

WHOLE_CHAIN = 2
"""Clock_Dist of a tile whose sampling clock goes to its neighbours."""

Intf = tuple[str, str]
"""Name of an interface of the converter, and of what it is connected to."""


class Converters:
    """The converters that a fabric uses, and the tiles that they need.

    Args:
        rfsoc: the board.
        shape: of the fabric.

    Attributes:
        dacs: of the channels, in their order.
        adcs: of the lines, in their order.
        parameters: of the converter core, without `CONFIG.`.

    Raises:
        ValueError: the board has fewer converters than the fabric has channels.
    """

    def __init__(self, rfsoc: RfsocBoard, shape: FabricShape) -> None:
        channels = shape.drives + shape.lines
        if channels > len(rfsoc.dacs) or shape.lines > len(rfsoc.adcs):
            raise ValueError(
                f"{rfsoc.name} has {len(rfsoc.dacs)} DACs and {len(rfsoc.adcs)} ADCs, the fabric needs {channels} and "
                f"{shape.lines}"
            )
        self.rfsoc = rfsoc
        self.dacs = rfsoc.dacs[:channels]
        self.adcs = rfsoc.adcs[: shape.lines]
        self.parameters = {
            "Axiclk_Freq": "100.0",
            "Sysref_Source": "1",  # from the pins of DAC tile 0
            **self._tiles(
                "DAC", self._used(self.dacs, rfsoc.dac_clocks), rfsoc.dac_clocks, DAC_HZ, DAC_SOURCES
            ),
            **self._tiles("ADC", self._used(self.adcs, rfsoc.adc_clocks), rfsoc.adc_clocks, ADC_HZ, 0),
        }
        for tile, slot in self._used(self.dacs, rfsoc.dac_clocks):
            self.parameters |= {
                f"DAC_Slice{tile}{slot}_Enable": "true",
                f"DAC_Data_Type{tile}{slot}": str(RF_OUT),
                f"DAC_Data_Width{tile}{slot}": str(2 * PER_CLOCK),
                f"DAC_Interpolation_Mode{tile}{slot}": str(INTERPOLATION),
                f"DAC_Mixer_Type{tile}{slot}": str(FINE),
                f"DAC_Mixer_Mode{tile}{slot}": str(IQ_TO_REAL),
            }
        for tile, slot in self._used(self.adcs, rfsoc.adc_clocks):
            self.parameters |= {
                f"ADC_Slice{tile}{slot}_Enable": "true",
                f"ADC_Data_Type{tile}{slot}": str(IQ_OUT),
                # Words of a stream in a clock: I and Q share that of a quad tile.
                f"ADC_Data_Width{tile}{slot}": "2" if rfsoc.quad else "1",
                f"ADC_Decimation_Mode{tile}{slot}": str(DECIMATION),
                f"ADC_Mixer_Type{tile}{slot}": str(FINE),
                f"ADC_Mixer_Mode{tile}{slot}": str(REAL_TO_IQ),
            }

    def tiles(self, kind: str) -> tuple[int, ...]:
        """Tiles of a kind, "ADC" or "DAC", that are on."""
        return tuple(tile for tile in range(4) if self.parameters.get(f"{kind}{tile}_Enable") == "1")

    def clock_ports(self) -> tuple[str, ...]:
        """Clock inputs of the tiles that have one in use."""
        return tuple(
            f"{kind.lower()}{tile}_clk"
            for kind, clocks in (("ADC", self.rfsoc.adc_clocks), ("DAC", self.rfsoc.dac_clocks))
            for tile in self.tiles(kind)
            if clocks[tile] == tile
        )

    def analog_ports(self) -> tuple[str, ...]:
        """Connectors: inputs, then outputs."""
        adcs = self._used(self.adcs, self.rfsoc.adc_clocks)
        names = [
            f"vin{tile}{slot}" if self.rfsoc.quad else f"vin{tile}_{slot}{slot + 1}" for tile, slot in adcs
        ]
        return (*names, *(f"vout{tile}{slot}" for tile, slot in self.dacs))

    def streams(self) -> tuple[Intf, ...]:
        """Stream of the converter -> stream of the core, for every channel and line."""
        pairs = [
            (f"s{tile}{slot}_axis", dac_stream(channel)) for channel, (tile, slot) in enumerate(self.dacs)
        ]
        for line, (tile, slot) in enumerate(self.adcs):
            pairs += [
                (f"m{tile}{slot + part}_axis", name)
                for part, name in enumerate(adc_streams(self.rfsoc, line))
            ]
        return tuple(pairs)

    def stream_clocks(self) -> tuple[str, ...]:
        """Clock pins of the streams; each has a reset pin, `aresetn` in place of `aclk`."""
        return (
            *(f"m{tile}_axis_aclk" for tile in self.tiles("ADC")),
            *(f"s{tile}_axis_aclk" for tile in self.tiles("DAC")),
        )

    @staticmethod
    def _used(converters: tuple[Converter, ...], clocks: dict[int, int]) -> tuple[Converter, ...]:
        """Converters of the fabric, and one of each tile that only hands its clock on."""
        tiles = {tile for tile, _ in converters}
        owners = sorted({clocks[tile] for tile in tiles} - tiles)
        return (*converters, *((tile, 0) for tile in owners))

    def _tiles(
        self, kind: str, converters: tuple[Converter, ...], clocks: dict[int, int], rate_hz: int, sources: int
    ) -> dict[str, str]:
        parameters: dict[str, str] = {}
        used = sorted({tile for tile, _ in converters})
        for tile in used:
            owner = clocks[tile]
            hands_on = owner == tile and any(clocks[other] == tile for other in used if other != tile)
            parameters |= {
                f"{kind}{tile}_Enable": "1",
                f"{kind}{tile}_Multi_Tile_Sync": "true",
                f"{kind}{tile}_Sampling_Rate": f"{rate_hz / 1e9:g}",
                f"{kind}{tile}_Clock_Source": str(sources + owner),
                f"{kind}{tile}_Clock_Dist": str(WHOLE_CHAIN if hands_on else 0),
                f"{kind}{tile}_Fabric_Freq": f"{CLOCK_HZ / 1e6:.3f}",
            }
            if owner == tile:
                parameters |= {
                    f"{kind}{tile}_PLL_Enable": "true",
                    f"{kind}{tile}_Refclk_Freq": f"{self.rfsoc.reference_hz / 1e6:.3f}",
                }
        return parameters
