# SPDX-License-Identifier: BSD-2-Clause
"""What PUBs of both primitives share: points of their sweeps, and how they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.primitives.containers.bindings_array import BindingsArray

from triplane.host.compiler.circuits import CircuitError

Array: TypeAlias = npt.NDArray[Any]


def table(circuit: QuantumCircuit, bindings: BindingsArray) -> npt.NDArray[np.float64]:
    """Values of all parameters, in the order of `circuit.parameters`: float64 (places, parameters).

    Raises:
        CircuitError: one is not finite, or one is missing.
    """
    names = [parameter.name for parameter in circuit.parameters]
    try:
        values = bindings.as_array(circuit.parameters)
    except ValueError as error:
        raise CircuitError(
            f"values are not of the circuit's parameters, {', '.join(names)}: {error}"
        ) from error
    found: npt.NDArray[np.float64] = values.reshape(bindings.size, len(names))
    for place, number in np.argwhere(~np.isfinite(found)):
        raise CircuitError(
            f"parameter {names[number]!r} is {found[place, number]} at point {place}; give it a finite number"
        )
    return found


def points(circuit: QuantumCircuit, bindings: BindingsArray) -> list[dict[str, float]]:
    """Values of all parameters by name, for every place of a bindings array in the order of its elements.

    Raises:
        CircuitError: as `table`.
    """
    names = [parameter.name for parameter in circuit.parameters]
    return [dict(zip(names, row, strict=True)) for row in table(circuit, bindings).tolist()]


def kept(number: int, bindings: BindingsArray) -> tuple[list[list[str]], dict[str, Array]]:
    """Names of the parameters of a PUB's arrays, and the arrays by the names that they are kept under."""
    names = [list(keys) for keys in bindings.data]
    arrays = {f"values-{number}-{k}": values for k, values in enumerate(bindings.data.values())}
    # Also of no parameters, where the shape is all there is
    arrays[f"shape-{number}"] = np.array(bindings.shape, dtype=np.int64)
    return names, arrays


def restored(number: int, names: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> BindingsArray:
    """The bindings array of a PUB that was kept."""
    data = {tuple(keys): arrays[f"values-{number}-{k}"] for k, keys in enumerate(names)}
    return BindingsArray(data, shape=tuple(int(size) for size in arrays[f"shape-{number}"]))
