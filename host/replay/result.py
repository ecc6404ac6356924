# SPDX-License-Identifier: BSD-2-Clause
"""What a replay was asked for and what it found: as JSON, and as the manifest of the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.syndrome.pacer import BACKLOG_BITS
from triplane.hal import NEVER_HARD, PASSES_DISAGREE, Pacing, driver_of
from triplane.host.replay.datasets import Dataset
from triplane.host.replay.ledger import LatencyLedger
from triplane.host.replay.references import Rate, Reference

if TYPE_CHECKING:
    from triplane.host.runtime.escalation import EscalatedRun

LONGEST_NS = 1e9
"""One second: longer rounds and deadlines are typing errors. A board's own limit of a round is far below."""


class OptionsError(ValueError):
    """An option is out of its range; the message names it and the value."""


@dataclasses.dataclass(frozen=True)
class EscalateOptions:
    """Which shots the outer decoder sees, and when its answer comes.

    Attributes:
        hard_above: hardness above which a shot is escalated, see `hal.DecodeLimits`.
        answer_ns: on the board's clock, from a hard shot's record to the answer: assumed, so that a run can be
            repeated.
        amend_ns: after a shot's end; an answer after that is refused.
    """

    hard_above: int = PASSES_DISAGREE
    answer_ns: float = 10_000
    amend_ns: float = 1_000_000

    def __post_init__(self) -> None:
        if not 0 <= self.hard_above <= NEVER_HARD:
            raise OptionsError(f"hard_above must be 0 to {NEVER_HARD}, not {self.hard_above}")
        for name, value, least in (("answer_ns", self.answer_ns, 0), ("amend_ns", self.amend_ns, 1)):
            if not least <= value <= LONGEST_NS:
                raise OptionsError(f"{name} must be {least} to {LONGEST_NS:g} ns, not {value:g}")

    @classmethod
    def given(cls, escalate: bool, **options: Any) -> EscalateOptions | None:
        """From the command line: None without escalation, defaults for what is None.

        Raises:
            OptionsError: there is no escalation, but an option of it; or one is out of its range.
        """
        chosen = {name: value for name, value in options.items() if value is not None}
        if not escalate and chosen:
            names = ", ".join("--" + name.replace("_", "-") for name in chosen)
            raise OptionsError(f"{names} without --escalate: nothing would be escalated; add --escalate")
        return cls(**chosen) if escalate else None


@dataclasses.dataclass(frozen=True)
class ReplayOptions:
    """How shots are streamed.

    Attributes:
        weight_bits: width of a weight register.
        round_ns: time from one round to the next; None streams rounds as fast as the decoder takes them.
        deadline_ns: of the stage `decode`, for the ledger; None sets none.
        vcd: file for a waveform of the first shots.
        vcd_shots: how many of them.
        passes: correlated passes of the arrays.
        decoder: "array", or "table" for an exact lookup table.
        escalate: have hard shots amended by the outer decoder; None has none.
        board: URL of the board, as `hal.connect` takes it.
    """

    weight_bits: int = 5
    round_ns: float | None = None
    deadline_ns: float | None = None
    vcd: Path | None = None
    vcd_shots: int = 4
    passes: int = 1
    decoder: Literal["array", "table"] = "array"
    escalate: EscalateOptions | None = None
    board: str = "sim"

    def __post_init__(self) -> None:
        try:
            driver = driver_of(self.board)
        except ValueError as error:
            raise OptionsError(str(error)) from error
        if self.vcd is not None and driver != "sim":
            raise OptionsError(f"board {self.board} writes no waveforms; leave --board out, or --vcd")
        for name, value in (("round_ns", self.round_ns), ("deadline_ns", self.deadline_ns)):
            if value is not None and not 1 <= value <= LONGEST_NS:
                raise OptionsError(f"{name} must be 1 to {LONGEST_NS:g} ns, not {value:g}")
        if self.vcd_shots < 1:
            raise OptionsError(f"vcd_shots must be at least 1, not {self.vcd_shots}")
        if not 1 <= self.passes <= 3:
            raise OptionsError(f"passes must be 1 to 3, not {self.passes}")
        if self.decoder == "table" and self.passes > 1:
            raise OptionsError(f"a lookup table is read once; passes must be 1, not {self.passes}")
        if self.escalate is not None:
            if self.decoder == "table":
                raise OptionsError("a lookup table calls no shot hard; escalate with --decoder array")
            if self.passes == 1 and self.escalate.hard_above >= PASSES_DISAGREE:
                raise OptionsError(
                    f"with 1 pass no passes disagree, and no shot is harder than {PASSES_DISAGREE}; "
                    f"give --passes 2, or --hard-above below that"
                )


