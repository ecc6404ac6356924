/* SPDX-License-Identifier: BSD-2-Clause */
/* The only way to a register, and the bounds of loops. */
#pragma once

#include <stdint.h>

#include "registers.h"

#ifdef TRIPLANE_NATIVE

/* On a workstation a test stands in for the hardware. */
uint32_t machine_read(uint32_t address);
void machine_write(uint32_t address, uint32_t value);

#define BOUND(count) ((void)(count))
#define FOREVER 1u

#else

static inline uint32_t machine_read(uint32_t address)
{
    return *(const volatile uint32_t *)address;
}

static inline void machine_write(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

/* First statement of every loop: it is entered at most `count` times in a row. The build reads these from the object
   code, refuses a loop without one, and computes the longest path from them. They take no instruction. */
#define BOUND(count)                                                                                         \
    __asm__ volatile("0: .pushsection .bounds, \"\", @progbits\n .word 0b, %0\n .popsection" : : "i"(count))

/* Bound of the main loop, which is meant not to end. */
#define FOREVER 0u

#endif

/* The bits of a field, in its lowest place. */
#define FIELD(value, name) (((value) & name##_MASK) >> name##_OFFSET)
