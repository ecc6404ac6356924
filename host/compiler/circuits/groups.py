# SPDX-License-Identifier: BSD-2-Clause
"""Groups of channels that a circuit's events go to, as they are met."""

from __future__ import annotations

from collections.abc import Sequence


class Groups:
    """Names of groups, and the directives that make them."""

    def __init__(self) -> None:
        self._directives: dict[str, str] = {}

    @property
    def directives(self) -> list[str]:
        """Lines that stand before the program."""
        return list(self._directives.values())

    def drive(self, channel: int) -> str:
        """Of one drive channel."""
        name = f"drive_{channel}"
        self._directives[name] = f".group {name}, {channel}"
        return name

    def line(self, channel: int, slots: Sequence[int]) -> str:
        """Of a readout line; a CAPTURE to it arms the slots."""
        name = f"line_{channel}_" + "_".join(map(str, slots))
        self._directives[name] = f".group {name}, {channel} arms {', '.join(map(str, slots))}"
        return name
