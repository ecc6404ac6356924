# SPDX-License-Identifier: BSD-2-Clause
"""What a person can choose when a circuit is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.schedule import Alignment


@dataclass(frozen=True)
class Options:
    """Of the compiler.

    Attributes:
        optimization_level: of Qiskit's pass manager, 0 to 3; from 2 on layouts prefer better qubits.
        seed_transpiler: of its layout and routing.
        initial_layout: qubit of the device for each of the circuit's; None: the pass manager chooses.
        alignment: "alap": gates as late as what follows allows; "asap": as early as their qubits are free.
        reset_rounds: measurements and conditional pulses that a reset is made of.
        reset_first: every shot begins with a reset of the qubits that it uses; else they relax in `rest_cycles`.
        rest_cycles: between shots.
        refuse_late: refuse a circuit that takes more than a budget; else it is warned about where it is run.
        budget: share of the shorter of T1 and T2 of a qubit that feed-forward may take.
        duration_budget: share of the same for which a qubit may hold a state, from its first pulse to its readout.
        shot_limit_cycles: after which a shot counts as hanging; None: 50 times its estimate, which has one pass of each
            loop that depends on results.
    """

    optimization_level: int = 2
    seed_transpiler: int | None = 0
    initial_layout: tuple[int, ...] | None = None
    alignment: Alignment = "alap"
    reset_rounds: int = 1
    reset_first: bool = True
    rest_cycles: int = 0
    refuse_late: bool = False
    budget: float = 0.1
    duration_budget: float = 1.0
    shot_limit_cycles: int | None = None

    def __post_init__(self) -> None:
        if self.alignment not in ("asap", "alap"):
            raise CircuitError(f"alignment is 'asap' or 'alap', not {self.alignment!r}")
        for name in ("optimization_level", "reset_rounds", "rest_cycles", "shot_limit_cycles"):
            number = getattr(self, name)
            if number is not None and not isinstance(number, Integral):
                raise CircuitError(f"{name} is a whole number, not {number!r}")
        for name in ("budget", "duration_budget"):
            if not getattr(self, name) > 0:
                raise CircuitError(f"{name} is above 0, not {getattr(self, name)!r}")
        if self.optimization_level not in range(4):
            raise CircuitError(f"optimization_level is 0 to 3, not {self.optimization_level}")
        if self.reset_rounds < 1:
            raise CircuitError(f"reset_rounds is 1 or more, not {self.reset_rounds}")
        if self.shot_limit_cycles is not None and self.shot_limit_cycles < 1:
            raise CircuitError(f"shot_limit_cycles is 1 or more, not {self.shot_limit_cycles}")
        if self.rest_cycles < 0:
            raise CircuitError(f"rest_cycles is 0 or more, not {self.rest_cycles}")
