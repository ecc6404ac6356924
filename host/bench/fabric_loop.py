# SPDX-License-Identifier: BSD-2-Clause
"""A memory experiment on the real fabric: what it is built of, its program and tables, and what its records must be.

Samples are made for chosen bits (`sim.signals`): what they mean has no influence on how long anything takes, but for
the decoder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import stim

from triplane import hal
from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.table import LOOKUP_CYCLES, TableShape, observed_detectors
from triplane.gateware.decoder.window import StreamMap, default_window, sliding_window
from triplane.gateware.dsp.layouts import PULSE, SCALE_BITS
from triplane.gateware.fabric import ROUND_LAST
from triplane.gateware.readout.layouts import Window
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.compile import slots_by_qubit, syndrome_table
from triplane.gateware.syndrome.table import SyndromeTable
from triplane.hal.drivers.sim import SimBoard
from triplane.host.bench.gateware import Fields, window_fields
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.lut import fill_table
from triplane.sim.models.decoder.window import WindowModel
from triplane.sim.signals import BitTones

TONES = BitTones(8, 32)

FRAME_BOUND = 5000
"""Cycles that a program waits for the frame at most."""

NOTICE = 64
"""Cycles before the last round in which a program asks for the frame. The decoder's clock does not rest while somebody
waits: asked for at once, a shot takes the simulation three times as long."""

START = """
early:
    now r30
    sub r30, r31, r30
    bge r30, 40, early
    until r31
"""
"""The program is executed from shortly before its time on, so that the bounds of its waits count from there."""

FLIPPED, KEPT = 1, 2
"""Entries of the drive's pulse table for the two branches."""


