# SPDX-License-Identifier: BSD-2-Clause
"""The board's system on chip: event FIFO and pacer, decoder, result FIFO, counters, faults, on one register bus."""

from litex.build.generic_platform import GenericPlatform
from litex.gen import LiteXModule
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.csr import CSRStorage
from migen import ClockDomainsRenamer, Module, Signal

from triplane.gateware.clockgate import ClockGate
from triplane.gateware.counter import CycleCounter
from triplane.gateware.faults import Faults
from triplane.gateware.identification import Identification
from triplane.gateware.link import LinkStatus, ResultPort
from triplane.gateware.link.status import LEVEL_BITS
from triplane.gateware.syndrome import EventPort, RoundPacer

NAME = "triplane"
VERSION = "0.1.0"
"""Version of the register map and of what the registers mean."""

BANKS = ("identification", "counter", "faults", "events", "pacer", "results", "link", "decoder")
"""Register banks in the order of their addresses. The order is part of the register map: append, never insert."""


class TriplaneSoC(SoCMini):
    """All cores of a board around one decoder, driven over Wishbone.

    The way of a round: bus -> `events` -> `pacer` -> `decoder` -> `results` -> bus.

    Parameters
    ----------
    platform: where the Verilog goes.
    crg: module that drives the clock domains `sys` and `decoder`: the same clock, the latter only where
        `decoder_enable` is high (or always).
    decoder: module with `sink` and `source` streams of 32-bit words, input `now` (64), `table_changed`, integers
        `num_layers`, `words_per_round`, `result_words`, `correction_words`, and its own CSRs. It runs in the clock
        domain `decoder`, whose clock may rest while the decoder's register `status` says not `busy`, nothing waits at
        `sink` and no register is written; a decoder without that register never rests.
    masters: bus masters by name.
    build_hash: SHA-256 (hex) that identifies this gateware.
    clock_hz: system clock.
    event_depth, result_depth: FIFO depths in words, at most 2**15 - 1.

    Attributes
    ----------
    decoder_enable: high in cycles at whose end the decoder's clock needs its edge.
    """

    csr_map = {name: number for number, name in enumerate(BANKS)}

    def __init__(
        self,
        platform: GenericPlatform,
        crg: Module,
        decoder: LiteXModule,
        masters: dict[str, wishbone.Interface],
        *,
        build_hash: str,
        clock_hz: int,
        event_depth: int = 1024,
        result_depth: int = 1024,
    ) -> None:
        for what, depth, least in (
            ("event", event_depth, 2 * decoder.words_per_round),
            ("result", result_depth, decoder.result_words),
        ):
            if not least <= depth < 2**LEVEL_BITS:
                raise ValueError(
                    f"{what} FIFO depth must be {least} to {2**LEVEL_BITS - 1} words, not {depth}"
                )
        super().__init__(
            platform,
            clock_hz,
            cpu_type=None,
            with_ctrl=False,
            ident="",
            csr_ordering="little",  # word 0 is the least significant, as in every record
        )
        self.crg = crg
        for name, master in masters.items():
            self.bus.add_master(name=name, master=master)

        self.identification = Identification(
            NAME,
            VERSION,
            build_hash,
            clock_hz,
            num_layers=decoder.num_layers,
            words_per_round=decoder.words_per_round,
            result_words=decoder.result_words,
            correction_words=decoder.correction_words,
            event_depth=event_depth,
            result_depth=result_depth,
        )
        self.counter = CycleCounter()
        self.faults = Faults()
        self.events = EventPort(event_depth)
        self.pacer = RoundPacer(decoder.words_per_round)
        self.results = ResultPort(result_depth)
        self.link = LinkStatus()
        self.decoder = ClockDomainsRenamer("decoder")(decoder)
        self.gate = ClockGate()
        self.decoder_enable = self.gate.enable

        # # #

        faults = self.faults
        self.comb += [
            # The way of a round
            self.events.source.connect(self.pacer.sink),
            self.pacer.level.eq(self.events.level),
            self.pacer.source.connect(decoder.sink),
            decoder.source.connect(self.results.sink),
            # Time
            decoder.now.eq(self.counter.now),
            faults.now.eq(self.counter.now),
            # Tables
            self.identification.tables_changed.eq(decoder.table_changed),
            # Faults and the safe state
            faults.event_overflow.eq(self.events.overflow),
            faults.empty_read.eq(self.results.empty_read),
            faults.unmatched.eq(self.results.unmatched),
            faults.starved.eq(self.pacer.starved),
            faults.stalled.eq(self.pacer.stalled),
            self.pacer.safe.eq(faults.safe),
            [core.clear.eq(faults.clear) for core in (self.events, self.pacer, self.results)],
            # Rest
            self.gate.request.eq(_awake(decoder)),
            # What the host polls
            self.link.event_space.eq(self.events.space),
            self.link.result_level.eq(self.results.level),
            self.link.running.eq(self.pacer.running),
            self.link.safe.eq(faults.safe),
        ]


def _awake(decoder: LiteXModule) -> Signal | int:
    """High while the decoder's clock must run."""
    registers = decoder.get_csrs()
    (busy,) = [csr.fields.busy for csr in registers if csr.name == "status"] or [1]
    awake = decoder.sink.valid | decoder.source.valid | busy
    for csr in registers:
        if isinstance(csr, CSRStorage):
            awake |= csr.re
    return awake
