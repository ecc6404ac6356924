# SPDX-License-Identifier: BSD-2-Clause
"""The window's detection events: words of rounds fill it, settled layers leave it."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Cat, Constant, If, Signal

from triplane.gateware.decoder.window.plan import NOWHERE, WindowPlan


class WindowBuffer(LiteXModule):
    r"""W layers of detection events, and one layer of events that corrections have toggled beyond them.

    Words enter from layer 0 on. The word that fills the window is on `events` in the cycle in which it is taken, so
    that decoding starts with it and not after it.

    ```
    take     ‾‾‾\_/‾‾‾‾\______________________________
    fills       |  last \ (may be taken now)
    events      |  | all |  all, from the registers   |
    settle   ______________________________/‾‾\_______     clear what is settled, toggle what it leads to
    shift    __________________________________/‾‾‾‾\_     one layer a cycle; the toggled layer comes in at the end
    ```

    A toggled event of the layer beyond is the layer's own by the time the layer's word comes in: words are added to
    what is there (exclusive or).

    Args:
        plan: its slots say which bit of which word is which vertex.

    Attributes:
        data, take: inputs; a word, and that it is taken now.
        clear: input; forget everything, also of a word that is taken in this cycle.
        settle, settled, toggles: inputs; clear the events of `settled` vertices, and toggle slots of the layers beyond,
            bit k = slot k, those of the second after those of the first.
        shift: input; layer 0 leaves.
        fills: the next word fills the window.
        empty: no word of a shot is in it.
        full: all layers are in it.
        events: bit k = vertex k; also of a word that fills the window and is taken now.
        held: the same from the registers alone; of a window that has been filled before this cycle.
        filled: bit k: k layers are in it. One bit is set, so that nothing is compared on the way to a start.
    """

    def __init__(self, plan: WindowPlan) -> None:
        self.data = Signal(32)
        self.take = Signal()
        self.clear = Signal()
        self.settle = Signal()
        self.settled = Signal(plan.num_vertices)
        self.toggles = Signal(max(plan.width * max(plan.reach, 1), 1))
        self.shift = Signal()
        self.fills = Signal()
        self.empty = Signal()
        self.full = Signal()
        self.events = Signal(plan.num_vertices)
        self.held = Signal(plan.num_vertices)
        self.filled = Signal(plan.num_layers + 1, reset=1)

        # # #

        # Where the next word goes
        words = plan.words_per_round
        word = Signal(max=max(words, 2))
        last_word = Signal()
        self.comb += [
            last_word.eq(word == words - 1),
            self.fills.eq(last_word & self.filled[plan.num_layers - 1]),
            self.empty.eq(self.filled[0] & (word == 0)),
            self.full.eq(self.filled[plan.num_layers]),
        ]
        self.sync += [
            If(self.take,
                word.eq(word + 1),
                If(last_word, word.eq(0), self.filled.eq(self.filled << 1)),
            ),
            If(self.shift, self.filled.eq(self.filled >> 1)),
            If(self.clear, word.eq(0), self.filled.eq(1)),
        ]  # fmt: skip

        # Events
        events = Signal(plan.num_vertices)
        beyond = Signal.like(self.toggles) if plan.sliding else None
        now = [events[k] for k in range(plan.num_vertices)]
        following = [Constant(0)] * plan.num_vertices
        for number, slots in enumerate(plan.slots):
            writes = [Signal() for _ in range(words)]
            self.comb += [
                write.eq(self.take & self.filled[number] & (word == k)) for k, write in enumerate(writes)
            ]
            for slot, vertex in enumerate(slots):
                if vertex == NOWHERE:
                    continue
                event = events[vertex] ^ (writes[slot // 32] & self.data[slot % 32])
                following[vertex] = event
                if number == plan.num_layers - 1 and slot // 32 == words - 1:
                    now[vertex] = event
        self.comb += [self.events.eq(Cat(*now)), self.held.eq(events)]
        self.sync += events.eq(Cat(*following))
        if beyond is not None:
            nearer = beyond[plan.width :] if plan.reach > 1 else 0
            self.sync += [
                If(self.settle, events.eq(events & ~self.settled), beyond.eq(beyond ^ self.toggles)),
                If(self.shift, events.eq(Cat(*_moved(plan, events, beyond))), beyond.eq(nearer)),
                If(self.clear, beyond.eq(0)),
            ]
        self.sync += If(self.clear, events.eq(0))


def _moved(plan: WindowPlan, events: Signal, beyond: Signal) -> list:
    """Vertex -> its event when every layer has taken the place of the one before it."""
    layers = [[events[v] if v != NOWHERE else 0 for v in slots] for slots in plan.slots[1:]]
    layers.append([beyond[k] for k in range(plan.width)])
    moved = [Constant(0)] * plan.num_vertices
    for slots, following in zip(plan.slots, layers, strict=True):
        for vertex, event in zip(slots, following, strict=False):
            if vertex != NOWHERE:
                moved[vertex] = event
    return moved
