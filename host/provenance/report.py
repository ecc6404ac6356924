# SPDX-License-Identifier: BSD-2-Clause
"""`triplane report RUN`: a run's evidence, verified, for people and for programs."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triplane.host.provenance.store import Store
from triplane.host.provenance.verification import Verification, verify_run

GOOD = "[green]verified[/green]"
BAD = "[bold red]DAMAGED[/bold red]"
UNKNOWN = "[yellow]unknown[/yellow]"


def show(
    run: str, *, as_json: bool = False, store: Store | None = None, console: Console | None = None
) -> None:
    """Verify a run and print what it is made of.

    run: id, or the first digits of one. as_json: print one JSON object instead of tables.

    Raises ProvenanceError, after printing, where an object is damaged or missing; before, where ledger or manifest is.
    """
    show_verified(verify_run(run, store), as_json=as_json, console=console)


def show_verified(found: Verification, *, as_json: bool = False, console: Console | None = None) -> None:
    """Print a run that was verified; as `show`."""
    if as_json:
        print(json.dumps(as_dict(found), indent=2))
    else:
        _print(found, console or Console())
    if found.problems:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        first = next(iter(found.problems.values()))
        raise type(first)(f"run {found.run[:12]}: {first}{more}")


def as_dict(found: Verification) -> dict[str, Any]:
    """{"run", "verified", "problems", "ledger": {...}, "signature": {...}, "manifest": {...}} as plain JSON values."""
    return {
        "run": found.run,
        "verified": not found.problems,
        "problems": {name: str(error) for name, error in found.problems.items()},
        "ledger": {
            "seq": found.entry.seq,
            "entries": len(found.chain.entries),
            "entry_hash": found.entry.hash,
            "head": found.chain.head,
            "torn_bytes": len(found.chain.torn),
        },
        "signature": found.signature
        and {
            **found.signature.model_dump(),
            "fingerprint": found.signature.fingerprint,
            "signer": found.signer,
        },
        "manifest": found.manifest.model_dump(),
    }


def _print(found: Verification, console: Console) -> None:
    manifest = found.manifest
    console.print(f"run [bold]{found.run}[/bold]\n", highlight=False, soft_wrap=True)
    facts = Table.grid(padding=(0, 2))  # narrow: a whole hash fits beside the longest name in 80 columns
    facts.add_column("fact", style="cyan", no_wrap=True)
    facts.add_column("value", overflow="fold")
    for name, value in _facts(found):
        facts.add_row(name, escape(value))
    console.print(facts)
    console.print()
    console.print(_evidence(found))
    for table in _chain(manifest.result):
        console.print(table)
    result = Table(box=box.SIMPLE_HEAD, title="result", title_justify="left", title_style="bold")
    result.add_column("figure", style="cyan", overflow="fold")
    result.add_column("value", overflow="fold")
    shown = {
        name: value for name, value in manifest.result.items() if name not in ("chain", "slowest_decision")
    }
    for name, value in flatten(shown):
        result.add_row(escape(name), escape(value))
    if result.row_count:
        console.print(result)
    if found.chain.torn:
        console.print(
            f"[yellow]the ledger ends with {len(found.chain.torn)} bytes of an unfinished line: a run was interrupted "
            "while it was recorded. No recorded run is affected; the next run moves them aside.[/yellow]"
        )
    if not found.problems:
        console.print(
            f"every byte {GOOD}; ledger's newest hash: {found.chain.head}", highlight=False, soft_wrap=True
        )


def _facts(found: Verification) -> Iterator[tuple[str, str]]:
    manifest = found.manifest
    yield "created", manifest.created
    yield "command", shlex.join(manifest.command)
    if manifest.model is not None:
        yield "model", manifest.model
    for group in ("tables", "gateware", "seeds", "parameters"):
        values = [f"{name} {value}" for name, value in flatten(getattr(manifest, group))]
        if values:
            # Hashes are copied whole, so each has a line of its own.
            yield group, ("\n" if group in ("tables", "gateware") else ", ").join(values)
    if manifest.git is not None:
        yield (
            "checkout",
            manifest.git.commit + (" with changes that no commit has" if manifest.git.dirty else ""),
        )
    yield "host", ", ".join(f"{name} {value}" for name, value in flatten(manifest.host))
    yield "packages", f"{len(manifest.packages)}, listed with --json"


def _evidence(found: Verification) -> Table:
    """What was checked, one row each."""
    table = Table(box=box.SIMPLE_HEAD, title="evidence", title_justify="left", title_style="bold")
    table.add_column("what", style="cyan")
    table.add_column("SHA-256", no_wrap=True)
    table.add_column("bytes", justify="right")
    table.add_column("from", overflow="fold")
    table.add_column("state", no_wrap=True)
    lines = len(found.chain.entries)
    table.add_row("ledger", found.entry.hash[:12], "", f"line {found.entry.seq + 1} of {lines}", GOOD)
    table.add_row("manifest", found.run[:12], f"{len(found.manifest.to_bytes()):,}", "", GOOD)
    if found.signature is None:
        table.add_row("signature", "", "", "none: deleted, or of an earlier version", UNKNOWN)
    else:
        signer = f"signed by {found.signer}" if found.signer else "the signer is unknown here"
        state = GOOD if found.signer else UNKNOWN
        table.add_row("signature", found.signature.fingerprint, "", escape(signer), state)
    for kind, name, artefact in found.objects:
        table.add_row(
            f"{kind} {escape(name)}",
            artefact.sha256[:12],
            f"{artefact.bytes:,}",
            escape(artefact.source),
            BAD if artefact.sha256 in found.problems else GOOD,
        )
    return table


def _chain(result: Mapping[str, Any]) -> Iterator[Table]:
    """Of a run of circuits: which level was made of which, and the way of the slowest decision."""
    if result.get("chain"):
        table = Table(
            box=box.SIMPLE_HEAD, title="circuits, each level made of the one before", title_justify="left"
        )
        table.title_style = "bold"
        for column in ("what", "circuit", "transpiled", "scheduled", "program", "shot / us", "decisions"):
            table.add_column(column, style="cyan" if column == "what" else "", overflow="fold")
        for entry in result["chain"].values():
            hashes = (name[:8] for name in entry["levels"])
            table.add_row(
                escape(entry["name"]), *hashes, f"{entry['shot_us']:.2f}", str(entry["feed_forward"])
            )
        yield table
    if result.get("slowest_decision"):
        table = Table(box=box.SIMPLE_HEAD, title="slowest decision", title_justify="left", title_style="bold")
        for column in ("stage", "cycles", "ns", ""):
            table.add_column(column, justify="right" if column in ("cycles", "ns") else "left")
        for entry in result["slowest_decision"]:
            table.add_row(entry["stage"], str(entry["cycles"]), f"{entry['ns']:g}", entry["kind"])
        yield table


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of JSON values as (dotted name, text); short lists of numbers stay on one line."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for index, item in enumerate(value):
            yield from flatten(item, f"{prefix}[{index}]")
    elif isinstance(value, list):
        yield prefix, ", ".join(_text(item) for item in value)
    else:
        yield prefix, _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
