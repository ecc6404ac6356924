# SPDX-License-Identifier: BSD-2-Clause
"""What commands share: where to write, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import typer


class Outputs(NamedTuple):
    """Where to write, resolved once; None where nothing is asked for."""

    json_file: Path | None
    plot: Path | None
    vcd: Path | None

    def check(self, inputs: Iterable[Path] = ()) -> None:
        """Refuse two outputs in one file, and an output that is an input."""
        from triplane.host.outputs import check_distinct

        named = zip(("--json", "--plot", "--vcd"), self, strict=True)
        check_distinct([(option, path) for option, path in named if path is not None], inputs)


def resolve_outputs(json_file: Path | None, plot: Path | None = None, vcd: Path | None = None) -> Outputs:
    """Paths as they will be written, refused now where they cannot be."""
    from triplane.host.outputs import check_figure, resolve_output

    if plot is not None:
        check_figure(plot)
    outputs = Outputs(*(None if path is None else resolve_output(path) for path in (json_file, plot, vcd)))
    outputs.check()
    return outputs


@contextmanager
def errors(
    stopped: str = "cancelled: the board is closed and no file is left half written",
) -> Iterator[None]:
    """Turn errors that a person can act on into one message and exit code 1, and Ctrl-C into `stopped` and 130.

    What is not expected keeps its traceback: it is a fault of ours, and the traceback is what a report of it
    needs.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except Exception as error:
        if os.environ.get("TRIPLANE_TRACEBACK") or not is_expected(error):
            raise
        from triplane.host.outputs import explain

        print(f"error: {explain(error) if isinstance(error, OSError) else error}", file=sys.stderr)
        raise typer.Exit(1) from None


def is_expected(error: Exception) -> bool:
    """Errors whose message is written for people: those of the operating system, and those this project
    defines.
    """
    return isinstance(error, OSError) or any(
        kind.__module__.startswith("triplane.") for kind in type(error).__mro__
    )
