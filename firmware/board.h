/* SPDX-License-Identifier: BSD-2-Clause */
/* The board behind its register bus, by the accesses of the board table. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"

struct entry {
    uint32_t address; /* on the board's bus, in bytes */
    uint32_t mask;    /* 0: the board has no such register */
    uint32_t value;
};

/* Whether the gateware's table is one that this firmware understands. Without one, no entry exists. */
bool board_table_known(void);

/* Entry `number` of the group that begins at `group` (BOARD_TABLE_..._OFFSET). */
struct entry board_entry(uint32_t group, uint32_t number);

/* Read a register. False, with the value 0 and an entry in the log, where the bus gave no answer. */
bool board_read(uint32_t address, uint32_t *value);

/* Write a register. False, with an entry in the log, where the bus gave no answer. */
bool board_write(uint32_t address, uint32_t value);

/* Make all writes of a group of `count` entries, also those after one that failed. False where one failed. */
bool board_write_group(uint32_t group, uint32_t count);

/* Whether the board keeps what is written to it; what stood there is put back. */
bool board_echoes(void);
