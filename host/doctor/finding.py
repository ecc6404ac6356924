# SPDX-License-Identifier: BSD-2-Clause
"""What a check says: plain words for a person, numbers for a program."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look."""

    FAILED = "failed"
    SKIPPED = "skipped"
    """It does not apply to this board, or could not be made; the text says why."""


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        status: how it ended.
        text: what was found, in a sentence.
        fix: what to do about it; empty where nothing is to be done.
        measured: name with its unit -> number.
    """

    status: Status
    text: str
    fix: str = ""
    measured: dict[str, float | int | str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As in the file of `--json`."""
        return asdict(self) | {"status": str(self.status)}


def ok(text: str, **measured: float | int | str) -> Finding:
    """All is as it should be."""
    return Finding(Status.OK, text, measured=measured)


def failed(text: str, fix: str, **measured: float | int | str) -> Finding:
    """Something is wrong."""
    return Finding(Status.FAILED, text, fix, measured)


def warning(text: str, fix: str, **measured: float | int | str) -> Finding:
    """Something is odd."""
    return Finding(Status.WARNING, text, fix, measured)


def skipped(text: str, fix: str = "") -> Finding:
    """The check was not made."""
    return Finding(Status.SKIPPED, text, fix)
