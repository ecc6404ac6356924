# SPDX-License-Identifier: BSD-2-Clause
"""Results on their way out of the board.

`ResultPort` holds the decoder's records in a FIFO that the register bus reads; one address, one word per read. When
it is full the decoder waits, and through it the pacer: back-pressure reaches the events, where the backlog counts it,
so a slow reader costs time and never a record. `LinkStatus` puts all that a streaming host must know before its next
burst into a single word: how much it may write, how much it may read, whether the board has gone safe.

What can go wrong: a host that reads more than there is. It gets 0 and the `empty_read` fault, since a 0 in a record
stream would otherwise pass for data.
"""

from triplane.gateware.link.results import ResultPort
from triplane.gateware.link.status import LinkStatus

__all__ = ["LinkStatus", "ResultPort"]
