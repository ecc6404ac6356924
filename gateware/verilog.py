# SPDX-License-Identifier: BSD-2-Clause
"""Verilog of large Migen designs in linear time.

Migen sorts combinational statements into groups that share targets by comparing each statement with every group so
far: quadratic, minutes for a decoder of 500 edges. `linear_grouping` replaces that step by a union-find over the
targets, with the same groups in the same order.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from litex.gen.fhdl import verilog as litex_verilog
from migen.fhdl.structure import Signal
from migen.fhdl.tools import flat_iteration, list_targets


def group_by_targets(statements: Iterable[Any]) -> list[tuple[set[Signal], list[Any]]]:
    """Groups of (targets, statements): two statements share a group if a chain of common targets joins them.

    Statements keep their order within a group; groups are in the order of their last statements.
    """
    parent: list[int] = []
    group_of: dict[Signal, int] = {}

    def find(group: int) -> int:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    flat = list(flat_iteration(statements))
    targets = [list_targets(statement) for statement in flat]
    for order, signals in enumerate(targets):
        parent.append(order)
        for signal in signals:
            # The later statement is the root, so that a root is the last statement of its group.
            parent[find(group_of.setdefault(signal, order))] = order
    groups: dict[int, tuple[set[Signal], list[Any]]] = {}
    for order, statement in enumerate(flat):
        members = groups.setdefault(find(order), (set(), []))
        members[0].update(targets[order])
        members[1].append(statement)
    return [groups[root] for root in sorted(groups)]


@contextmanager
def linear_grouping() -> Iterator[None]:
    """LiteX's Verilog back end uses `group_by_targets` of this module while the context lasts."""
    original = litex_verilog.group_by_targets
    litex_verilog.group_by_targets = group_by_targets
    try:
        yield
    finally:
        litex_verilog.group_by_targets = original


def convert(*arguments: Any, **options: Any) -> Any:
    """`litex.gen.fhdl.verilog.convert` with linear grouping."""
    with linear_grouping():
        return litex_verilog.convert(*arguments, **options)
