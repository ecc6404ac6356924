# SPDX-License-Identifier: BSD-2-Clause
"""A sequencer with its registers on a bus, its results and frames on pins, and generators that count."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr_bus import CSRBank, Interface
from migen import Cat, If, Signal

from triplane.gateware.sequencer.core import Sequencer
from triplane.gateware.sequencer.layouts import Kind

DURATION_BITS = 3
CHANNELS, SLOTS, GROUPS, DEPTH = 4, 6, 8, 128
SIZES = {"queue_depth": 8, "stack_depth": 3, "pending_bits": 3}


def duration(entry: int) -> int:
    """Clocks that the bench's generators play an entry."""
    return 1 + (entry & (1 << DURATION_BITS) - 1)


class SequencerBench(LiteXModule):
    """A sequencer, and around it what a board would have.

    Attributes:
        pins: of the bench.
        registers: name -> word address on the bus.
        sizes: what the driver has to know of the sequencer.
    """

    def __init__(
        self, num_channels: int, num_slots: int, *, num_groups: int, program_depth: int, **sizes: int
    ) -> None:
        self.core = core = Sequencer(
            num_channels, num_slots, num_groups=num_groups, program_depth=program_depth, **sizes
        )
        self.bank = bank = CSRBank(core.get_csrs(), bus=Interface(data_width=32), ordering="little")
        numbers = {csr.name: number for number, csr in enumerate(bank.simple_csrs)}
        # LiteX numbers the words of every storage, also where there is one.
        single = {csr.name for csr in core.get_csrs() if csr.size <= 32}
        self.registers = {n[:-1] if n[:-1] in single else n: number for n, number in numbers.items()}
        self.sizes = {
            "channels": num_channels, "slots": num_slots, "groups": num_groups, "depth": program_depth,
        }  # fmt: skip
        now = Signal(64, name_override="now")
        plays = []
        for source in core.events:
            left = Signal(DURATION_BITS + 1)
            plays.append(left != 0)
            self.sync += [
                If(left != 0, left.eq(left - 1)),
                If(source.valid & (source.kind == Kind.PLAY), left.eq(source.value[:DURATION_BITS])),
            ]
        self.sync += now.eq(now + 1)
        packed = {
            name: Cat(*(getattr(result, name) for result in core.results))
            for name in ("valid", "bit", "leaked", "soft")
        }
        outputs = {
            "event_valid": Cat(*(e.valid for e in core.events)),
            "event_kind": Cat(*(e.kind for e in core.events)),
            "event_value": Cat(*(e.value for e in core.events)),
            "event_time": Cat(*(e.time for e in core.events)),
            "issued": core.dispatcher.issued.valid,
            "begins": core.execute.begin,
            "outcomes": Cat(core.outcome_valid, core.outcome),
            "asks": Cat(core.frame_wait, core.frame_shot, core.frame_round),
        }
        pins = {}
        self.comb += [core.now.eq(now), core.busy.eq(Cat(*plays))]
        for name, signals in packed.items():
            pins[f"result_{name}"] = pin = Signal(len(signals))
            self.comb += signals.eq(pin)
        for name, signals in outputs.items():
            pins[name] = pin = Signal(len(signals))
            self.comb += pin.eq(signals)
        names = ("measuring", "frame", "frame_ready", "start", "external", "outcome_room")
        for name in (*names, "safe", "silence", "running"):
            pins[name] = getattr(core, name)
        pins |= {f"bus_{name}": getattr(bank.bus, name) for name in ("adr", "we", "re", "dat_w", "dat_r")}
        for name, signal in pins.items():
            signal.name_override = name
        self.pins = {now, *pins.values()}


def small_bench() -> SequencerBench:
    """A bench on which every limit is soon reached."""
    return SequencerBench(CHANNELS, SLOTS, num_groups=GROUPS, program_depth=DEPTH, trace_depth=256, **SIZES)
