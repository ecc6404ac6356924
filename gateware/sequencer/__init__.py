# SPDX-License-Identifier: BSD-2-Clause
"""The sequencer: a program in, events with a time out, and decisions on measurements between them.

    layouts.py      events, results, trace records, faults, declared once
    isa.py          the instructions, declared once; docs/isa.md is made from them by specification.py
    assembler.py    text becomes a program; source.py and expression.py read it, disassembler.py turns it back
    program.py      a program: words, groups of channels, armed slots, source map
    core.py         the core: state, and how the parts below are wired
    fetch.py        program memory to execution, and both ways out of a wait at the ready
    decode.py       words become instructions with operands; the registers
    execute.py      cursor, branches, calls, watchdog; alu.py: arithmetic and comparisons
    wait.py         waits for results and for the Pauli frame; results.py: whether a result is the latest
    dispatch.py     groups of channels; queue.py: the queue of a channel
    stop.py         the first fault, and the safe state
    tables.py, trace.py, control.py    what the host loads, reads back, and runs a program by

Time is a cursor, as in RTIO: an instruction is executed as early as possible, and its event carries the time at which
it is to act, so that when a pulse starts is written in the program and does not follow from how fast the program
runs. The alternative, a sequencer per channel whose instructions are the waveform (as in most arbitrary waveform
generators), needs as many programs as channels that stay in step by luck or by triggers, and a branch that concerns
two of them needs a network. One core that issues to *groups* does a layer of gates of a patch of any size with one
instruction, and a branch concerns all channels at once. What it cannot do is to issue to two groups in the same
cycle; at 50 to 100 cycles for a gate there is time for that.

Feedback is what the core is built around. A wait looks at its slot in every cycle, both instructions that may follow
stand decoded beside it, with their registers read, and the group is looked up while the event is registered: from
the result to the event of either branch are 3 cycles, and one more through the queue. A register
file and a memory on this way would cost more than all of it. The price is that other branches take 3 cycles, since
they are not prepared for.

What is waited for is never stale. A CAPTURE counts up the measurements that each of its slots has on the way, a result
counts down, and only at 0 is there a result: that of the latest measurement that was issued, also when loops run many
rounds ahead of time. Where nothing is on its way, to wait is a fault at once.

What can go wrong is a fault with its cause, channel, instruction and cycle (`layouts.FAULTS`). Queues settle when an
event enters in which cycle it will leave, and refuse it where that cycle is past or taken, so that nothing is ever
played late or out of order. The first fault puts the board into its safe state two cycles later: queues
are empty, generators silent, the program stopped, until the host clears it. Words, groups and armed slots are loaded
over the bus into memory that is read back and checked by CRC, and nothing starts before all of it is trusted.
"""
