/* SPDX-License-Identifier: BSD-2-Clause */
#include "job.h"

#define STAY(state) {STATE_##state, ACTION_NONE}
#define REFUSE(state) {STATE_##state, ACTION_REFUSE}
#define GO(state, action) {STATE_##state, ACTION_##action}

/* STATE_BOOT is no state of a job: it is what the host reads until the firmware has spoken. */
static const struct transition transitions[STATE_BOOT][EVENT_COUNT] = {
    [STATE_IDLE] = {
        [EVENT_CHECK] = GO(LOADED, NONE),
        [EVENT_ARM] = REFUSE(IDLE),
        [EVENT_START] = REFUSE(IDLE),
        [EVENT_ABORT] = REFUSE(IDLE),
        [EVENT_CLEAR] = GO(IDLE, CLEAR),
        [EVENT_MAKE_SAFE] = GO(SAFE, STOP),
        [EVENT_FINISHED] = STAY(IDLE),
        [EVENT_LEASE_EXPIRED] = STAY(IDLE),
        [EVENT_LIMIT_EXCEEDED] = STAY(IDLE),
        [EVENT_BOARD_SAFE] = GO(SAFE, NONE),
        [EVENT_BOARD_RELEASED] = STAY(IDLE),
        [EVENT_FAILED] = GO(FAULT, STOP),
        [EVENT_DISTRUSTED] = STAY(IDLE),
    },
    [STATE_LOADED] = {
        [EVENT_CHECK] = GO(LOADED, NONE),
        [EVENT_ARM] = GO(ARMED, NONE),
        [EVENT_START] = REFUSE(LOADED),
        [EVENT_ABORT] = GO(IDLE, NONE),
        [EVENT_CLEAR] = GO(IDLE, CLEAR),
        [EVENT_MAKE_SAFE] = GO(SAFE, STOP),
        [EVENT_FINISHED] = STAY(LOADED),
        [EVENT_LEASE_EXPIRED] = STAY(LOADED),
        [EVENT_LIMIT_EXCEEDED] = STAY(LOADED),
        [EVENT_BOARD_SAFE] = GO(SAFE, NONE),
        [EVENT_BOARD_RELEASED] = STAY(LOADED),
        [EVENT_FAILED] = GO(FAULT, STOP),
        [EVENT_DISTRUSTED] = GO(IDLE, NONE),
    },
    [STATE_ARMED] = {
        [EVENT_CHECK] = REFUSE(ARMED),
        [EVENT_ARM] = REFUSE(ARMED),
        [EVENT_START] = GO(RUNNING, START),
        [EVENT_ABORT] = GO(LOADED, NONE),
        [EVENT_CLEAR] = REFUSE(ARMED),
        [EVENT_MAKE_SAFE] = GO(SAFE, STOP),
        [EVENT_FINISHED] = STAY(ARMED),
        [EVENT_LEASE_EXPIRED] = GO(SAFE, STOP),
        [EVENT_LIMIT_EXCEEDED] = GO(SAFE, STOP),
        [EVENT_BOARD_SAFE] = GO(SAFE, ABORT),
        [EVENT_BOARD_RELEASED] = STAY(ARMED),
        [EVENT_FAILED] = GO(FAULT, STOP),
        [EVENT_DISTRUSTED] = GO(SAFE, STOP),
    },
    [STATE_RUNNING] = {
        [EVENT_CHECK] = REFUSE(RUNNING),
        [EVENT_ARM] = REFUSE(RUNNING),
        [EVENT_START] = REFUSE(RUNNING),
        [EVENT_ABORT] = GO(LOADED, ABORT),
        [EVENT_CLEAR] = REFUSE(RUNNING),
        [EVENT_MAKE_SAFE] = GO(SAFE, STOP),
        [EVENT_FINISHED] = GO(DONE, NONE),
        [EVENT_LEASE_EXPIRED] = GO(SAFE, STOP),
        [EVENT_LIMIT_EXCEEDED] = GO(SAFE, STOP),
        [EVENT_BOARD_SAFE] = GO(SAFE, ABORT),
        [EVENT_BOARD_RELEASED] = STAY(RUNNING),
        [EVENT_FAILED] = GO(FAULT, STOP),
        [EVENT_DISTRUSTED] = GO(SAFE, STOP),
    },
    [STATE_DONE] = {
        [EVENT_CHECK] = GO(LOADED, NONE),
        [EVENT_ARM] = GO(ARMED, NONE),
        [EVENT_START] = REFUSE(DONE),
        [EVENT_ABORT] = GO(LOADED, NONE),
        [EVENT_CLEAR] = GO(IDLE, CLEAR),
        [EVENT_MAKE_SAFE] = GO(SAFE, STOP),
        [EVENT_FINISHED] = STAY(DONE),
        [EVENT_LEASE_EXPIRED] = STAY(DONE),
        [EVENT_LIMIT_EXCEEDED] = STAY(DONE),
        [EVENT_BOARD_SAFE] = GO(SAFE, NONE),
        [EVENT_BOARD_RELEASED] = STAY(DONE),
        [EVENT_FAILED] = GO(FAULT, STOP),
        [EVENT_DISTRUSTED] = GO(IDLE, NONE),
    },
    [STATE_FAULT] = {
        [EVENT_CHECK] = REFUSE(FAULT),
        [EVENT_ARM] = REFUSE(FAULT),
        [EVENT_START] = REFUSE(FAULT),
        [EVENT_ABORT] = REFUSE(FAULT),
        [EVENT_CLEAR] = GO(IDLE, CLEAR),
        [EVENT_MAKE_SAFE] = GO(FAULT, STOP),
        [EVENT_FINISHED] = STAY(FAULT),
        [EVENT_LEASE_EXPIRED] = STAY(FAULT),
        [EVENT_LIMIT_EXCEEDED] = STAY(FAULT),
        [EVENT_BOARD_SAFE] = STAY(FAULT),
        [EVENT_BOARD_RELEASED] = STAY(FAULT),
        [EVENT_FAILED] = STAY(FAULT),
        [EVENT_DISTRUSTED] = STAY(FAULT),
    },
    [STATE_SAFE] = {
        [EVENT_CHECK] = REFUSE(SAFE),
        [EVENT_ARM] = REFUSE(SAFE),
        [EVENT_START] = REFUSE(SAFE),
        [EVENT_ABORT] = REFUSE(SAFE),
        [EVENT_CLEAR] = GO(IDLE, CLEAR),
        [EVENT_MAKE_SAFE] = GO(SAFE, STOP),
        [EVENT_FINISHED] = STAY(SAFE),
        [EVENT_LEASE_EXPIRED] = STAY(SAFE),
        [EVENT_LIMIT_EXCEEDED] = STAY(SAFE),
        [EVENT_BOARD_SAFE] = STAY(SAFE),
        [EVENT_BOARD_RELEASED] = GO(IDLE, NONE),
        [EVENT_FAILED] = GO(FAULT, STOP),
        [EVENT_DISTRUSTED] = STAY(SAFE),
    },
};

struct transition job_next(uint32_t state, uint32_t event)
{
    if (state >= STATE_BOOT || event >= EVENT_COUNT) {
        const struct transition fault = GO(FAULT, STOP);
        return fault;
    }
    return transitions[state][event];
}
