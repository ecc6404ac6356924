# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench circuits`: compiled circuits on the simulated board, against Qiskit's simulators."""

from __future__ import annotations

from triplane.hal.device import load_device
from triplane.host.bench.registry import BenchContext, BenchError, benchmark
from triplane.host.replay.progress import ProgressView

COMMAND = "triplane bench circuits"
DEVICE = "line5"
SEED = 2026


@benchmark(
    "circuits", help="Dynamic circuits and Qiskit's primitives on the board, against Qiskit's simulators."
)
def bench_circuits(ctx: BenchContext) -> None:
    """Compiled circuits, then the primitives; needs the extra `qiskit`, and Aer."""
    try:
        from triplane.host.bench.dynamic import compiled
        from triplane.host.bench.dynamic.layout import layouts
        from triplane.host.bench.dynamic.noisy import noisy_suite
        from triplane.host.bench.dynamic.primitives import primitives
        from triplane.host.qiskit import TriplaneBackend
    except ModuleNotFoundError as error:
        raise BenchError(
            f"{error}; circuits need extras: pip install 'triplane[qiskit]' qiskit-aer"
        ) from error
    from triplane.sim.qpu.noiseless import noiseless

    ctx.seeds["processor"] = SEED
    command = COMMAND + (" --quick" if ctx.quick else "")
    device = noiseless(load_device(DEVICE))
    with (
        ProgressView() as view,
        TriplaneBackend(device, seed=SEED, record_jobs=False, progress=view.build) as backend,
    ):
        ctx.gateware[DEVICE] = {"build_hash": backend.board().identify().build_hash}
        compiled.feed_forward(ctx, command)
        compiled.compile_time(ctx, command)
        compiled.suite(ctx, backend, view, command)
        compiled.openqasm(ctx, backend, view, command)
        primitives(ctx, backend, view, command)
        noisy_suite(ctx, view, command)
        layouts(ctx, view, command)
