# SPDX-License-Identifier: BSD-2-Clause
"""The Pauli frame: corrections that are remembered instead of played, carried through the gates that follow."""

from __future__ import annotations

from collections.abc import Sequence

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import Case, Cat, If, Mux, Signal, bits_for

from triplane.gateware.decoder.graph import MAX_OBSERVABLES
from triplane.gateware.decoder.unionfind.tree import OrTree
from triplane.gateware.frame.layouts import BASES, BASIS_BITS, OPERATION_BITS, Z_BASIS, Operation
from triplane.gateware.frame.rows import CorrectionRows


class PauliFrame(LiteXModule):
    r"""A bit x and a bit z for each qubit, and one bit for each logical observable.

    The state of the processor is the wanted one times X on every qubit whose x is 1 and Z on every one whose z is 1. An
    operation changes the frame as its gate changes such a product by conjugation; signs do not matter. One operation
    is taken in each cycle, and the next one finds its result.

    ```
    cycle       0        1        2
    execute  __/‾‾\____________________
    chosen            | which qubits, one bit each
    x, z                       | after it: GATE_LATENCY = 2
    reinterpreted              | with it, in the same cycle as its bit: LATENCY = 0
    ```

    A correction means the state as it is when it reaches the frame. Whoever commands a gate whose order with a
    correction matters waits at the barrier of the rounds that the correction comes from.

    Args:
        slot_qubits: measurement slot -> the qubit that it reads, or None.
        qubits: physical qubits, logical ones as well where they are to be tracked through gates.
        observables: logical observables, 1 to 32.
        entries: rows of the table of physical corrections, a power of two; 0 for none.

    Attributes:
        execute: input; carry out
        operation: input, see `layouts.Operation`, on
        first, second: inputs; qubits, or for FLIP and FORGET the observable.
        flipped: input; add
        flips: input; observables that the decoder flips.
        bit: input; per slot a result of readout.
        reinterpreted: per slot the result as it would be without the frame.
        raw: input; measured parity of each observable.
        corrected: the same without the frame.
        x, z, logical: the frame.
        rows: table of physical corrections (`CorrectionRows`), None without.
        settled: no operation or correction is on its way.
        refused: 1 in the cycle after an operation that names no qubit, or one twice; it does nothing.
        clear: input; forget the frame. The register's restart does the same.
    """

    LATENCY = 0
    """Cycles from a result to its reinterpretation."""

    GATE_LATENCY = 2
    """Cycles from an operation to the frame after it."""

    FLIP_LATENCY = 1
    """Cycles from flips of observables to `logical` with them."""

    def __init__(
        self,
        slot_qubits: Sequence[int | None],
        qubits: int,
        *,
        observables: int = 1,
        entries: int = 0,
    ) -> None:
        if qubits < 1:
            raise ValueError(f"at least 1 qubit must be tracked, not {qubits}")
        if not 1 <= observables <= MAX_OBSERVABLES:
            raise ValueError(f"observables must be 1 to {MAX_OBSERVABLES}, not {observables}")
        for slot, qubit in enumerate(slot_qubits):
            if qubit is not None and not 0 <= qubit < qubits:
                raise ValueError(f"slot {slot} reads qubit {qubit}; there are {qubits}")
        if not slot_qubits:
            raise ValueError("at least one slot must be given, even if it reads no qubit")
        slots = len(slot_qubits)
        index_bits = bits_for(max(qubits, observables, 2) - 1)
        self.execute, self.operation = Signal(), Signal(OPERATION_BITS)
        self.first, self.second = Signal(index_bits), Signal(index_bits)
        self.flipped, self.flips = Signal(), Signal(observables)
        self.bit, self.reinterpreted = Signal(slots), Signal(slots)
        self.raw, self.corrected = Signal(observables), Signal(observables)
        self.x, self.z, self.logical = Signal(qubits), Signal(qubits), Signal(observables)
        self.rows = CorrectionRows(qubits, observables, entries) if entries else None
        self.settled, self.refused, self.clear = Signal(), Signal(), Signal()
        self._add_registers(slots)

        # # #

        clear = Signal()
        self.comb += clear.eq(self.clear | self._control.fields.restart)

        # Which qubits, which observable
        doing, operation = Signal(), Signal(OPERATION_BITS)
        a, b = Signal(qubits), Signal(qubits)
        observable, proper, double = Signal(observables), Signal(), Signal()
        on_logical = Signal()
        self.comb += [
            double.eq((self.operation == Operation.CX) | (self.operation == Operation.CZ)),
            on_logical.eq((self.operation == Operation.FLIP) | (self.operation == Operation.FORGET)),
            If(on_logical,
                proper.eq(self.first < observables),
            ).Elif(double,
                proper.eq((self.first < qubits) & (self.second < qubits) & (self.first != self.second)),
            ).Else(
                proper.eq((self.first < qubits) & (self.operation < len(Operation))),
            ),
        ]  # fmt: skip
        self.sync += [
            doing.eq(self.execute & proper & ~clear),
            self.refused.eq(self.execute & ~proper),
            operation.eq(self.operation),
            a.eq(Cat(*(self.first == q for q in range(qubits)))),
            b.eq(Cat(*(self.second == q for q in range(qubits)))),
            observable.eq(Cat(*(self.first == k for k in range(observables)))),
        ]

        # Their bits, and what changes: conjugation of X^x Z^z (Aaronson and Gottesman, PRA 70, 052328, 2004)
        of = {}
        for name, bits, chosen in (
            ("xa", self.x, a),
            ("za", self.z, a),
            ("xb", self.x, b),
            ("zb", self.z, b),
        ):
            masked = Signal(qubits)
            tree = OrTree(list(masked))
            self.submodules += tree
            self.comb += masked.eq(bits & chosen)
            of[name] = tree.output
        dxa, dza, dxb, dzb, dlogical = (Signal() for _ in range(5))
        effects = {
            Operation.X: [dxa.eq(1)],
            Operation.Y: [dxa.eq(1), dza.eq(1)],
            Operation.Z: [dza.eq(1)],
            Operation.H: [dxa.eq(of["xa"] ^ of["za"]), dza.eq(of["xa"] ^ of["za"])],
            Operation.S: [dza.eq(of["xa"])],
            Operation.CX: [dxb.eq(of["xa"]), dza.eq(of["zb"])],
            Operation.CZ: [dza.eq(of["xb"]), dzb.eq(of["xa"])],
            Operation.CLEAR: [dxa.eq(of["xa"]), dza.eq(of["za"])],
            Operation.FLIP: [dlogical.eq(1)],
            Operation.FORGET: [dlogical.eq((self.logical & observable) != 0)],
        }
        self.comb += If(doing, Case(operation, {int(key): effect for key, effect in effects.items()}))

        # The frame: the operation first, corrections of the same cycle after it
        cx, cz, cl = (self.rows.x, self.rows.z, self.rows.logical) if self.rows else (0, 0, 0)
        self.sync += [
            self.x.eq(self.x ^ Mux(dxa, a, 0) ^ Mux(dxb, b, 0) ^ cx),
            self.z.eq(self.z ^ Mux(dza, a, 0) ^ Mux(dzb, b, 0) ^ cz),
            self.logical.eq(
                self.logical ^ Mux(dlogical, observable, 0) ^ Mux(self.flipped, self.flips, 0) ^ cl
            ),
            If(clear, self.x.eq(0), self.z.eq(0), self.logical.eq(0)),
        ]
        self.comb += self.settled.eq(~doing & ~self.execute & ~self.flipped)
        if self.rows:
            self.comb += [
                self.rows.flipped.eq(self.flipped),
                self.rows.flips.eq(self.flips),
                self.rows.clear.eq(clear),
                self.settled.eq(~doing & ~self.execute & ~self.flipped & self.rows.settled),
            ]

        # Measurements
        for slot, qubit in enumerate(slot_qubits):
            turned = 0
            if qubit is not None:
                basis = Signal(BASIS_BITS, reset=Z_BASIS)
                self.sync += If(
                    self._basis.re & (self._basis.fields.slot == slot), basis.eq(self._basis.fields.basis)
                )
                turned = (basis[0] & self.x[qubit]) ^ (basis[1] & self.z[qubit])
            self.comb += self.reinterpreted[slot].eq(self.bit[slot] ^ turned)
        self.comb += self.corrected.eq(self.raw ^ self.logical)

        self.comb += [
            self._x_bits.status.eq(self.x),
            self._z_bits.status.eq(self.z),
            self._logical.status.eq(self.logical),
            self._status.fields.settled.eq(self.settled),
        ]
        self.sync += [
            If(self.refused, self._refused.status.eq(self._refused.status + 1)),
            If(clear, self._refused.status.eq(0)),
        ]

    def _add_registers(self, slots: int) -> None:
        self._control = CSRStorage(
            fields=[
                CSRField("restart", pulse=True, description="Forget the frame and the counters; tables stay.")
            ],
            description="Start afresh.",
        )
        self._status = CSRStatus(
            fields=[CSRField("settled", description="No operation or correction is on its way.")],
            description="State of the frame.",
        )
        self._basis = CSRStorage(
            fields=[
                CSRField("slot", size=16, description="Measurement slot."),
                CSRField(
                    "basis",
                    size=BASIS_BITS,
                    description="Basis of its measurement, by which the frame turns its result over.",
                    values=[(f"``0b{k:02b}``", meaning) for k, meaning in enumerate(BASES)],
                ),
            ],
            description=f"A write sets the basis of one of {slots} slots; Z out of reset.",
        )
        self._x_bits = CSRStatus(len(self.x), description="Qubits with an X in the frame, bit k = qubit k.")
        self._z_bits = CSRStatus(len(self.z), description="Qubits with a Z in the frame, bit k = qubit k.")
        self._logical = CSRStatus(len(self.logical), description="Observables that the frame flips.")
        self._refused = CSRStatus(
            32, description="Operations since the last restart that named no qubit, or one twice."
        )
