# SPDX-License-Identifier: BSD-2-Clause
"""OpenQASM 3 programs with the distributions that were worked out by hand, in their comments.

`// expect: r=10 n=1 0.25` is the probability of one outcome of the outputs, the highest bit first; `// refused: TEXT`
is a part of the reason why a program is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from triplane.host.compiler.qasm import Program


@dataclass(frozen=True)
class Example:
    """A program.

    Attributes:
        name: of its file.
        source: its text.
        expected: outcome of the outputs -> probability.
        refusal: a part of the reason why it is refused; None if it runs.
    """

    name: str
    source: str
    expected: Mapping[str, float]
    refusal: str | None


def examples() -> list[Example]:
    """All of them, by name."""
    found = []
    for path in sorted(files(__package__).joinpath("programs").iterdir(), key=lambda path: path.name):
        source = path.read_text(encoding="utf-8")
        expected = {
            key: float(value) for key, value in re.findall(r"^// expect: (.*) (\S+)$", source, re.MULTILINE)
        }
        refusal = re.search(r"^// refused: (.*)$", source, re.MULTILINE)
        name = path.name.removesuffix(".qasm")
        found.append(Example(name, source, expected, refusal[1] if refusal else None))
    return found


def counted(program: Program, bits: npt.NDArray[np.bool_]) -> Counter[str]:
    """Outcomes of a program's outputs, of bool (shots, classical bits)."""
    registers = {register.name: register for register in program.circuit.cregs}
    places = {
        name: [program.circuit.find_bit(bit).index for bit in reversed(registers[name])]
        for name in program.outputs
    }
    return Counter(
        " ".join(f"{name}={''.join(map(str, row[columns]))}" for name, columns in places.items())
        for row in bits.astype(int)
    )
