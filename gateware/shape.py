# SPDX-License-Identifier: BSD-2-Clause
"""What a real-time fabric is built of: numbers of channels, depths of memories."""

from __future__ import annotations

from dataclasses import dataclass

from triplane.gateware.dsp.layouts import NUM_TONES
from triplane.gateware.syndrome.shape import SyndromeShape


@dataclass(frozen=True)
class FabricShape:
    """What is built.

    Attributes:
        drives: drive channels, numbered from 0.
        lines: readout lines; line k is channel `drives` + k, for its tones and for its windows.
        syndrome: slots, events and kinds of rounds; the round channel is `drives` + `lines`.
        tones: per line.
        pulse_entries, envelope_clocks: of each generator.
        window_samples, windows, trace_samples, partial_values: of each line.
        program_words, groups, queue_events: of the sequencer.
        frame_qubits: measurement slot -> qubit whose Pauli frame turns its results over, None for no qubit; slots after
            the last have none. Empty: no Pauli frame is built.

    Raises:
        ValueError: there is no line, a line has more tones than its generator, or there are more slots in the syndrome
            than tones.
    """

    drives: int
    lines: int
    syndrome: SyndromeShape
    tones: int = 8
    pulse_entries: int = 64
    envelope_clocks: int = 512
    window_samples: int = 256
    windows: int = 16
    trace_samples: int = 2048
    partial_values: int = 256
    program_words: int = 1024
    groups: int = 64
    queue_events: int = 64
    frame_qubits: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        if self.lines < 1:
            raise ValueError(f"a fabric needs a readout line, not {self.lines}")
        if not 1 <= self.tones <= NUM_TONES:
            raise ValueError(f"a line has 1 to {NUM_TONES} tones, not {self.tones}")
        if self.syndrome.slots > self.slots:
            raise ValueError(
                f"syndromes are formed of {self.syndrome.slots} slots, {self.lines} lines of {self.tones} tones "
                f"have {self.slots}"
            )
        if len(self.frame_qubits) > self.slots:
            raise ValueError(f"frame_qubits names {len(self.frame_qubits)} slots, there are {self.slots}")

    @property
    def slots(self) -> int:
        """Measurement slots: line * tones + tone."""
        return self.lines * self.tones

    @property
    def round_channel(self) -> int:
        """Channel on which rounds of the code are armed."""
        return self.drives + self.lines

    @property
    def frame_channel(self) -> int:
        """Channel on which the Pauli frame is told of gates, where it is built."""
        return self.round_channel + 1

    @property
    def channels(self) -> int:
        """Channels of the sequencer."""
        return self.round_channel + (2 if self.frame_qubits else 1)
