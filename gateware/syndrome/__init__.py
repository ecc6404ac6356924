# SPDX-License-Identifier: BSD-2-Clause
"""Detection events on their way into the decoder.

`EventPort` takes words from the register bus into a FIFO; `RoundPacer` lets one round of them go every `period`
cycles, as an experiment would. Host and decoder so never have to agree on speed: the FIFO absorbs the host's bursts,
the pacer gives the decoder the cadence that a latency figure must be measured under.

The schedule is kept where it matters and slips where it does not. A decoder that is not ready does not stop the
clock of the experiment: rounds keep falling due, the backlog and its high-water mark say how far behind the decoder
is, and rounds leave back to back until it has caught up. A FIFO without a whole round, on the other hand, is only a
slow host, so the schedule waits for it and counts a starved round. Neither loses anything: a round stays in the FIFO
until the decoder has taken it.

What can go wrong: a host that writes into a full FIFO. The word is refused, the overflow fault stops the pacer, and
no later round can be mistaken for the one that is missing.
"""

from triplane.gateware.syndrome.pacer import RoundPacer
from triplane.gateware.syndrome.port import EventPort

__all__ = ["EventPort", "RoundPacer"]
