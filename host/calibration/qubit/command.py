# SPDX-License-Identifier: BSD-2-Clause
"""`triplane calibrate-qubit`: the first calibrations of qubits, and the snapshot of what they have found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from triplane import hal
from triplane.hal.device import Device, dump_device
from triplane.host.calibration.experiments import FitError
from triplane.host.calibration.qubit import (
    Snapshot,
    Station,
    calibrate_readout,
    rabi,
    ramsey,
    relaxation,
)
from triplane.host.calibration.qubit.drawing import Result, plot
from triplane.host.calibration.qubit.report import show
from triplane.host.calibration.qubit.station import SweepError
from triplane.host.calibration.readout import ReadoutCalibrationError
from triplane.host.outputs import write_json
from triplane.host.provenance import RunRecorder
from triplane.host.provenance.canonical import canonical
from triplane.host.provenance.store import Store
from triplane.host.replay.progress import Counter, ProgressView
from triplane.host.small import shape_of, simulated_board, small_target

POINTS = {"rabi": 21, "ramsey": 31, "relaxation": 13}
"""Of a sweep, unless somebody says otherwise: as few as determine what is looked for."""

SHOTS, READOUT_SHOTS = 120, 256
READOUT_TRACES = 24

ROUTINES = ("readout", "rabi", "ramsey", "relaxation")
"""In the order in which they are run: the first one sets up what the others measure with."""


class CalibrationError(ValueError):
    """Arguments that nothing can be calibrated with."""


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        qubits: numbers.
        routines: of `ROUTINES`.
        points: of a sweep; None: as `POINTS`.
        shots: of a point.
        readout_shots: of each state.
    """

    qubits: tuple[int, ...]
    routines: tuple[str, ...]
    points: int | None = None
    shots: int = SHOTS
    readout_shots: int = READOUT_SHOTS

    def checked(self, device: Device) -> Plan:
        """The same, with routines in their order.

        Raises:
            CalibrationError: there is no such qubit, or none of its readout, or no such routine.
        """
        for qubit in self.qubits:
            try:
                device.place(qubit)
            except ValueError as error:
                raise CalibrationError(f"--qubit {qubit}: {error}") from error
        for routine in self.routines:
            if routine not in ROUTINES:
                raise CalibrationError(f"--only {routine}: there are {', '.join(ROUTINES)}")
        ordered = tuple(name for name in ROUTINES if name in self.routines)
        return Plan(self.qubits, ordered, self.points, self.shots, self.readout_shots)

    def run(self, station: Station, qubit: int, routine: str) -> Result:
        """One routine.

        Raises:
            FitError, ReadoutCalibrationError: nothing can be found in what was measured.
            SweepError: the sweep is longer than the sequencer waits.
        """
        if routine == "readout":
            return calibrate_readout(station, qubit, traces=READOUT_TRACES, shots=self.readout_shots)
        sweep = {"rabi": rabi, "ramsey": ramsey, "relaxation": relaxation}[routine]
        return sweep(station, qubit, points=self.points or POINTS[routine], shots=self.shots)


