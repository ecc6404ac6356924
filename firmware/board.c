/* SPDX-License-Identifier: BSD-2-Clause */
#include "board.h"

#include "log.h"

#define PATTERN 0x5AA5C33Cu

bool board_table_known(void)
{
    return machine_read(BOARD_TABLE_BASE) == BOARD_TABLE_MAGIC
        && machine_read(BOARD_TABLE_BASE + 4u) == BOARD_TABLE_VERSION;
}

struct entry board_entry(uint32_t group, uint32_t number)
{
    const uint32_t place = BOARD_TABLE_BASE + group + number * BOARD_TABLE_ENTRY_BYTES;
    const struct entry found = {
        .address = machine_read(place),
        .mask = machine_read(place + 4u),
        .value = machine_read(place + 8u),
    };
    return found;
}

/* Whether the access before was answered. */
static bool answered(void)
{
    if (machine_read(PRIVATE_BUS_FAILED) == 0u) {
        return true;
    }
    log_event(LOG_BUS, machine_read(PRIVATE_BUS_ADDRESS));
    return false;
}

bool board_read(uint32_t address, uint32_t *value)
{
    *value = machine_read(BOARD_BASE + address);
    return answered();
}

bool board_write(uint32_t address, uint32_t value)
{
    machine_write(BOARD_BASE + address, value);
    return answered();
}

bool board_write_group(uint32_t group, uint32_t count)
{
    bool all = true;
    for (uint32_t number = 0; number < count; ++number) {
        BOUND(BOARD_TABLE_LARGEST_GROUP);
        const struct entry entry = board_entry(group, number);
        if (entry.mask != 0u && !board_write(entry.address, entry.value)) {
            all = false;
        }
    }
    return all;
}

bool board_echoes(void)
{
    const struct entry scratch = board_entry(BOARD_TABLE_SCRATCH_OFFSET, 0u);
    uint32_t before = 0, found = 0;
    if (scratch.mask == 0u || !board_read(scratch.address, &before)) {
        return false;
    }
    /* The complement as well: a bit that is stuck agrees with one of the two. */
    bool same = board_write(scratch.address, PATTERN) && board_read(scratch.address, &found) && found == PATTERN;
    same = same && board_write(scratch.address, ~PATTERN) && board_read(scratch.address, &found)
        && found == ~PATTERN;
    return board_write(scratch.address, before) && same;
}
