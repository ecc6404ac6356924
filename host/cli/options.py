# SPDX-License-Identifier: BSD-2-Clause
"""Options that several commands share: one meaning and one help text each."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Shots = Annotated[
    int | None,
    typer.Option("--shots", min=1, help="Decode only the first so many shots.", show_default="all"),
]
WeightBits = Annotated[
    int,
    typer.Option(
        "--weight-bits",
        min=2,
        max=8,
        help="Width of a weight register. More bits: finer weights, more logic, another gateware build.",
    ),
]
Passes = Annotated[
    int,
    typer.Option(
        "--passes",
        min=1,
        max=3,
        help=(
            "Correlated passes: after each, edges correlated with the correction take their conditional weight, and "
            "the arrays run again; a third is made only where the second has changed the prediction."
        ),
    ),
]
Decoder = Annotated[
    Literal["array", "table"],
    typer.Option(
        "--decoder",
        help="Union-find arrays, or an exact lookup table where no more than 24 detectors see the observables.",
    ),
]
RoundNs = Annotated[
    float | None,
    typer.Option(
        "--round-ns",
        min=1.0,
        show_default="back to back",
        help=(
            "Time from one round of detection events to the next, rounded to clock cycles. By default rounds "
            "follow as fast as the decoder takes them: latency is counted from a shot's last round, so waiting in "
            "between changes no figure of the ledger, and a simulation spends its time on decoding. "
            "Superconducting qubits take about 1000; the simulated board counts to 68 ms."
        ),
    ),
]
DeadlineNs = Annotated[
    float | None,
    typer.Option(
        "--deadline-ns",
        min=1.0,
        show_default="none",
        help="Deadline of the stage decode: the ledger counts shots that take longer.",
    ),
]
Escalate = Annotated[
    bool,
    typer.Option(
        "--escalate",
        help=(
            "Have hard shots decoded once more by correlated PyMatching, and their frame amended on the board "
            "before the barrier at their end."
        ),
    ),
]
HardAbove = Annotated[
    int | None,
    typer.Option(
        "--hard-above",
        min=0,
        max=65535,
        show_default="32767: where the passes disagree",
        help="With --escalate: shots harder than this are escalated. Below 32767: also those of more growth steps.",
    ),
]
AnswerNs = Annotated[
    float | None,
    typer.Option(
        "--answer-ns",
        min=0.0,
        show_default="10000",
        help=(
            "With --escalate: time on the board's clock from a hard shot's record to the outer decoder's answer, so "
            "that a run can be repeated. What PyMatching took on this machine is reported beside it."
        ),
    ),
]
AmendNs = Annotated[
    float | None,
    typer.Option(
        "--amend-ns",
        min=1.0,
        show_default="1000000",
        help=(
            "With --escalate: how long after a hard shot's end the barrier waits for the answer. Of one that comes "
            "later nothing is left: the fabric's result stands."
        ),
    ),
]
Json = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON.", show_default=False),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE.png",
        show_default=False,
        help="Draw the latency histogram and the logical error rates.",
    ),
]
BoardUrl = Annotated[
    str,
    typer.Option(
        "--board",
        metavar="URL",
        help=(
            "The board: sim, in this process; udp://HOST:PORT, on a network; uart:DEVICE, on a serial line. "
            "`triplane board` lets a simulated one listen."
        ),
    ),
]
Vcd = Annotated[
    Path | None,
    typer.Option(
        "--vcd",
        metavar="FILE",
        show_default=False,
        help=("Record the waveform of the first shots, to be seen with GTKWave or Surfer."),
    ),
]
VcdShots = Annotated[int, typer.Option("--vcd-shots", min=1, max=1000, help="Shots in the waveform.")]

Known = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        envvar="TRIPLANE_CREDENTIALS",
        metavar="FILE",
        help="Who you are to a secured service of jobs.",
    ),
]
