# SPDX-License-Identifier: BSD-2-Clause
"""Commands that make a board's bundle and bring it into the board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from triplane.host.cli.app import app
from triplane.host.cli.common import errors, resolve_outputs
from triplane.host.cli.options import Json

if TYPE_CHECKING:
    from triplane.host.building import Bundle

BoardName = Literal["ecpix5", "zcu216", "rfsoc4x2", "zcu111"]


@app.command(
    epilog="Examples:\n\n"
    "triplane build ecpix5\n\n"
    "triplane build zcu216 --distance 5 --output zcu216-d5\n\n"
    "triplane build zcu216 --distance 5 --output zcu216-d5-ready --collect zcu216-d5/project/out"
)
def build(
    board: Annotated[BoardName, typer.Argument(metavar="BOARD", help="ecpix5, zcu216, rfsoc4x2 or zcu111.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="DIR", show_default="BOARD-dDISTANCE", help="Where the bundle goes."
        ),
    ] = None,
    distance: Annotated[
        int, typer.Option("--distance", min=3, help="Of the surface code that the decoder decodes, odd.")
    ] = 3,
    collect: Annotated[
        Path | None,
        typer.Option(
            "--collect",
            metavar="DIR",
            show_default=False,
            help="Folder `out` that Vivado left in the project of an earlier bundle: its bitstream and hwh.",
        ),
    ] = None,
    json_file: Json = None,
) -> None:
    """Build a board's gateware into a bundle: bitstream, register map, descriptor, firmware, hashes.

    For the ECPIX-5 the bitstream is made here, by Yosys and nextpnr from PyPI (extra `synth`), and its timing is met or
    there is no bundle. For RFSoC boards the bundle holds a Vivado project; run Vivado on it, then `--collect`. What was
    built once is taken from the cache.
    """
    with errors():
        from triplane.host.building import build_bundle
        from triplane.host.outputs import write_json
        from triplane.host.replay.progress import ProgressView

        outputs = resolve_outputs(json_file)
        folder = output or Path(f"{board}-d{distance}")
        with ProgressView() as view:
            bundle = build_bundle(board, folder, distance=distance, collect=collect, report=view.step)
        _show(bundle)
        if outputs.json_file is not None:
            write_json(outputs.json_file, bundle.manifest.model_dump(mode="json"))


@app.command(epilog="Examples:\n\ntriplane flash ecpix5-d3\n\ntriplane flash zcu216-d5-ready --host 10.0.0.7")
def flash(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Folder that `triplane build` wrote.", show_default=False)
    ],
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="H",
            show_default="an ECP5 board's own address",
            help="Name or address of the board: for ssh, and to ask it what it carries.",
        ),
    ] = None,
    user: Annotated[str, typer.Option("--user", help="Of the board, for ssh; may load overlays.")] = "root",
    permanent: Annotated[
        bool,
        typer.Option("--permanent", help="Into the flash memory of an ECP5 board, not only into the device."),
    ] = False,
) -> None:
    """Bring a bundle into a board, after verifying every byte of it, and ask the board what it now carries.

    By openFPGALoader for the ECPIX-5, by ssh and scp for boards under PYNQ. Nothing but the bundle's build hash and
    version is an answer: anything else is an error that says what to do.
    """
    with errors():
        from triplane.host.building import load_bundle
        from triplane.host.building.flash import flash as bring
        from triplane.host.replay.progress import ProgressView

        found = load_bundle(bundle)
        with ProgressView() as view:
            bring(found, host, user=user, permanent=permanent, report=view.step)
        print(f"{found.manifest.board} carries build {found.manifest.build_hash[:12]}")


def _show(bundle: Bundle) -> None:
    from rich.console import Console
    from rich.table import Table

    manifest = bundle.manifest
    table = Table(title=f"{manifest.board}, d={manifest.distance}, {manifest.part}")
    for column, justify in (("", "left"), ("reached", "right"), ("of", "right"), ("", "left")):
        table.add_column(column, justify="right" if justify == "right" else "left")
    for clock in manifest.clocks:
        met = "met" if clock.reached_mhz >= clock.wanted_mhz else "missed"
        table.add_row(f"clock {clock.name}", f"{clock.reached_mhz:.1f} MHz", f"{clock.wanted_mhz:g} MHz", met)
    for resource in manifest.resources:
        share = f"{resource.used / resource.available:.0%}" if resource.available else ""
        table.add_row(resource.name, f"{resource.used:g}", str(resource.available or ""), share)
    console = Console(highlight=False, soft_wrap=True)
    if table.row_count:
        console.print(table)
    console.print(f"bundle: {bundle.folder}, build {manifest.build_hash[:12]}, {len(manifest.files)} files")
    if manifest.bitstream is None:
        console.print(
            f"no bitstream yet: run `vivado -mode batch -source build.tcl` in {bundle.folder}/project (elsewhere, if "
            "Vivado is elsewhere), then build again with --collect and the folder `out` that it leaves"
        )
