# SPDX-License-Identifier: BSD-2-Clause
"""Trace capture: values that pass by go to memory, once, from a trigger on; the host reads them over the bus."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Memory, Signal, bits_for

WORD_BITS = 32


class Recorder(LiteXModule):
    r"""Records `length` values after a trigger, then stops; nothing recorded is overwritten until it is armed again.

    ```
    arm      __/‾\_______________________________
    trigger  _______/‾\__________________________
    strobe   _/‾\_/‾‾‾‾\______/‾\____/‾\____/‾\__
    recorded        | 0       | 1    | 2            length = 3: done
    ```

    Args:
        depth: values that the memory holds.
        words: 32-bit words of a value.

    Attributes:
        values: inputs, a word each.
        strobe: input; there is a value in this cycle.
        trigger: input; recording begins with this cycle's value if the recorder is armed.
    """

    def __init__(self, depth: int, words: int) -> None:
        if depth < 2:
            raise ValueError(f"a trace has at least 2 values, not {depth}")
        count_bits = bits_for(depth)
        self.depth = depth
        self.values = [Signal(WORD_BITS, name=f"value{k}") for k in range(words)]
        self.strobe = Signal()
        self.trigger = Signal()

        self._control = CSRStorage(
            fields=[
                CSRField("arm", pulse=True, description="Forget what was recorded and wait for a trigger."),
                CSRField(
                    "start",
                    pulse=True,
                    description="Trigger an armed recorder; together with `arm`: at once.",
                ),
            ],
            description="Arm and trigger the recorder.",
        )
        self._length = CSRStorage(
            count_bits, reset=depth, description=f"Values to record, {depth} at most; more count as {depth}."
        )
        self._status = CSRStatus(
            fields=[
                CSRField("armed", size=1, description="Waiting for a trigger."),
                CSRField("running", size=1, description="Recording."),
                CSRField("count", size=count_bits, offset=8, description="Values recorded."),
            ],
            description="State of the recorder.",
        )
        self._index = CSRStorage(bits_for(depth - 1), description="Value that is read next.")
        data = [
            CSRStatus(
                WORD_BITS,
                name=f"data{k}" if words > 1 else "data",
                description=f"Word {k} of the value at `index`."
                + (" Reading it moves the index to the next value." if k == words - 1 else ""),
            )
            for k in range(words)
        ]
        for register in data:
            setattr(self, f"_{register.name}", register)

        # # #

        memory = Memory(WORD_BITS * words, depth)
        writer = memory.get_port(write_capable=True)
        reader = memory.get_port()
        self.specials += memory, writer, reader

        # Recording
        armed, running, recording, full = Signal(), Signal(), Signal(), Signal()
        count = Signal(count_bits)
        self.comb += [
            recording.eq(running | (armed & (self.trigger | self._control.fields.start))),
            full.eq((count >= self._length.storage) | (count == depth)),
            writer.adr.eq(count),
            writer.we.eq(recording & self.strobe & ~full),
            [
                writer.dat_w[WORD_BITS * k : WORD_BITS * (k + 1)].eq(value)
                for k, value in enumerate(self.values)
            ],
            self._status.fields.armed.eq(armed),
            self._status.fields.running.eq(running),
            self._status.fields.count.eq(count),
        ]
        self.sync += [
            If(writer.we, count.eq(count + 1)),
            If(recording, armed.eq(0), running.eq(~full)),
            If(self._control.fields.arm,
                armed.eq(~self._control.fields.start),
                running.eq(self._control.fields.start),
                count.eq(0),
            ),
        ]  # fmt: skip

        # Reading. The memory is addressed a cycle ahead, so that a read may follow in the next cycle.
        index, following = Signal(bits_for(depth - 1)), Signal(bits_for(depth - 1))
        self.comb += [
            following.eq(index),
            If(self._index.re,
                following.eq(self._index.storage),
            ).Elif(data[-1].we,
                following.eq(index + 1),
            ),
            reader.adr.eq(following),
            [
                register.status.eq(reader.dat_r[WORD_BITS * k : WORD_BITS * (k + 1)])
                for k, register in enumerate(data)
            ],
        ]  # fmt: skip
        self.sync += index.eq(following)
