# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench latency`: from the last ADC sample to what is done about it, on the real fabric, stage by stage.

Both ends are the converters': the cycle in which the last sample of the last window enters, and the first cycle in
which the drive that the results condition puts out something else than 0. What lies between is told by the stamps of
the board: the trace of the sequencer, records of rounds, result records. Samples are made for chosen bits
(`sim.signals`), since what they mean has no influence on how long it takes, but for `decode`.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import stim

from triplane import hal
from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.gateware.dsp.layouts import PULSE, SCALE_BITS
from triplane.gateware.fabric import ROUND_LAST
from triplane.gateware.readout.layouts import Window
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.layouts import TAG_KIND_OFFSET, TRACE, Kind, Outcome
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.compile import slots_by_qubit, syndrome_table
from triplane.gateware.syndrome.layouts import round_record
from triplane.gateware.syndrome.table import SyndromeTable
from triplane.hal.drivers.sim import SimBoard
from triplane.host.bench.registry import BenchContext, benchmark
from triplane.host.replay.ledger import Stage
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.lut import fill_table
from triplane.sim.signals import BitTones

SEED = 2026
COMMAND = "triplane bench latency"
SHOTS, QUICK_SHOTS = 400, 40
DISTANCE, ROUNDS, NOISE = 3, 3, 0.003

TONES = BitTones(8, 32)
LEAD = 6
"""Cycles from CAPTURE to the first sample of a window without delay."""

PERIOD = 64
"""Cycles from one round to the next."""

AHEAD = 3000
"""Cycles from a start by the host to the beginning of the program's time."""

START = """
early:
    now r30
    sub r30, r31, r30
    bge r30, 40, early
    until r31
"""
"""The program is executed from shortly before its time on, so that the bounds of its waits count from there."""

FEEDBACK = f"""
.channel drive, 0
.group drive, drive
.group line, 1 arms 0
{START}
    capture line, 0
    on.one 0, flip, 500
    halt 0
flip:
    play drive, 1
    halt 1
"""


@dataclass(frozen=True)
class Loop:
    """A memory experiment whose rounds are read by a fabric with one drive.

    Attributes:
        circuit: with the noise that shots are drawn from.
        graph, table, syndrome: what is made of it.
        shape: of the fabric.
    """

    circuit: stim.Circuit
    graph: DecodingGraph
    table: TableShape
    syndrome: SyndromeTable
    shape: FabricShape

    @classmethod
    def of(cls, distance: int, rounds: int, probability: float) -> Loop:
        """A rotated code, read by as many lines as it takes."""
        circuit = memory_circuit(distance=distance, rounds=rounds, probability=probability)
        graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
        syndrome = syndrome_table(circuit, slots_by_qubit(circuit), graph)
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
            queue_events=16,
        )
        return cls(circuit, graph, TableShape(observed_detectors(graph), 1), syndrome, shape)

    def slots(self, measured: bool) -> dict[int, list[int]]:
        """Line -> slots that the repeating round (measured False) or the last one has."""
        kind = self.syndrome.kinds[self.syndrome.rounds[-1 if measured else 0]]
        found: dict[int, list[int]] = {}
        for slot in sorted(kind.expected):
            found.setdefault(slot // TONES.tones, []).append(slot)
        return found

    def program(self) -> str:
        """All rounds of a shot, and a pulse where its frame flips the observable."""
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
                + ("" if last else f", +{PERIOD}"),
            ]
            if number == 0:
                text.append(f"    expect r0, {len(kinds)}")
        return "\n".join(
            [*text, "    frame.one 0, flip, 5000", "    halt 0", "flip:", "    play drive, 1", "    halt 1"]
        )

    def load(self, board: SimBoard, text: str) -> None:
        """A program with its tables."""
        entry = {f.name: 0 for f in PULSE} | {"amplitude": 1 << SCALE_BITS}
        pulse = hal.Pulses((entry, entry | {"length": 2}), np.full((4, 2), (20000, 0), dtype=np.int16))
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
                drives=(pulse,),
                demodulation=tuple(lines),
                syndrome=self.syndrome.words(self.shape.syndrome),
            )
        )


