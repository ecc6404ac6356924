# SPDX-License-Identifier: BSD-2-Clause
"""Detection events on their way into the decoder, from measurements or from the bus.

`SyndromeFormation` makes them of the results of readout. A detection event is the XOR of a few results, of this round
and of those before it, and which ones is a matter of the circuit: so it is a table, compiled from the circuit's
`DETECTOR`s (`compile.syndrome_table`) and loaded over the bus, and the hardware is a matrix of bits. All of the matrix
is there at once. A column for each result as it comes would do with one block memory, but all results of a round come
in the same few cycles, and the reaction time would pay for their standing in line; a list of slots for each event needs
a multiplexer over all slots for each of its members, which is larger than the row of bits that it replaces. Results
are caught by slot, in any order, until all that the armed round expects have come; then one cycle makes the events.

Measurements cannot be asked to wait. So whatever comes is either taken for the round that it belongs to, or is a fault:
a slot twice, a slot never, a round too many. A full queue before the decoder is reported while there is still a round's
time to stop, and nothing is lost then; after a fault that makes a loss certain, nothing at all follows, so that no
later round is mistaken for the missing one.

`RoundCollector` catches slots, `RoundFormer` is the matrix with its history, `RoundRecorder` writes down what was
measured and what was made of it, `WideStore` holds the table.

The other way in is that of recorded and sampled shots. `EventPort` takes words from the register bus into a FIFO;
`RoundPacer` lets one round of them go every `period` cycles, as an experiment would. Host and decoder so never have to
agree on speed: the FIFO absorbs the host's bursts, the pacer gives the decoder the cadence that a latency figure must
be measured under.

The schedule is kept where it matters and slips where it does not. A decoder that is not ready does not stop the
clock of the experiment: rounds keep falling due, the backlog and its high-water mark say how far behind the decoder
is, and rounds leave back to back until it has caught up. A FIFO without a whole round, on the other hand, is only a
slow host, so the schedule waits for it and counts a starved round. Neither loses anything: a round stays in the FIFO
until the decoder has taken it.

Which of the two ways is open, a register of `RoundSwitch` says.

What can go wrong there: a host that writes into a full FIFO. The word is refused, the overflow fault stops the pacer,
and no later round can be mistaken for the one that is missing.
"""

from triplane.gateware.syndrome.formation import SyndromeFormation
from triplane.gateware.syndrome.pacer import RoundPacer
from triplane.gateware.syndrome.port import EventPort
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.gateware.syndrome.switch import RoundSwitch

__all__ = ["EventPort", "RoundPacer", "RoundSwitch", "SyndromeFormation", "SyndromeShape"]
