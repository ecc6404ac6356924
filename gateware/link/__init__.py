# SPDX-License-Identifier: BSD-2-Clause
"""Results on their way out of the board.

`ResultPort` holds the decoder's records in a FIFO that the register bus reads; one address, one word per read. When
it is full the decoder waits, and through it the pacer: back-pressure reaches the events, where the backlog counts it,
so a slow reader costs time and never a record. `LinkStatus` puts all that a streaming host must know before its next
burst into a single word: how much it may write, how much it may read, whether the board has gone safe.

The bus has masters of its own on a network and on a serial line: `Network` and `SerialLink` bring datagrams, and an
`Exchange` for each checks them whole and executes them. The obvious way, LiteEth's Etherbone, is not taken, though its
format is: it executes words as they arrive, so that a datagram which is shorter than it says takes words of the next
one for its own; it always writes to ascending addresses, where a FIFO needs one; it answers to a fixed port; and since
nothing tells a repetition from a request, a lost reply leaves a host that may neither ask again nor go on. See
`etherbone` for what is added to the format, and `docs/decisions/0016-exchange.md` for why.

On a network the same records, and faults, leave in packets as well: see `records`.

What can go wrong: a host that reads more than there is. It gets 0 and the `empty_read` fault, since a 0 in a record
stream would otherwise pass for data.
"""
