# SPDX-License-Identifier: BSD-2-Clause
"""Stack and longest path of a linked image, from its instructions: what the compiler emitted, not what was written.

The call graph must be known and without a cycle, and every loop must have a bound (`BOUND` in machine.h): in the
source, so that no loop lives by the bound of another one, and in the object code, where the bounds are read. Then the
deepest stack is the heaviest path in the call graph, and the longest path of a function is that of its control flow
with every loop replaced by bound + 1 times the longest way through its body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from triplane.firmware.elf import Elf, Function
from triplane.firmware.instructions import BYTES, RA, Instruction, decode

BOUND_BYTES = 8
FOREVER = 0
"""Bound of a loop that is not meant to end: one turn of it counts."""


class AnalysisError(ValueError):
    """The image has something that cannot be bounded; the text says where, and what to change."""


def check_source(name: str, text: str) -> None:
    """Raise AnalysisError where a loop of a C file does not begin with its bound."""
    # Comments and strings may say anything; lines stay lines.
    code = re.sub(
        r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL
    )
    for loop in re.finditer(r"\b(?:for|while|do|goto)\b", code):
        if not re.match(r"(?:for|while|do)\b[^{};]*(?:;[^{};]*;[^{};]*)?\{\s*BOUND\(", code[loop.start() :]):
            line = code[: loop.start()].count("\n") + 1
            raise AnalysisError(
                f"{name}:{line}: {loop[0]} without BOUND(...) as the first statement of its body"
            )


@dataclass
class Flow:
    """Control flow of one function.

    Attributes:
        function: its name and addresses.
        entry: address of its first instruction.
        successors: address -> addresses that may come next in the function.
        calls: address of a call -> function called.
        frame: bytes of the stack that it takes itself.
    """

    function: Function
    entry: int
    successors: dict[int, list[int]] = field(default_factory=dict)
    calls: dict[int, str] = field(default_factory=dict)
    frame: int = 0


class Program:
    """The functions of an image, with their flow.

    Args:
        elf: linked image.

    Raises:
        AnalysisError: an instruction that is not RV32I, a jump to a register, a stack pointer that is computed.
    """

    def __init__(self, elf: Elf) -> None:
        text = elf.sections[".text"]
        self.functions = {f.name: f for f in elf.functions if f.end > f.start}
        self._starts = {f.start: f.name for f in self.functions.values()}
        # A program without loops has no such section.
        raw = elf.sections[".bounds"].content if ".bounds" in elf.sections else b""
        self.bounds: dict[int, list[int]] = {}
        for k in range(0, len(raw), BOUND_BYTES):
            address, bound = (int.from_bytes(raw[k + half : k + half + 4], "little") for half in (0, 4))
            self.bounds.setdefault(address, []).append(bound)
        code = {i.address: i for i in decode(text.content, text.address)}
        self.flows = {name: self._flow(function, code) for name, function in self.functions.items()}

    def _flow(self, function: Function, code: Mapping[int, Instruction]) -> Flow:
        flow = Flow(function, function.start)
        inside = range(function.start, function.end, BYTES)
        for address in inside:
            here = code[address]
            place = f"{function.name}+{address - function.start:#x}"
            if not here.valid:
                raise AnalysisError(
                    f"{place}: {here.word:#010x} is no instruction of RV32I; the processor has no multiplier and no "
                    "compressed instructions"
                )
            change = here.stack_change
            if change is None and function.name != "begin":
                raise AnalysisError(f"{place}: the stack pointer is computed; use arrays of constant size")
            # All that is ever taken, also where it is taken in parts: never too little.
            flow.frame += max(-(change or 0), 0)
            following = [address + BYTES]
            if here.branches:
                following.append(here.target)
            elif here.jumps or here.jumps_to_register:
                target = here.target if here.jumps else self._far_target(here, code)
                if here.returns:
                    following = []
                elif target is None:
                    raise AnalysisError(
                        f"{place}: a jump to a register; no function pointers, and -fno-jump-tables"
                    )
                elif target in inside and here.rd == 0:
                    following = [target]
                elif target in self._starts:
                    flow.calls[address] = self._starts[target]
                    # A call without a link is the last thing that a function does.
                    following = [address + BYTES] if here.rd == RA else []
                else:
                    raise AnalysisError(f"{place}: a jump into the middle of another function, {target:#x}")
            flow.successors[address] = [target for target in following if target in inside]
        return flow

    @staticmethod
    def _far_target(here: Instruction, code: Mapping[int, Instruction]) -> int | None:
        """Of the second half of `auipc` and `jalr`."""
        before = code.get(here.address - BYTES)
        if before is None or before.upper is None or before.rd != here.rs1:
            return None
        return (before.upper + here.immediate) & 0xFFFFFFFF

    def callees(self, name: str) -> set[str]:
        """Functions that a function calls."""
        return set(self.flows[name].calls.values())

    def order(self, root: str) -> list[str]:
        """Functions reached from one, each after those that it calls.

        Raises AnalysisError, with the cycle, where a function calls itself, directly or not.
        """
        done: list[str] = []
        path: list[str] = []

        def visit(name: str) -> None:
            if name in path:
                raise AnalysisError(f"recursion: {' -> '.join([*path[path.index(name) :], name])}")
            if name in done:
                return
            path.append(name)
            for callee in sorted(self.callees(name)):
                visit(callee)
            path.pop()
            done.append(name)

        visit(root)
        return done

    def stack_bytes(self, root: str) -> int:
        """Most bytes of stack that a function takes, with all that it calls."""
        depth: dict[str, int] = {}
        for name in self.order(root):
            depth[name] = self.flows[name].frame + max((depth[c] for c in self.callees(name)), default=0)
        return depth[root]

    def longest_path(self, root: str) -> int:
        """Most instructions from the start of a function to its end, with all that it calls."""
        longest: dict[str, int] = {}
        for name in self.order(root):
            flow = self.flows[name]
            weights = {a: 1 + longest.get(flow.calls.get(a, ""), 0) for a in flow.successors}
            longest[name] = self._longest(name, flow.successors, flow.entry, weights)
        return longest[root]

    def _longest(
        self, name: str, successors: Mapping[int, list[int]], entry: int, weights: Mapping[int, int]
    ) -> int:
        """Heaviest way through a piece of control flow, from `entry` to wherever."""
        components = strong_components(successors, entry)
        best: dict[int, int] = {}  # component -> heaviest way from its beginning on
        component_of = {node: number for number, nodes in enumerate(components) for node in nodes}
        for number, nodes in enumerate(components):  # those that come last in the flow are first
            leaving = [
                best[component_of[target]]
                for node in nodes
                for target in successors[node]
                if component_of[target] != number
            ]
            best[number] = self._weight(name, successors, entry, nodes, weights) + max(leaving, default=0)
        return best[component_of[entry]]

    def _weight(
        self,
        name: str,
        successors: Mapping[int, list[int]],
        entry: int,
        nodes: set[int],
        weights: Mapping[int, int],
    ) -> int:
        (node, *others) = nodes
        if not others and node not in successors[node]:
            return weights[node]
        heads = {t for n, ts in successors.items() if n not in nodes for t in ts if t in nodes}
        heads |= {entry} & nodes
        offset = min(nodes) - self.functions[name].start
        if len(heads) != 1:
            raise AnalysisError(f"{name}+{offset:#x}: a loop with {len(heads)} entries; it has no bound")
        (head,) = heads
        if sum(head in successors[n] for n in nodes) > 1:
            raise AnalysisError(
                f"{name}+{offset:#x}: two ways back to one beginning may be two loops, one of them without a "
                "bound; make BOUND(...) the first statement of both, and do without continue"
            )
        # One turn: the loop's nodes without the way back to its head.
        turn = {n: [t for t in successors[n] if t in nodes and t != head] for n in nodes}
        inner = {n for part in strong_components(turn, head) if len(part) > 1 for n in part}
        inner |= {n for n in nodes if n in turn[n]}
        bounds = [bound for n in nodes - inner for bound in self.bounds.get(n, ())]
        if not bounds:
            raise AnalysisError(
                f"{name}+{offset:#x}: a loop without a bound; make BOUND(...) the first statement of its body"
            )
        times = max(bounds) + 1 if FOREVER not in bounds else 1
        return times * self._longest(name, turn, head, weights)


def strong_components(successors: Mapping[int, Iterable[int]], root: int) -> list[set[int]]:
    """Strongly connected components reached from `root`, each after those that it leads to (Tarjan, 1972)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    result: list[set[int]] = []
    work = [(root, iter(successors[root]))]
    index[root] = low[root] = 0
    stack.append(root)
    on_stack.add(root)
    while work:
        node, targets = work[-1]
        for target in targets:
            if target not in index:
                index[target] = low[target] = len(index)
                stack.append(target)
                on_stack.add(target)
                work.append((target, iter(successors[target])))
                break
            if target in on_stack:
                low[node] = min(low[node], index[target])
        else:
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == index[node]:
                place = stack.index(node)
                component = set(stack[place:])
                del stack[place:]
                on_stack -= component
                result.append(component)
    return result
