# SPDX-License-Identifier: BSD-2-Clause
"""`triplane assemble` and `triplane timeline`: programs of the sequencer, without a board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.disassembler import disassemble, instruction_text
from triplane.gateware.sequencer.isa import GROUP
from triplane.gateware.sequencer.layouts import FAULTS, VALUE_BITS
from triplane.gateware.sequencer.opcodes import NUM_REGISTERS
from triplane.gateware.sequencer.program import Program
from triplane.host.outputs import write_json
from triplane.host.timeline import Timeline, timeline, write_vcd
from triplane.sim.models.sequencer.core import SequencerModel
from triplane.sim.models.sequencer.queue import Release
from triplane.sim.models.sequencer.results import Arrival
from triplane.sim.models.sequencer.run import FrameAnswer, Run

START = 1_000
"""Cycle in which a program is started."""

MOST_INSTRUCTIONS = 100_000
"""Of a program that does not end by itself, unless more are asked for."""

MOST_ROWS = 1_000
"""That are printed; all are in the JSON."""


class ProgramFileError(ValueError):
    """A program, or what is said about its run, that cannot be used."""


def read_program(file: Path) -> Program:
    """Assemble a file; raises AssemblyError with every error in it, ProgramFileError for one that is no text."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ProgramFileError(
            f"{file}: byte {error.start} is no UTF-8; give a program's source, a text"
        ) from error
    program = assemble(text, file=file.name)
    if not len(program.words):
        raise ProgramFileError(
            f"{file}: there is no instruction in it; the least that a program does is `halt 0`"
        )
    return program


def as_json(program: Program) -> dict[str, Any]:
    """What a board is loaded with, and where it came from."""
    return {
        "words": [f"{word:#018x}" for word in program.words.tolist()],
        "groups": [
            {"name": group.name, "channels": list(group.channels), "slots": list(group.slots)}
            for group in program.groups
        ],
        "labels": dict(program.labels),
        "channels": dict(program.channels),
        "slots": dict(program.slots),
        "lines": [place.line for place in program.source],
    }


def show_program(file: Path, *, listing: bool, source: bool, json_file: Path | None) -> None:
    """Assemble a file and print what it takes, its words, or its text as the disassembler has it."""
    program = read_program(file)
    if source:
        print(disassemble(program), end="")
    if listing:
        names: dict[int, list[str]] = {}
        for name, address in program.labels.items():
            names.setdefault(address, []).append(name)
        for address, word in enumerate(program.words.tolist()):
            for name in names.get(address, []):
                print(f"{name}:")
            place = program.source[address]
            print(
                f"{address:5}  {word:016x}  {instruction_text(word, program, address):<44} ; line {place.line}"
            )
    print(
        f"{file}: {len(program.words)} instructions, {len(program.groups)} groups, {program.num_channels} channels, "
        f"{program.num_slots} measurement slots"
    )
    if json_file is not None:
        write_json(json_file, as_json(program))
        print(f"result: {json_file}")


def parse_registers(given: Iterable[str]) -> dict[int, int]:
    """`r1=20` -> register 1 is 20 at the start."""
    found: dict[int, int] = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            number, content = int(name.removeprefix("r")), int(value, 0)
        except ValueError:
            raise ProgramFileError(f"--set {text}: write a register and its value, such as r1=20") from None
        if not name.startswith("r") or not 1 <= number < NUM_REGISTERS:
            raise ProgramFileError(f"--set {text}: there are registers r1 to r{NUM_REGISTERS - 1}")
        if not -(2 ** (VALUE_BITS - 1)) <= content < 2**VALUE_BITS:
            raise ProgramFileError(f"--set {text}: a register has {VALUE_BITS} bits")
        found[number] = content % 2**VALUE_BITS
    return found


def parse_results(given: Iterable[str], program: Program) -> dict[int, str]:
    """`qubit=0110x` -> what the slot's measurements give, one after the other; x is leaked, - never comes."""
    found: dict[int, str] = {}
    for text in given:
        name, _, bits = text.partition("=")
        slot = program.slots.get(name, int(name) if name.isdecimal() else None)
        if slot is None or slot >= program.num_slots:
            known = ", ".join(program.slots) or f"0 to {program.num_slots - 1}"
            raise ProgramFileError(f"--result {text}: the program has no slot {name!r}; it has {known}")
        if not bits or set(bits) - set("01x-"):
            raise ProgramFileError(
                f"--result {text}: write 0, 1, x (leaked) or - (never comes) for each measurement, such as {name}=011"
            )
        found[slot] = bits
    return found


