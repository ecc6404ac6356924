# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench board`: every way to a board, its firmware, and what its gateware takes of real devices."""

from __future__ import annotations

import functools

from triplane.boards.synthesis import SynthesisError
from triplane.host.bench.areas import BOARD, ECP5_BOARD, ecp5, whole_rfsoc
from triplane.host.bench.conformance import CLOSED_LOOP, closed_loop, conformance
from triplane.host.bench.registry import BenchContext, benchmark
from triplane.host.building import BuildFailedError
from triplane.host.replay.progress import ProgressView


@benchmark("board", help="Drivers, firmware, bitstream of the ECPIX-5 with its timing, area of the ZCU216.")
def bench_board(ctx: BenchContext) -> None:
    """Rows of each; what cannot be measured here is a row with the reason."""
    command = "triplane bench board" + (" --quick" if ctx.quick else "")
    with ProgressView() as view:
        conformance(ctx, view, command)
        if not ctx.quick:
            closed_loop(ctx, view, command)
        _firmware(ctx, command)
        if ctx.quick:
            for work in (CLOSED_LOOP, ECP5_BOARD, BOARD):
                ctx.skip(work=work, reason="left out by --quick", command=command)
            return
        try:
            ecp5(ctx, command, view)
        except BuildFailedError as error:
            ctx.skip(work=ECP5_BOARD, reason=str(error), command=command)
        try:
            whole_rfsoc(ctx, command, view)
        except SynthesisError as error:
            ctx.skip(work=BOARD, reason=str(error), command=command)


def _firmware(ctx: BenchContext, command: str) -> None:
    """Built anew: a warning of the compiler, recursion, or a loop without a bound is an error of the build."""
    from triplane.firmware.build import WARNINGS, BuildError, build
    from triplane.firmware.image import committed
    from triplane.firmware.registers import STACK_BYTES
    from triplane.gateware.processor.layouts import SLOT_BYTES

    work = f"firmware, built with {' '.join(WARNINGS)}"
    try:
        image, report = build()
    except BuildError as error:
        ctx.skip(work=work, reason=str(error), command=command)
        return
    row = functools.partial(ctx.row, work=work, command=command)
    row(measure="image", value=report.image_bytes, unit="bytes", goal=f"<= {SLOT_BYTES}")
    row(measure="deepest stack", value=report.stack_bytes, unit="bytes", goal=f"<= {STACK_BYTES}")
    row(
        measure="longest turn of the main loop",
        value=report.turn_instructions,
        unit="instructions",
        goal=None,
    )
    same = image.sha256 == committed().sha256
    row(measure="bytes are those committed", value=int(same), unit="", goal=">= 1")
