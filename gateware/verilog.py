# SPDX-License-Identifier: BSD-2-Clause
"""Verilog of large Migen designs in linear time.

Migen sorts combinational statements into groups that share targets by comparing each statement with every group so
far, and LiteX then builds the text by appending to one string: both quadratic, minutes for a decoder of 500 edges.
`linear_time` replaces these steps by a union-find over the targets and by a list of parts. The text stays the same.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
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


def _combinatorial_logic(fragment: Any, names: Any) -> str:
    """LiteX's `_generate_combinatorial_logic_synth`, part by part."""
    v = litex_verilog
    parts: list[str] = []
    for targets, statements in group_by_targets(fragment.comb):
        if v._use_wire(statements):
            parts += ["assign ", v._generate_node(names, v.AssignType.BLOCKING, 0, statements[0])]
            continue
        parts.append("always @(*) begin\n")
        for target in sorted(targets, key=names.get_name):
            reset = v._generate_expression(names, target.reset)[0]
            parts.append(f"{v._tab}{names.get_name(target)} <= {reset};\n")
        parts += [v._generate_node(names, v.AssignType.NON_BLOCKING, 1, statements), "end\n"]
    return "".join(parts) + "\n"


@contextmanager
def linear_time() -> Iterator[None]:
    """LiteX's Verilog back end uses the functions of this module while the context lasts."""
    replacements = {
        "group_by_targets": group_by_targets,
        "_generate_combinatorial_logic_synth": _combinatorial_logic,
    }
    originals = {name: getattr(litex_verilog, name) for name in replacements}
    for name, function in replacements.items():
        setattr(litex_verilog, name, function)
    try:
        yield
    finally:
        for name, function in originals.items():
            setattr(litex_verilog, name, function)


def without_comments(text: str) -> str:
    """LiteX's Verilog without its comments: they hold the date, and the hierarchy of the last SoC of the process."""
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return "".join(f"{line}\n" for line in code.splitlines() if line.strip() and not line.startswith("//"))


def with_contents(text: str, data_files: Mapping[str, str]) -> str:
    """Verilog in which memories hold their contents, instead of reading them from files of its working folder.

    data_files: name -> words of the memory in hexadecimal, one a line, as LiteX hands them out.

    Raises ValueError where a file is not read by the text, or a file that it reads is not there.
    """
    unread = set(data_files)

    def inline(found: re.Match[str]) -> str:
        name, memory = found["file"], found["memory"]
        if name not in data_files:
            raise ValueError(
                f"the Verilog reads {name}, which is not among {', '.join(data_files) or 'no files'}"
            )
        unread.discard(name)
        words = data_files[name].split()
        bits = 4 * max(map(len, words))
        packed = "".join(word.zfill(bits // 4) for word in reversed(words))
        contents = f"{memory}_contents"
        return (
            f"localparam [{bits * len(words) - 1}:0] {contents} = {bits * len(words)}'h{packed};\n"
            f"integer {memory}_row;\n"
            f"initial for ({memory}_row = 0; {memory}_row < {len(words)}; {memory}_row = {memory}_row + 1)\n"
            f"\t{memory}[{memory}_row] = {contents}[{bits} * {memory}_row +: {bits}];\n"
        )

    result = re.sub(
        r'initial begin\s*\$readmemh\("(?P<file>[^"]+)", *(?P<memory>\w+)\);\s*end\n', inline, text
    )
    if unread:
        raise ValueError(f"nothing reads the contents {', '.join(sorted(unread))}")
    return result


def convert(*arguments: Any, **options: Any) -> Any:
    """`litex.gen.fhdl.verilog.convert` in linear time."""
    with linear_time():
        return litex_verilog.convert(*arguments, **options)
