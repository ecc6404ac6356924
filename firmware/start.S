/* SPDX-License-Identifier: BSD-2-Clause */
/* From reset to C: the header of the image, the test of the static RAM, traps. */

#include "registers.h"

/* As in machine.h: the loop that this stands in is entered at most `count` times in a row. */
.macro bound count
0:  .pushsection .bounds, "", @progbits
    .word 0b, \count
    .popsection
.endm

    .section .start, "ax", @progbits
    .globl image_header
image_header:
    j begin
    .word IMAGE_MAGIC
    .word FIRMWARE_VERSION
    .word image_bytes               /* with the CRC at the end, which the build appends */

    .type begin, @function
begin:
    la t0, trapped
    csrw mtvec, t0
    li s0, RAM_BASE
    li s1, RAM_BASE + RAM_BYTES
    li s2, PRIVATE_KICK
    li s3, KICK_KEY
    li s4, -1

/* Each element goes once through the RAM, without touching it otherwise: there is no stack yet. At its begin the watchdog
   is told. `read` is what a cell must hold, `write` what it then gets. */
.macro upwards read, write
    sw s3, 0(s2)
    mv t0, s0
1:
    bound RAM_WORDS
    .ifnb \read
    lw t1, 0(t0)
    bne t1, \read, broken
    .endif
    .ifnb \write
    sw \write, 0(t0)
    .endif
    addi t0, t0, 4
    bltu t0, s1, 1b
.endm

.macro downwards read, write
    sw s3, 0(s2)
    mv t0, s1
1:
    bound RAM_WORDS
    addi t0, t0, -4
    lw t1, 0(t0)
    bne t1, \read, broken
    sw \write, 0(t0)
    bltu s0, t0, 1b
.endm

    /* March C- (van de Goor, Testing Semiconductor Memories, 1991): stuck cells, transitions, addresses, couplings
       between cells. It leaves zeros, as C expects. */
    upwards , zero
    upwards zero, s4
    upwards s4, zero
    downwards zero, s4
    downwards s4, zero
    upwards zero,

    li sp, RAM_BASE + RAM_BYTES
    call firmware_main

/* A cell at t0 does not hold what was written: no C can run. The board is made safe, and the host may read why. It
   reboots the processor if it likes to try again. */
broken:
    li t2, PRIVATE_RAM_ADDRESS
    sw t0, 0(t2)
    li t2, PRIVATE_SELF_TEST
    li t1, PRIVATE_SELF_TEST_RAM_MASK | PRIVATE_SELF_TEST_DONE_MASK
    sw t1, 0(t2)
    li t2, PRIVATE_JOB
    li t1, FAULT_JOB
    sw t1, 0(t2)
1:
    bound 0
    sw s3, 0(s2)
    j 1b
    .size begin, . - begin

/* An exception: the hardware takes the processor's reset from here. */
    .type trapped, @function
    .balign 4
trapped:
    csrr t0, mepc
    li t1, PRIVATE_TRAP
    sw t0, 0(t1)
1:
    bound 0
    j 1b
    .size trapped, . - trapped
