/* SPDX-License-Identifier: BSD-2-Clause */
/* The states of a job. A pure function: nothing here touches the machine. */
#pragma once

#include <stdint.h>

#include "registers.h"

struct transition {
    uint8_t next;   /* enum STATE_ */
    uint8_t action; /* enum ACTION_ */
};

/* What an event leads to. Where it means nothing the state stays, with ACTION_NONE, or ACTION_REFUSE for a command.
   States and events that do not exist lead to STATE_FAULT with ACTION_STOP. */
struct transition job_next(uint32_t state, uint32_t event);
