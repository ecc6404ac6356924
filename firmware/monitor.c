/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor.h"

#include "board.h"
#include "log.h"

static uint32_t misses_before[BOARD_TABLE_MISSES_COUNT];

/* The bits that count of an entry's register; 0 where the board has none. */
static uint32_t read_entry(struct entry entry, bool *bus)
{
    uint32_t value = 0;
    if (entry.mask != 0u && !board_read(entry.address, &value)) {
        *bus = false;
    }
    return value & entry.mask;
}

bool monitor_distrusts(uint32_t number, uint32_t unused, bool *bus)
{
    const struct entry entry = board_entry(BOARD_TABLE_TRUSTED_OFFSET, number);
    return ((unused >> number) & 1u) == 0u && read_entry(entry, bus) != (entry.value & entry.mask);
}

uint32_t monitor_distrusted(uint32_t unused, bool *bus)
{
    uint32_t distrusted = 0;
    for (uint32_t number = 0; number < BOARD_TABLE_TRUSTED_COUNT; ++number) {
        BOUND(BOARD_TABLE_TRUSTED_COUNT);
        if (monitor_distrusts(number, unused, bus)) {
            distrusted |= 1u << number;
        }
    }
    return distrusted;
}

void monitor_begin(bool *bus)
{
    for (uint32_t number = 0; number < BOARD_TABLE_MISSES_COUNT; ++number) {
        BOUND(BOARD_TABLE_MISSES_COUNT);
        misses_before[number] = read_entry(board_entry(BOARD_TABLE_MISSES_OFFSET, number), bus);
    }
}

bool monitor_exceeded(bool *bus)
{
    const uint32_t backlog_limit = machine_read(PRIVATE_BACKLOG_LIMIT);
    uint32_t backlog = 0;
    for (uint32_t number = 0; number < BOARD_TABLE_BACKLOG_COUNT; ++number) {
        BOUND(BOARD_TABLE_BACKLOG_COUNT);
        const uint32_t rounds = read_entry(board_entry(BOARD_TABLE_BACKLOG_OFFSET, number), bus);
        backlog = rounds > backlog ? rounds : backlog;
    }
    uint32_t misses = 0;
    for (uint32_t number = 0; number < BOARD_TABLE_MISSES_COUNT; ++number) {
        BOUND(BOARD_TABLE_MISSES_COUNT);
        const struct entry entry = board_entry(BOARD_TABLE_MISSES_OFFSET, number);
        const uint32_t now = read_entry(entry, bus);
        /* A counter that was set to 0 meanwhile counts from there. */
        misses += now >= misses_before[number] ? now - misses_before[number] : now;
    }
    if (!*bus) {
        return false;
    }
    if (backlog > backlog_limit) {
        log_event(LOG_BACKLOG, backlog);
        return true;
    }
    if (misses > machine_read(PRIVATE_MISS_LIMIT)) {
        log_event(LOG_MISSES, misses);
        return true;
    }
    return false;
}

bool monitor_finished(bool *bus)
{
    const struct entry entry = board_entry(BOARD_TABLE_FINISHED_OFFSET, 0u);
    return entry.mask != 0u && read_entry(entry, bus) == entry.value && *bus;
}

uint32_t monitor_faults(bool *bus)
{
    return read_entry(board_entry(BOARD_TABLE_FAULTS_OFFSET, 0u), bus);
}