class Answers:
    """Answers each measurement of a slot with the next of its letters, and with 0 when there are no more.

    Attributes:
        given: all answers so far.
    """

    def __init__(self, program: Program, letters: dict[int, str], delay: int) -> None:
        self._program = program
        self._letters = {slot: iter(text) for slot, text in letters.items()}
        self._delay = delay
        self._answered: set[tuple[int, int]] = set()
        self.given: list[Arrival] = []

    def __call__(self, release: Release) -> Sequence[Arrival]:
        """Results that follow a CAPTURE; every channel of its group tells of it, and one is answered."""
        number = GROUP.extract(int(self._program.words[release.address]))
        if (release.cycle, number) in self._answered:
            return []
        self._answered.add((release.cycle, number))
        arrivals = []
        for slot in self._program.groups[number].slots:
            letter = next(self._letters.get(slot, iter("")), "0")
            if letter != "-":
                arrivals.append(
                    Arrival(
                        release.cycle + self._delay, slot, bit=int(letter == "1"), leaked=int(letter == "x")
                    )
                )
        self.given += arrivals
        return arrivals


def run_program(
    program: Program,
    *,
    registers: dict[int, int],
    results: dict[int, str],
    delay: int,
    frame: int,
    most: int = MOST_INSTRUCTIONS,
) -> tuple[Run, Timeline]:
    """Run on the golden model: cycles are those of the gateware, results those that are given.

    delay: cycles from a CAPTURE to its results, and from a question for the frame to its answer.
    most: instructions after which it is left.
    """
    answers = Answers(program, results, delay)
    done = SequencerModel(program).run(
        start=START,
        respond=answers,
        frames=lambda shot, rounds, cycle: FrameAnswer(cycle + delay, frame),
        registers=registers,
        limit=most,
    )
    return done, timeline(program, done.trace, answers.given)


def show_run(
    file: Path,
    *,
    registers: Iterable[str],
    results: Iterable[str],
    delay: int,
    frame: int,
    most: int = MOST_INSTRUCTIONS,
    vcd: Path | None,
    plot: Path | None,
    json_file: Path | None,
) -> None:
    """Run a file on the golden model; print what was played and decided, and write it where asked."""
    program = read_program(file)
    done, shown = run_program(
        program,
        registers=parse_registers(registers),
        results=parse_results(results, program),
        delay=delay,
        frame=frame,
        most=most,
    )
    rows = _rows(program, shown)
    table = Table(box=box.SIMPLE_HEAD)
    for name, justify in (("cycle", "right"), ("channel", "left"), ("event", "left"), ("line", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for row in rows[:MOST_ROWS]:
        table.add_row(
            f"{row['cycle']:,}", escape(row["channel"]), escape(row["event"]), str(row["line"] or "")
        )
    Console().print(table)
    if len(rows) > MOST_ROWS:
        print(f"and {len(rows) - MOST_ROWS:,} more, which --json writes")
    end = _end(program, done)
    print(end)
    if json_file is not None:
        content = {"rows": rows, "exit_code": done.exit_code, "end": end, "instructions": done.instructions}
        write_json(json_file, content | {"cycles": done.end - START})
        print(f"result: {json_file}")
    if vcd is not None:
        write_vcd(shown, vcd)
        print(f"waveform: {vcd}")
    if plot is not None:
        from triplane.host.plots import timeline_figure

        timeline_figure(shown).save(plot)
        print(f"figure: {plot}")


def _rows(program: Program, shown: Timeline) -> list[dict[str, Any]]:
    """Events and decisions in the order of their cycles, counted from the program's start."""
    rows = [
        {
            "cycle": event.cycle - START,
            "channel": program.channel_names.get(event.channel, f"channel {event.channel}"),
            "event": f"{event.kind.name.lower()} {event.value}",
            "line": None,
        }
        for event in shown.played
    ]
    for decision in shown.decisions:
        text = (
            instruction_text(int(program.words[decision.address]), program)
            if decision.address < len(program.words)
            else "end"
        )
        rows.append(
            {
                "cycle": decision.cycle - START,
                "channel": "",
                "event": f"{text}: {decision.outcome.name.lower().replace('_', ' ')}",
                "line": program.source[decision.address].line
                if decision.address < len(program.source)
                else None,
            }
        )
    return sorted(rows, key=lambda row: row["cycle"])


def _end(program: Program, done: Run) -> str:
    if done.stop is not None:
        return (
            f"fault after {done.stop.time - START:,} cycles: {done.stop.fault.name.lower()}, "
            f"{program.place(done.stop.address)}: {FAULTS[done.stop.fault]}"
        )
    if done.exit_code is None:
        return f"still running after {done.instructions:,} instructions, where it was left; --instructions takes more"
    return f"halted after {done.end - START:,} cycles, exit code {done.exit_code} ({done.exit_code:#x})"
