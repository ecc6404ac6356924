# SPDX-License-Identifier: BSD-2-Clause
"""Faults: what has gone wrong since the last clear, since when, and whether the board is safe."""

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import Cat, If, Signal

CONDITIONS = {
    "event_overflow": "A word was written to the full event FIFO and refused.",
    "empty_read": "The result FIFO was read while empty.",
    "unmatched": "A record left detection events that nothing explains.",
    "starved": "A round fell due while the event FIFO held no whole round.",
    "stalled": "A round started late because the decoder was not ready.",
    "sequencer": "A program was stopped; the sequencer's registers say why.",
    "formation": "Syndrome formation stopped; its registers say why.",
    "held_up": "A measured round found the way to the decoder full.",
    "refused": "A generator or a readout line refused an event.",
    "requested": "The firmware asked for the safe state: by command, or since a rule was broken; its log says which.",
    "firmware": "The firmware did not work, or was taken away, and was started again; its log says why.",
}
"""Fault conditions: name to meaning; the order is the order of the bits."""

STOPPING = (
    "event_overflow",
    "empty_read",
    "sequencer",
    "formation",
    "held_up",
    "refused",
    "requested",
    "firmware",
)
"""Conditions that stop the board out of reset: data is missing, or a pulse.

The others are counted, and stop it where asked to.
"""


class Faults(LiteXModule):
    """Latches conditions; those enabled in `stop_on` put the board in its safe state until `clear`.

    Attributes
    ----------
    event_overflow, ..., firmware: inputs, one for each of `CONDITIONS`, high for a cycle when it happens, or longer;
        constant where the board has no such part.
    now: input; cycle counter.
    safe: high from the cycle after a stopping fault until it is cleared.
    clear: high for one cycle; everything that remembers the run starts afresh.
    """

    LATENCY = 1
    """Cycles from a condition to `safe`."""

    def __init__(self) -> None:
        inputs = []
        for name in CONDITIONS:
            signal = Signal(name=name)
            setattr(self, name, signal)
            inputs.append(signal)
        self.now = Signal(64)
        self.safe = Signal()
        self.clear = Signal()

        self.status = CSRStatus(
            fields=[CSRField(name, description=meaning) for name, meaning in CONDITIONS.items()],
            description="Conditions that have occurred since the last clear.",
        )
        self.stop_on = CSRStorage(
            fields=[
                CSRField(name, reset=int(name in STOPPING), description=f"1: the board goes safe on {name}.")
                for name in CONDITIONS
            ],
            description="Conditions that stop the release of rounds.",
        )
        self.cycle = CSRStatus(64, description="Cycle counter at the first condition since the last clear.")
        self.state = CSRStatus(
            fields=[CSRField("safe", description="1 while the board is in its safe state.")],
            description="Safe state.",
        )
        self.control = CSRStorage(
            fields=[
                CSRField(
                    "clear",
                    pulse=True,
                    description="Write 1 to forget faults, counters and schedule and to empty both FIFOs.",
                )
            ],
            description="Leave the safe state.",
        )

        # # #

        latched = Signal(len(inputs))
        now = Cat(*inputs)
        self.comb += [
            [getattr(self.status.fields, name).eq(latched[bit]) for bit, name in enumerate(CONDITIONS)],
            self.safe.eq((latched & self.stop_on.storage) != 0),
            self.state.fields.safe.eq(self.safe),
            self.clear.eq(self.control.fields.clear),
        ]
        self.sync += [
            latched.eq(latched | now),
            If((latched == 0) & (now != 0), self.cycle.status.eq(self.now)),
            If(self.clear, latched.eq(0), self.cycle.status.eq(0)),
        ]
