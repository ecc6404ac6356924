# SPDX-License-Identifier: BSD-2-Clause
"""The soft core that watches over jobs, with memories, registers and a watchdog of its own.

A job's nanoseconds are the sequencer's and the decoder's. What remains is what takes microseconds and must go on when
nobody at the other end of a cable does: is the host still there, are the tables those that were checked, does the
decoder keep up, and if not, is the board safe. That is a program, `firmware/`, on the smallest RV32I core there is.

**Memories of its own.** A soft core on the board's bus would fetch each instruction past the host's bursts, and would
slow the host down while it idles. Here instructions come from block memory beside the core, so that a turn of its main
loop takes the same cycles whatever the host does, and it asks the bus for nothing but what it wants to know of the
board. The price is 18 block memories. Interrupts there are none: with a bounded main loop there is nothing that they
would bring forward, and nothing that they could interrupt.

**Every access ends.** The core ignores bus errors, so a slave that does not answer would stop it. Its window to the
board's bus gives each access a bound in cycles, and answers in the place of who did not.

**What fails, fails into slot A.** Slot A holds the image that the gateware was built with, and nothing can write it.
Slot B takes an image that the host sends; it is read back in full before it may run, and runs on trial until the host,
having spoken with it, confirms. A watchdog that is not kicked, a trap, an access to nowhere, a trial without
confirmation: the core is reset into A, the board goes safe, and the host reads why. Not the other way, two slots that
take turns: the image that worked last is no better than the one that has always worked.

**One image for all boards.** Which registers a board has, and where, stands in the board table: accesses that start a
job, stop it, tell its end. The gateware's build fills it from its own register map, and it is no part of the image, so
that one image with one hash serves boards with and without sequencer, and slot B needs no image per board.

    cpu.py         VexRiscv
    slot.py        memory of an image, read back and checked;  update.py  how the host fills it
    ram.py         data and stack
    window.py      accesses to the board's bus, each with an end
    boardtable.py  what may be done to a board, as accesses
    private.py     registers that the firmware sees, decoded from layouts.py
    boot.py        slots, watchdog, trial
    mailbox.py     commands;  lease.py  signs of life;  log.py  what happened
    core.py        all of it

What can go wrong beside that: the host's command comes twice over a bad link (it has a number, and is executed once),
or two hosts command at once (the second is refused, and counted). The log overruns (entries carry on, losses are
counted). A host that dies with a job on the board: its lease runs out, and the firmware makes the board safe.
"""

from triplane.gateware.processor.boardtable import BoardTable
from triplane.gateware.processor.core import Processor
from triplane.gateware.processor.cpu import source

__all__ = ["BoardTable", "Processor", "source"]
