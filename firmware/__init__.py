# SPDX-License-Identifier: BSD-2-Clause
"""The program of the soft core: bare-metal C, one main loop, nothing that is not bounded.

    start.S         reset, test of the static RAM, traps;   link.ld   where things lie
    main.c          from boot to the main loop
    selftest.c      image, counter, board table, bus
    supervisor.c    a job's states, commands, what is watched
    job.c           the state machine: a pure function of a table
    monitor.c       the questions: tables trusted, backlog, deadlines, end
    board.c         accesses to the board, by its table
    crc.c           CRC-32
    machine.h       the only way to a register, and the bounds of loops
    registers.py    writes registers.h, from what the gateware is made of
    build.py        compiler, linker, limits;   elf.py, instructions.py, analysis.py   what the image may take at most
    image.py        header, CRC and text of an image;   image.hex   the one that is committed

Storage is static, there is no heap, no interrupt, no recursion and no function pointer. So the call graph is known, and
the build computes from the linked instructions how deep the stack gets and how long a turn of the main loop takes; a
loop without a bound does not build. That is also why it is C and no operating system: the whole program is looked at.

Who needs no other image needs no compiler: `image.committed()`.
"""