def calibrate(
    command: Sequence[str],
    device: Device,
    plan: Plan,
    *,
    url: str = "sim",
    emulated: Device | None = None,
    seed: int = 0,
    begin: Path | None = None,
    ttl_s: float,
    snapshot_file: Path | None = None,
    json_file: Path | None = None,
    figure: Path | None = None,
) -> bool:
    """Run a plan, show what was found, file the run; True where all of it is to be believed.

    Args:
        command: as typed.
        device: as it is known.
        plan: what to measure.
        url: of the board; "sim": a simulated one in this process.
        emulated: what is behind a simulated board, if that is not the device as it is known.
        seed: of the emulator.
        begin: file of an earlier snapshot, which the device is corrected by before.
        ttl_s: how long the snapshot is to be believed.
        snapshot_file, json_file, figure: to write.

    Raises:
        CalibrationError: as of `Plan.checked`, or an emulated device for a board that has its own.
        SnapshotError, BoardError: of the snapshot, of the board.

    What ends a routine, other than its own errors, ends the plan; it is raised when all that was found before is kept.
    """
    recorder = RunRecorder(command)
    recorder.check()
    console = Console()
    plan = plan.checked(device)
    if emulated is not None and url != "sim":
        raise CalibrationError(f"--emulate is for the simulated board; behind {url} is what is there")
    behind = emulated or device
    recorder.add_input("device", dump_device(device).encode(), source=device.name)
    if begin is not None:
        before = Snapshot.load(begin)
        console.print(f"begins with {begin.name}: {before.said_age()}", highlight=False)
        device = before.applied_to(device)
        recorder.add_input("snapshot before", begin)
    results: list[Result] = []
    failures: dict[str, str] = {}
    identity: hal.Identity | None = None
    ended_by: BaseException | None = None
    try:
        with ProgressView() as view, _connected(url, device, behind, seed, view) as board:
            identity = board.identify()
            _measure(Station(board, shape_of(device), device), plan, view, results, failures)
    except BaseException as error:  # also Ctrl-C: what was measured before it took its time
        if identity is None:
            raise
        ended_by = error
    store = Store()
    believed = [result for result in results if result.good]
    snapshot = None
    if believed:
        snapshot = Snapshot.of(device, identity.build_hash, believed, store=store, ttl_s=ttl_s)
        recorder.add_output("snapshot", canonical(snapshot.model_dump(mode="json")))
    recorder.set(
        model=device.name,
        gateware={"board": {"build_hash": identity.build_hash}},
        seeds={"emulator": seed} if url == "sim" else {},
        parameters={
            "qubits": list(plan.qubits),
            "routines": list(plan.routines),
            "points": plan.points,
            "shots": plan.shots,
            "readout_shots": plan.readout_shots,
        },
    )
    content: dict[str, Any] = {
        "run": None,
        "device": device.name,
        "simulated": url == "sim",
        "results": [result.as_json() for result in results],
        "failures": failures,
        "snapshot": None if snapshot is None else snapshot.model_dump(mode="json"),
    }
    filed: str | None = None
    try:
        filed = recorder.commit(content)
    finally:  # what cannot be recorded is shown and written nevertheless, with run null
        show(results, failures, console)
        if snapshot is not None and snapshot_file is not None:
            snapshot.save(snapshot_file)
            print(f"snapshot: {snapshot_file}")
        if json_file is not None:
            write_json(json_file, content | {"run": filed})
            print(f"result: {json_file}")
        if figure is not None and results:
            plot(results, figure)
            print(f"figure: {figure}")
    console.print(
        f"run {filed[:12]}: see it again with [bold]triplane report {filed[:12]}[/bold]", highlight=False
    )
    if ended_by is not None:
        raise ended_by
    return not failures and len(believed) == len(results)


def _connected(url: str, device: Device, behind: Device, seed: int, view: ProgressView) -> hal.Board:
    if url == "sim":
        return simulated_board(device, emulated=behind, seed=seed, progress=view.build)
    target = small_target()
    return hal.connect(
        url, graph=target.graph, table=target.shape, fabric=shape_of(device), progress=view.build
    )


def _measure(
    station: Station, plan: Plan, view: ProgressView, results: list[Result], failures: dict[str, str]
) -> None:
    """Add to the results, and to what could not be found: qubit and routine -> why."""
    for qubit in plan.qubits:
        for routine in plan.routines:
            name = f"q{qubit} {routine}"
            station.progress = _counting(view, name, "shots" if routine == "readout" else "points")
            try:
                results.append(plan.run(station, qubit, routine))
            except (FitError, ReadoutCalibrationError, SweepError) as error:
                failures[name] = str(error)
            except BaseException as error:
                failures[name] = str(error) or type(error).__name__
                raise


def _counting(view: ProgressView, name: str, unit: str) -> Callable[[int, int], None]:
    """Moves a bar, which is there from the first point on; a routine of two sweeps has two."""
    counters: dict[int, Counter] = {}

    def to(done: int, total: int) -> None:
        if total not in counters:
            counters[total] = view.count(name, total, unit=unit)
        counters[total].to(done)

    return to