@dataclass(frozen=True)
class Shot:
    """What a shot's stamps say, in cycles of the board's counter.

    Attributes:
        exit_code: of the program.
        trace: of the sequencer.
        edge: first output of the drive; None without a pulse.
        start: of the program's time.
        rounds, results: words of records, uint32 (records, words).
    """

    exit_code: int
    trace: npt.NDArray[np.void]
    edge: int | None
    start: int
    rounds: npt.NDArray[np.uint32]
    results: npt.NDArray[np.uint32]

    def waited(self) -> int:
        """Cycle in which the first wait ended."""
        kinds = self.trace["tag"] >> TAG_KIND_OFFSET
        return int(self.trace["cycle"][(kinds == Outcome.TAKEN) | (kinds == Outcome.PASSED)][0])

    def played(self) -> int:
        """Cycle in which the pulse was due."""
        kinds = self.trace["tag"] >> TAG_KIND_OFFSET
        return int(self.trace["time"][(kinds == Kind.PLAY) & (self.trace["tag"] & 0xFF == 0)][0])


def run_shot(
    board: SimBoard, loop: Loop, windows: list[tuple[int, npt.NDArray[np.bool_]]], *, live: bool
) -> Shot:
    """Execute the program that is loaded.

    windows: (cycle of the CAPTURE from the program's start, bits of all slots); lines that are not read hear them, too.
    """
    simulation = board.simulation
    start = simulation.now + AHEAD
    for line in range(loop.shape.lines):
        own = slice(line * TONES.tones, (line + 1) * TONES.tones)
        stream = np.zeros((max(at for at, _ in windows) + LEAD + TONES.window, 2), dtype=np.int16)
        for at, bits in windows:
            first = at + LEAD
            stream[first : first + TONES.window] = TONES.samples(
                start + first, bits[own].astype(int).tolist()
            )
        simulation.samples(line, start, stream)
    simulation.edges()
    ended = board.execute({31: start}, limit_cycles=50_000, live=live)
    edges = [int(edge["cycle"]) for edge in simulation.edges() if edge["channel"] == 0 and edge["sounds"]]
    level = board.get("sequencer_trace_level")
    trace = TRACE.parse(_words(board, "sequencer_trace_data", level, TRACE.words))
    record = round_record(loop.shape.syndrome)
    rounds = _words(board, "measured_data", board.get("measured_records"), record.words)
    results = _words(board, "results_data", board.get("results_records"), RESULT.words)
    return Shot(ended.exit_code, trace, edges[0] if edges else None, start, rounds, results)


def _words(board: SimBoard, name: str, records: int, words: int) -> npt.NDArray[np.uint32]:
    if not records:
        return np.zeros((0, words), dtype=np.uint32)
    found = board.burst_read(board.registers[name].address, records * words, increment=False)
    return found.reshape(records, words)


@benchmark(
    "latency", help="From the last ADC sample to the conditional pulse, stage by stage, on the real fabric."
)
def bench_latency(ctx: BenchContext) -> None:
    """`discriminate`, `feedback`, and `reaction` with a lookup table."""
    loop = Loop.of(DISTANCE, ROUNDS, NOISE)
    shots = QUICK_SHOTS if ctx.quick else SHOTS
    rng = np.random.default_rng(SEED)
    ctx.seeds["samples"] = SEED
    board = hal.connect("sim", graph=loop.graph, table=loop.table, fabric=loop.shape)
    assert isinstance(board, SimBoard)
    with board:
        table = fill_table(loop.circuit.detector_error_model(decompose_errors=True), loop.table)
        board.load(hal.DecoderProgram.from_table(hal.TableTarget(loop.graph, loop.table), table.words))
        _report(ctx, "feedback", feedback(board, loop, shots, rng), "<= 24")
        _report(ctx, "reaction, d=3, lookup table", reaction(board, loop, shots, rng), "<= 45")