@dataclass(frozen=True)
class Loop:
    """A memory experiment whose rounds are read by a fabric with one drive.

    Attributes:
        circuit: with the noise that shots are drawn from.
        layout: detectors in the words of rounds.
        target, decoder: what the decoder is built for, and its table.
        expected: fields of the records (shots, windows) that the golden model gives for detection events.
        syndrome: table of the rounds.
        shape: of the fabric.
        period: cycles from one round to the next.
    """

    circuit: stim.Circuit
    layout: DecodingGraph | StreamMap
    target: hal.ArrayTarget | hal.TableTarget
    decoder: hal.DecoderProgram
    expected: Callable[[npt.NDArray[np.bool_]], Fields]
    syndrome: SyndromeTable
    shape: FabricShape
    period: int

    @classmethod
    def with_table(cls, distance: int, rounds: int, probability: float, *, period: int) -> Loop:
        """A rotated code whose shots a lookup table decodes whole."""
        circuit = memory_circuit(distance=distance, rounds=rounds, probability=probability)
        model = circuit.detector_error_model(decompose_errors=True)
        graph = compile_graph(model)
        target = hal.TableTarget(graph, TableShape(observed_detectors(graph), 1))
        table = fill_table(model, target.shape)

        def expected(events: npt.NDArray[np.bool_]) -> Fields:
            flips = table.decode(events)[0][:, np.newaxis]
            return {
                "observables": flips,
                "frame": flips,
                "decode_cycles": np.full_like(flips, LOOKUP_CYCLES),
            }

        decoder = hal.DecoderProgram.from_table(target, table.words)
        return cls(circuit, graph, target, decoder, expected, *_readout(circuit, graph), period)

    @classmethod
    def with_windows(
        cls, distance: int, rounds: int, probability: float, *, passes: int, period: int
    ) -> Loop:
        """A rotated code decoded by union-find in sliding windows of the default size."""
        circuit = memory_circuit(distance=distance, rounds=rounds, probability=probability)
        graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
        window, commit = default_window(distance)
        plan = sliding_window(graph, window=window, commit=commit)
        layout = StreamMap.build(plan, graph)
        model = WindowModel(plan, passes)

        def expected(events: npt.NDArray[np.bool_]) -> Fields:
            return window_fields(model.decode(layout.layers(events)))

        decoder = hal.DecoderProgram.from_plan(plan, passes=passes)
        target = hal.ArrayTarget(plan)
        return cls(circuit, layout, target, decoder, expected, *_readout(circuit, layout), period)

    def connect(self, progress: Callable[[str], None] | None = None) -> SimBoard:
        """The simulated board, built if it is not in the cache, with the decoder's table loaded."""
        if isinstance(self.target, hal.TableTarget):
            built: dict[str, Any] = {"graph": self.target.graph, "table": self.target.shape}
        else:
            built = {"plan": self.target.plan}
        board = hal.connect("sim", **built, fabric=self.shape, progress=progress)
        assert isinstance(board, SimBoard)
        board.load(self.decoder)
        return board

    @property
    def rounds(self) -> int:
        """Rounds that are read, the data qubits' included."""
        return len(self.syndrome.rounds)

    def events(self, measured: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Detection events, bool (shots, detectors), by Stim."""
        found = self.circuit.compile_m2d_converter().convert(measurements=measured, append_observables=False)
        return np.asarray(found, dtype=bool)

    def words(self, events: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
        """Words that formation sends to the decoder: uint32 (shots, rounds, words)."""
        if isinstance(self.layout, StreamMap):
            return self.layout.pack(events)
        return self.layout.pack_events(events)

    def bits(self, measured: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Bits of all slots: bool (shots, rounds, slots)."""
        bits = self.syndrome.by_round(measured)
        return np.pad(bits, ((0, 0), (0, 0), (0, self.shape.slots - bits.shape[2])))

    def slots(self, measured: bool) -> dict[int, list[int]]:
        """Line -> slots that the repeating round (measured False) or the last one has."""
        kind = self.syndrome.kinds[self.syndrome.rounds[-1 if measured else 0]]
        found: dict[int, list[int]] = {}
        for slot in sorted(kind.expected):
            found.setdefault(slot // TONES.tones, []).append(slot)
        return found

    def program(self) -> str:
        """All rounds of a shot, and a pulse on either branch of its frame: which shots flip must not choose them."""
        kinds = list(self.syndrome.rounds)
        kinds[-1] |= 1 << ROUND_LAST
        text = [".channel drive, 0", f".channel round, {self.shape.round_channel}"]
        text += [".group drive, drive", ".group round, round"]
        for name, last in (("ancillas", False), ("data", True)):
            lines = self.slots(last)
            channels = ", ".join(str(self.shape.drives + line) for line in lines)
            slots = ", ".join(str(slot) for line in lines.values() for slot in line)
            text.append(f".group {name}, {channels} arms {slots}")
        text.append(START)
        for number, kind in enumerate(kinds):
            last = number == len(kinds) - 1
            text += [
                f"    play round, {kind}",
                f"    capture {'data' if last else 'ancillas'}, {int(last)}"
                + ("" if last else f", +{self.period}"),
            ]
        return "\n".join(
            [
                *text,
                f"    add r29, r31, {self.period * (len(kinds) - 1) - NOTICE}",
                "late:",
                "    now r30",
                "    sub r30, r29, r30",
                "    bge r30, 1, late",
                f"    expect r0, {len(kinds)}",
                f"    frame.one 0, flip, {FRAME_BOUND}",
                f"    play drive, {KEPT}",
                "    halt 0",
                "flip:",
                f"    play drive, {FLIPPED}",
                "    halt 1",
            ]
        )

    def load(self, board: SimBoard, text: str) -> None:
        """A program with its tables."""
        silent = {f.name: 0 for f in PULSE} | {"amplitude": 1 << SCALE_BITS}
        flipped = silent | {"length": 2}
        kept = flipped | {"amplitude": 1 << SCALE_BITS - 1}
        pulses = hal.Pulses((silent, flipped, kept), np.full((4, 2), (20000, 0), dtype=np.int16))
        lines = []
        for line in range(self.shape.lines):
            masks = [
                sum(1 << slot % TONES.tones for slot in self.slots(last).get(line, []))
                for last in (False, True)
            ]
            windows = [Window(mask, TONES.window) for mask in masks]
            lines.append(TONES.demodulation(*windows))
        board.load_control(
            hal.ControlProgram(
                assemble(text),
                drives=(pulses,),
                demodulation=tuple(lines),
                syndrome=self.syndrome.words(self.shape.syndrome),
                rounds=self.rounds,
            )
        )


def _readout(circuit: stim.Circuit, layout: DecodingGraph | StreamMap) -> tuple[SyndromeTable, FabricShape]:
    """The table of a circuit's rounds, and a fabric of as many lines as it takes."""
    syndrome = syndrome_table(circuit, slots_by_qubit(circuit), layout)
    lines = -(-syndrome.shape.slots // TONES.tones)
    shape = FabricShape(
        1,
        lines,
        dataclasses.replace(syndrome.shape, slots=lines * TONES.tones),
        pulse_entries=16,
        envelope_clocks=64,
        window_samples=TONES.window,
        windows=4,
        trace_samples=64,
        partial_values=16,
        program_words=128,
        groups=8,
        queue_events=32,  # all rounds are queued before the first of them is due
    )
    return syndrome, shape
