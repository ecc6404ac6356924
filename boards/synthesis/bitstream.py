# SPDX-License-Identifier: BSD-2-Clause
"""A bitstream for the ECP5: pins, clocks and timing as a board has them, by Yosys, nextpnr and ecppack."""

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from triplane.boards.synthesis.tools import TIMEOUT_S, Progress, SynthesisError, identity, run
from triplane.sim.cache import cached, content_key, seal, sealed

SEEDS = (1, 2, 3, 4)
"""Of placement, tried in turn until every clock is met: a seed moves Fmax by a tenth either way."""

ROUTER = ("--router", "router2", "--tmg-ripup")
"""Router 1, nextpnr's default, had not ended after 75 minutes on a board with a soft core; this one takes 12, and gives
way to the wires whose timing is tight."""

SCRIPT = "read_verilog design.v; synth_ecp5 -abc9 -top board -json design.json"
BITSTREAM, SVF, REPORT = "board.bit", "board.svf", "report.json"

RESOURCES = {
    "LUT4": "TRELLIS_COMB",
    "registers": "TRELLIS_FF",
    "block RAM": "DP16KD",
    "multipliers": "MULT18X18D",
    "pins": "TRELLIS_IO",
    "PLL": "EHXPLLL",
}
"""Name in tables -> cell in nextpnr's report."""


class TimingError(SynthesisError):
    """The design was routed, and a clock is not met."""


@dataclass(frozen=True)
class Device:
    """An ECP5.

    Attributes:
        part: Lattice's ordering code.
        architecture, package, speed: as nextpnr takes them.
    """

    part: str
    architecture: str
    package: str
    speed: int


@dataclass(frozen=True)
class Clock:
    """A clock after routing, in the slowest corner."""

    name: str
    wanted_mhz: float
    reached_mhz: float

    @property
    def met(self) -> bool:
        """Whether the design runs at the clock that it was built for."""
        return self.reached_mhz >= self.wanted_mhz


@dataclass(frozen=True)
class Bitstream:
    """A bitstream whose timing is met.

    Attributes:
        folder: with `BITSTREAM`, `SVF` and nextpnr's `REPORT`.
        clocks: slowest margin first.
        resources: name of `RESOURCES` -> (used, available).
        seed: of the placement.
    """

    folder: Path
    clocks: tuple[Clock, ...]
    resources: dict[str, tuple[int, int]]
    seed: int


def make_bitstream(
    verilog: str,
    constraints: str,
    device: Device,
    *,
    label: str,
    timeout_s: float = TIMEOUT_S,
    report: Progress = lambda _: None,
) -> Bitstream:
    """The bitstream of the module `board`, from the cache or made now.

    constraints: LPF with pins and frequencies; those of a PLL's outputs follow from its input.
    label: what it is, for progress and errors.  timeout_s: seconds until a tool is stopped.

    Raises:
        TimingError: no seed meets every clock.
        SynthesisError: a tool is not installed, failed, or took too long.
    """
    place = [f"--{device.architecture}", "--package", device.package, "--speed", str(device.speed)]
    place += ["--json", "design.json", "--lpf", "board.lpf", "--textcfg", "board.config", "--report", REPORT]
    place += [*ROUTER, "--timing-allow-fail", "--quiet"]
    pack = ["--compress", "--input", "board.config", "--bit", BITSTREAM, "--svf", SVF]
    tools = [identity(tool) for tool in ("yosys", "nextpnr-ecp5", "ecppack")]

    def synthesised(folder: Path) -> None:
        (folder / "design.v").write_text(verilog)
        run("yosys", ["-q", "-p", SCRIPT], folder, label=label, timeout_s=timeout_s, report=report)
        (folder / "design.v").unlink()
        seal(folder / "design.json")

    def built(folder: Path) -> None:
        # What takes longest stays, should no seed be good enough.
        netlist, _ = cached(
            "netlists",
            content_key([verilog, SCRIPT, tools[0]]),
            synthesised,
            intact=lambda entry: sealed(entry / "design.json"),
            report=report,
        )
        shutil.copy(netlist / "design.json", folder)
        (folder / "board.lpf").write_text(constraints)
        tried = []
        for seed in SEEDS:
            arguments = [*place, "--seed", str(seed)]
            run("nextpnr-ecp5", arguments, folder, label=label, timeout_s=timeout_s, report=report)
            clocks = read_clocks(json.loads((folder / REPORT).read_text()))
            if all(clock.met for clock in clocks):
                break
            tried.append(f"{clocks[0].name} reaches {clocks[0].reached_mhz:.1f} MHz with seed {seed}")
            report(f"{label}: {tried[-1]}")
        else:
            raise TimingError(
                f"{label}: {clocks[0].wanted_mhz:g} MHz are not met: {'; '.join(tried)}. Take a smaller decoder, or a "
                "slower clock in the board's platform.py"
            )
        run("ecppack", pack, folder, label=label, timeout_s=timeout_s, report=report)
        for name in ("design.json", "board.config"):
            (folder / name).unlink()
        (folder / "seed").write_text(str(seed))
        for name in (BITSTREAM, SVF, REPORT, "seed"):
            seal(folder / name)

    recipe = [verilog, constraints, SCRIPT, *place, *pack, repr(asdict(device)), repr(SEEDS), *tools]
    entry, _ = cached(
        "bitstreams",
        content_key(recipe),
        built,
        intact=lambda entry: all(sealed(entry / name) for name in (BITSTREAM, SVF, REPORT, "seed")),
        report=report,
    )
    content = json.loads((entry / REPORT).read_text())
    return Bitstream(entry, read_clocks(content), read_resources(content), int((entry / "seed").read_text()))


def read_clocks(content: Mapping[str, Any]) -> tuple[Clock, ...]:
    """Clocks of nextpnr's JSON report, slowest margin first.

    Raises SynthesisError: there is none, so that nothing is known of the timing.
    """
    clocks = [
        Clock(re.sub(r"^\$glbnet\$|\$TRELLIS_IO_IN$", "", name), clock["constraint"], clock["achieved"])
        for name, clock in content["fmax"].items()
    ]
    if not clocks:
        raise SynthesisError("nextpnr's report has no clock, so that timing is not known; read report.json")
    return tuple(sorted(clocks, key=lambda clock: clock.reached_mhz / clock.wanted_mhz))


def read_resources(content: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Used and available cells of nextpnr's JSON report, those of `RESOURCES`."""
    cells = content["utilization"]
    return {name: (cells[cell]["used"], cells[cell]["available"]) for name, cell in RESOURCES.items()}


def pin_constraints(pins: Iterable[Mapping[str, Any]], clocks: Mapping[str, float]) -> str:
    """LPF of a board.

    pins: {"port", "site", "standard", "extra": other attributes as Lattice writes them} each.
    clocks: port -> MHz.
    """
    lines = ["BLOCK RESETPATHS;", "BLOCK ASYNCPATHS;"]
    for pin in pins:
        attributes = [f"IO_TYPE={pin['standard']}", *pin["extra"]]
        lines.append(f'LOCATE COMP "{pin["port"]}" SITE "{pin["site"]}";')
        lines.append(f'IOBUF PORT "{pin["port"]}" {" ".join(attributes)};')
    lines += [f'FREQUENCY PORT "{port}" {mhz:g} MHz;' for port, mhz in clocks.items()]
    return "\n".join(lines) + "\n"