def feedback(board: SimBoard, loop: Loop, shots: int, rng: np.random.Generator) -> dict[str, list[int]]:
    """Stage -> cycles of each shot; slot 0 is 1, all others are random."""
    loop.load(board, FEEDBACK)
    stages: dict[str, list[int]] = {}
    for _ in range(shots):
        bits = rng.integers(2, size=loop.shape.slots).astype(bool)
        bits[0] = True
        shot = run_shot(board, loop, [(0, bits)], live=False)
        assert shot.edge is not None
        last = shot.start + LEAD + TONES.window - 1
        valid = shot.waited() - 1  # a wait ends in the cycle after its result is valid
        _add(
            stages,
            discriminate=valid - last,
            branch=shot.played() - valid,
            generate=shot.edge - shot.played(),
        )
        _add(stages, total=shot.edge - last)
    return stages


def reaction(board: SimBoard, loop: Loop, shots: int, rng: np.random.Generator) -> dict[str, list[int]]:
    """Stage -> cycles of each shot whose frame flips the observable, drawn from the circuit's noise."""
    loop.load(board, loop.program())
    stages: dict[str, list[int]] = {}
    syndrome = loop.syndrome
    sampler = loop.circuit.compile_sampler(seed=int(rng.integers(2**31)))
    rounds = len(syndrome.rounds)
    found = 0
    while found < shots:
        measured = sampler.sample(256)
        predicted = _flips(loop, measured)
        for bits in syndrome.by_round(measured[predicted])[: shots - found]:
            padded = np.zeros((rounds, loop.shape.slots), dtype=bool)
            padded[:, : bits.shape[1]] = bits
            shot = run_shot(board, loop, [(PERIOD * r, padded[r]) for r in range(rounds)], live=True)
            if shot.exit_code != 1 or shot.edge is None:
                raise RuntimeError(f"the model's table flips the frame of shot {found}, the board's does not")
            _add(stages, **_reaction_stages(loop, shot, rounds))
            found += 1
    return stages


def _flips(loop: Loop, measured: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Shots whose observable the table flips."""
    model = loop.circuit.detector_error_model(decompose_errors=True)
    events = loop.circuit.compile_m2d_converter().convert(measurements=measured, append_observables=False)
    return np.asarray(fill_table(model, loop.table).decode(events)[0] == 1)


def _reaction_stages(loop: Loop, shot: Shot, rounds: int) -> dict[str, int]:
    assert shot.edge is not None
    last = shot.start + PERIOD * (rounds - 1) + LEAD + TONES.window - 1
    record = round_record(loop.shape.syndrome).parse(shot.rounds)[-1]
    result = RESULT.parse(shot.results)[-1]
    complete, entered = (int(r["timestamp_lo"]) | int(r["timestamp_hi"]) << 32 for r in (record, result))
    framed = entered + int(result["waited"]) + int(result["decode_cycles"])
    freed = (shot.waited() - shot.start) % 2**32 + shot.start
    return {
        "discriminate": complete - last,
        "form": entered - complete,
        "decode": framed - entered,
        "frame": freed - framed,
        "branch": shot.played() - shot.waited(),
        "generate": (shot.edge - shot.played()) % 2**32,
        "total": shot.edge - last,
    }


def _add(stages: dict[str, list[int]], **cycles: int) -> None:
    for name, value in cycles.items():
        stages.setdefault(name, []).append(value % 2**32)


def _report(ctx: BenchContext, name: str, stages: dict[str, list[int]], goal: str) -> None:
    row = functools.partial(ctx.row, unit="cycles", command=COMMAND + (" --quick" if ctx.quick else ""))
    for stage, cycles in stages.items():
        figures = Stage(stage, np.array(cycles, dtype=np.uint64), None).summary()
        whole = stage == "total"
        for figure in ("min", "median", "p999", "max"):
            wanted = goal if whole and figure == "max" else None
            if stage == "discriminate" and name == "feedback" and figure == "max":
                wanted = "<= 8"
            row(
                work=name,
                measure=f"{'last sample to first sample of the pulse' if whole else stage}, {figure}",
                value=figures[figure],
                goal=wanted,
            )
