/* SPDX-License-Identifier: BSD-2-Clause */
/* One job, from the tables' check to its end: commands in, board supervised. */
#pragma once

#include <stdint.h>

/* Begin, after a self-test that found `failures` (bits of PRIVATE_SELF_TEST_...). */
void supervisor_begin(uint32_t failures);

/* One turn of the main loop: look at everything once, answer at most one command, kick the watchdog. */
void supervisor_turn(void);
