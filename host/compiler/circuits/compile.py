# SPDX-License-Identifier: BSD-2-Clause
"""The compiler's front door: from a Qiskit circuit to a control program, with all levels between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.shape import FabricShape
from triplane.hal.device import Device
from triplane.hal.errors import ProgramError
from triplane.host.compiler.alignment import aligned
from triplane.host.compiler.carriers import Carriers
from triplane.host.compiler.circuits.checks import check_circuit, longest_delay
from triplane.host.compiler.circuits.compiled import CompiledCircuit, control_program
from triplane.host.compiler.circuits.emission import Emission
from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.estimate import estimated
from triplane.host.compiler.circuits.lateness import Late
from triplane.host.compiler.circuits.lowering import Lowering
from triplane.host.compiler.circuits.options import Options
from triplane.host.compiler.circuits.registers import Registers
from triplane.host.compiler.circuits.tables import Tables
from triplane.host.compiler.circuits.target import transpiled
from triplane.host.compiler.circuits.tree import Node


def compile_circuit(
    circuit: QuantumCircuit, device: Device, shape: FabricShape, options: Options | None = None
) -> CompiledCircuit:
    """Compile a circuit for a device behind a board of a shape.

    Raises:
        CircuitError: it cannot be played; the message names instruction or resource, need and limit.
    """
    options = options or Options()
    check_circuit(circuit, shape.program_words)
    try:
        mapped = transpiled(
            circuit,
            device,
            optimization_level=options.optimization_level,
            seed=options.seed_transpiler,
            initial_layout=options.initial_layout,
        )
    except ValueError as error:
        raise CircuitError(str(error)) from error
    except QiskitError as error:
        raise CircuitError(
            f"Qiskit cannot put circuit {circuit.name!r} into gates of {device.name}: {error.message}; "
            "give gates of your own a definition"
        ) from error
    return compile_transpiled(circuit, mapped, device, shape, options)


def compile_transpiled(
    circuit: QuantumCircuit, mapped: QuantumCircuit, device: Device, shape: FabricShape, options: Options
) -> CompiledCircuit:
    """The same from a circuit that is in the device's gates, on its qubits.

    Raises:
        CircuitError: as above.
    """
    if len(device.qubits) > shape.drives:
        raise CircuitError(
            f"{device.name} has {len(device.qubits)} qubits, the board {shape.drives} drive channels; "
            "take a larger board"
        )
    carriers = Carriers(device, shape.drives)
    used = sorted({mapped.find_bit(bit).index for each in mapped.data for bit in each.qubits})
    tables = Tables(device, carriers, shape.pulse_entries, shape.windows, used)
    resets = [("x", qubit, qubit) for qubit in used] if options.reset_first else []
    tables.reserve(sorted({*_pulses(mapped), *resets}))
    lowering = Lowering(device, carriers, tables, options)
    scheduled = lowering.lower(mapped, used if options.reset_first else ())
    text, registers, decisions = _emitted(lowering, mapped.num_clbits, scheduled, shape.queue_events)
    source = aligned(text, carriers.slots)
    delay_words, delay = longest_delay(circuit)
    longest = f"; {delay} takes {delay_words} of them" if delay_words > shape.program_words // 2 else ""
    try:
        program = control_program(assemble(source), tables)
    except ValueError as error:
        words = sum(line.startswith(" ") for line in source.splitlines())
        raise CircuitError(
            f"the program has {words} instructions, the board has {shape.program_words}{longest}; "
            f"shorten the circuit: {error}"
        ) from error
    estimate = estimated(program, shape, scheduled, decisions, registers, device)
    try:
        program.check(shape)
    except ProgramError as error:
        raise CircuitError(f"{error}; {estimate.largest}{longest}") from error
    compiled = CompiledCircuit(
        circuit,
        mapped,
        device,
        shape,
        options,
        scheduled,
        source,
        program,
        tuple(lowering.angles),
        registers.angles,
        estimate,
    )
    if compiled.warnings and options.refuse_late:
        raise CircuitError(compiled.warnings[0])
    return compiled


def _emitted(
    lowering: Lowering, bits: int, scheduled: tuple[Node, ...], queue_events: int
) -> tuple[str, Registers, dict[int, Late]]:
    """Source of a tree, with angles in registers if there are enough of them, else in the program's numbers.

    Returns:
        the source, its registers, and how late each decision acts.
    """
    for angles in dict.fromkeys((len(lowering.angles), 0)):
        try:
            registers = Registers(bits, lowering.variables, angles)
            emission = Emission(lowering.carriers, registers, queue_events, lowering.options.rest_cycles)
            return emission.program(scheduled), registers, emission.lateness.decisions
        except CircuitError:
            if not angles:
                raise
    raise AssertionError("the last try gives a program or raises")


def _pulses(
    circuit: QuantumCircuit, mapping: Mapping[object, int] | None = None
) -> Iterator[tuple[str, int, int]]:
    """(gate, channel, turned qubit) of all pulses of a circuit."""
    places = mapping or {bit: k for k, bit in enumerate(circuit.qubits)}
    for instruction in circuit.data:
        qubits = [places[bit] for bit in instruction.qubits]
        match instruction.operation.name:
            case ("sx" | "x") as name:
                yield name, qubits[0], qubits[0]
            case "reset":
                yield "x", qubits[0], qubits[0]
            case "cx":
                yield "sx", qubits[1], qubits[1]
                yield "cross", qubits[0], qubits[1]
            case _:
                for block in getattr(instruction.operation, "blocks", ()):
                    yield from _pulses(block, dict(zip(block.qubits, qubits, strict=True)))
