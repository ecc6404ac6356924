/* SPDX-License-Identifier: BSD-2-Clause */
/* The event log: the hardware adds the time, keeps the last entries and counts what is lost. */
#pragma once

#include "machine.h"

/* Append an entry: one of LOG_, and an argument whose meaning follows from it. */
static inline void log_event(uint32_t code, uint32_t argument)
{
    machine_write(PRIVATE_LOG_ARGUMENT, argument);
    machine_write(PRIVATE_LOG_CODE, code);
}