@dataclasses.dataclass(frozen=True)
class ReplayResult:
    """What a replay found.

    Attributes:
        dataset: the shots.
        graph: the decoding graph that was built into the gateware.
        records: structured array (shots,) of `layouts.RESULT`, as the board sent them.
        rate: logical error rate of the board's predictions.
        references: the same shots under other decoders.
        ledger: latency of every stage.
        clock_hz: of the board.
        simulated: whether the board is a simulation.
        cycles: clock cycles that passed on the board while it streamed.
        pacing: how well the rounds kept to their cadence; of no meaning where none was asked for.
        stream_s, connect_s: wall time of streaming, and of building or finding the gateware.
        build_hash, structure_hash, table_hash: identity of the gateware, of what shaped it, and of what was loaded.
        options: how it was streamed.
        escalation: what became of hard shots; None where none were escalated. `rate` is then that of the amended
            frames.
        fabric_rate: logical error rate before any amendment; None without escalation.
        run: id of the run's manifest; "" where it is not recorded.
    """

    dataset: Dataset
    graph: DecodingGraph
    records: npt.NDArray[np.void]
    rate: Rate
    references: tuple[Reference, ...]
    ledger: LatencyLedger
    clock_hz: int
    simulated: bool
    cycles: int
    pacing: Pacing
    stream_s: float
    connect_s: float
    build_hash: str
    structure_hash: str
    table_hash: str
    options: ReplayOptions
    escalation: EscalatedRun | None = None
    fabric_rate: Rate | None = None
    run: str = ""

    @property
    def backlog_saturated(self) -> bool:
        """Whether the backlog's counter was full: more rounds may have been due than it says."""
        return bool(self.pacing.backlog_max >= 2**BACKLOG_BITS - 1)

    @property
    def decoder(self) -> str:
        """What decoded the shots, for people."""
        if self.options.decoder == "table":
            return "lookup table"
        passes = f", {self.options.passes} passes" if self.options.passes > 1 else ""
        escalated = "" if self.escalation is None else ", escalated"
        return f"union-find, {self.graph.weight_bits}-bit weights{passes}{escalated}"

    def as_json(self) -> dict[str, Any]:
        """The result as `--json` writes it, with the keys that scripts may rely on."""
        return {
            "dataset": self.dataset.name,
            "model": self.dataset.files.model.name if self.dataset.files else self.dataset.name,
            "shots": self.dataset.shots,
            "failures": self.rate.failures,
            "logical_error_rate": self.rate.rate,
            "confidence_interval": list(self.rate.interval),
            "references": {ref.name: None if ref.rate is None else ref.rate.rate for ref in self.references},
            "references_detail": {ref.name: ref.as_json() for ref in self.references},
            "latency": self.ledger.as_json(),
            "clock_hz": self.clock_hz,
            "run": self.run or None,
            "simulated": self.simulated,
            "throughput": {
                "shots_per_s": self.dataset.shots / self.stream_s,
                "kilocycles_per_s": self.cycles / self.stream_s / 1e3,
                "cycles": self.cycles,
                "stream_s": self.stream_s,
                "connect_s": self.connect_s,
            },
            "weight_bits": self.graph.weight_bits,
            "round_ns": self.options.round_ns,
            "pacing": None
            if self.options.round_ns is None
            else {**dataclasses.asdict(self.pacing), "backlog_saturated": self.backlog_saturated},
            "build_hash": self.build_hash,
            "decoder": self.options.decoder,
            "passes": self.options.passes,
            "structure_hash": self.structure_hash,
            "table_hash": self.table_hash,
            "escalation": self._escalation_json(),
            "properties": self.dataset.properties,
        }

    def _escalation_json(self) -> dict[str, Any] | None:
        found, options, fabric = self.escalation, self.options.escalate, self.fabric_rate
        if found is None or options is None or fabric is None:
            return None
        hard = found.escalated
        return {
            **dataclasses.asdict(options),
            "escalated": int(hard.sum()),
            "fraction": float(hard.mean()),
            "in_time": int(found.in_time.sum()),
            "changed": int((found.frames != found.fabric).sum()),
            "late": int((hard & ~found.in_time).sum()),
            "fabric": {
                "failures": fabric.failures,
                "logical_error_rate": fabric.rate,
                "confidence_interval": list(fabric.interval),
            },
            "reaction_cycles": {
                name: float(found.reaction_cycles[which].mean()) if which.any() else None
                for name, which in (("escalated", hard), ("others", ~hard))
            },
            "outer_us": {
                "mean": float(found.outer_s[hard].mean() * 1e6) if hard.any() else None,
                "max": float(found.outer_s[hard].max() * 1e6) if hard.any() else None,
                "within_amend_ns": int((found.outer_s[hard] * 1e9 <= options.amend_ns).sum()),
            },
        }


def record(
    result: ReplayResult,
    command: Sequence[str],
    *,
    seeds: dict[str, int] | None = None,
    extra_inputs: dict[str, bytes] | None = None,
) -> ReplayResult:
    """File the run's manifest (inputs, model, tables, gateware, versions, seeds, command, result); returns it
    with its id.
    """
    from triplane.host.provenance import RunRecorder

    recorder = RunRecorder(command=list(command))
    for name, data, source in result.dataset.evidence():
        recorder.add_input(name, data, source=source)
    for name, data in (extra_inputs or {}).items():
        recorder.add_input(name, data)
    recorder.add_output("records", result.records.tobytes(), source="record stream, layouts.RESULT")
    if result.escalation is not None:
        frames = result.escalation.frames.astype("<u4").tobytes()
        recorder.add_output("frames", frames, source="frame of every shot at its barrier, 32-bit words")
    content = result.as_json()
    del content["run"]
    parameters: dict[str, Any] = {
        "weight_bits": result.options.weight_bits,
        "decoder": result.options.decoder,
        "passes": result.options.passes,
        "round_ns": result.options.round_ns,
        "deadline_ns": result.options.deadline_ns,
        "shots": result.dataset.shots,
    }
    if result.options.escalate is not None:
        parameters["escalate"] = dataclasses.asdict(result.options.escalate)
    recorder.set(
        model=content["model"],
        tables={"structure_hash": result.structure_hash, "table_hash": result.table_hash},
        gateware={"build_hash": result.build_hash},
        seeds=seeds or {},
        parameters=parameters,
    )
    return dataclasses.replace(result, run=recorder.commit(content))
