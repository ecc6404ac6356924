/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor.h"

#include "board.h"
#include "job.h"
#include "log.h"
#include "monitor.h"

static struct {
    uint32_t state;         /* enum STATE_ */
    uint32_t event;         /* that led to it */
    uint32_t safe_requested; /* 0 or 1 */
    uint32_t unused_tables; /* bit k: the job does without table k */
    uint32_t next_table;    /* whose trust is looked at in the next turn */
    uint32_t longest_turn;  /* cycles */
} job;

/* Tell host and hardware. The request to be safe reaches the board two cycles later. */
static void publish(void)
{
    machine_write(
        PRIVATE_JOB,
        job.state | (job.event << PRIVATE_JOB_EVENT_OFFSET)
            | (job.safe_requested << PRIVATE_JOB_SAFE_REQUEST_OFFSET));
}

static bool act(uint32_t action)
{
    bool bus = true;
    switch (action) {
    case ACTION_START:
        bus = board_write_group(BOARD_TABLE_START_OFFSET, BOARD_TABLE_START_COUNT);
        break;
    case ACTION_STOP:
        /* First the request, which needs no bus. */
        job.safe_requested = 1u;
        publish();
        bus = board_write_group(BOARD_TABLE_ABORT_OFFSET, BOARD_TABLE_ABORT_COUNT);
        break;
    case ACTION_ABORT:
        bus = board_write_group(BOARD_TABLE_ABORT_OFFSET, BOARD_TABLE_ABORT_COUNT);
        break;
    case ACTION_CLEAR:
        job.safe_requested = 0u;
        publish();
        bus = board_echoes() && board_write_group(BOARD_TABLE_CLEAR_OFFSET, BOARD_TABLE_CLEAR_COUNT);
        break;
    default:
        break;
    }
    return bus;
}

/* Let an event happen. False where it is a command that the state refuses. Where the bus fails on the way, the job is in
   STATE_FAULT afterwards. */
static bool happen(uint32_t event)
{
    for (uint32_t step = 0; step < 2u; ++step) {
        BOUND(2u);
        const struct transition to = job_next(job.state, event);
        if (to.action == ACTION_REFUSE) {
            return false;
        }
        const uint32_t before = job.state;
        const bool bus = act(to.action);
        job.state = to.next;
        if (to.next != before) {
            job.event = event;
            log_event(LOG_STATE, to.next | (before << 8) | (event << 16));
        }
        publish();
        /* In STATE_FAULT nothing further follows from a bus that fails. */
        if (bus || job.state == STATE_FAULT) {
            break;
        }
        event = EVENT_FAILED;
    }
    return true;
}

static uint32_t outcome(bool taken)
{
    if (!taken) {
        return RESULT_REFUSED;
    }
    return job.state == STATE_FAULT ? RESULT_BUS_FAILED : RESULT_OK;
}

/* The tables must all be trusted, and the state must allow `event`. */
static uint32_t with_trust(uint32_t event, uint32_t unused, uint32_t *value)
{
    if (job_next(job.state, event).action == ACTION_REFUSE) {
        return RESULT_REFUSED;
    }
    bool bus = true;
    const uint32_t distrusted = monitor_distrusted(unused, &bus);
    if (bus && distrusted != 0u) {
        *value = distrusted;
        return RESULT_NOT_TRUSTED;
    }
    if (bus && event == EVENT_ARM) {
        if (machine_read(PRIVATE_SILENCE) >= machine_read(PRIVATE_LEASE)) {
            return RESULT_LEASE_OUT;
        }
        monitor_begin(&bus);
    }
    if (!bus) {
        (void)happen(EVENT_FAILED);
        return RESULT_BUS_FAILED;
    }
    job.unused_tables = unused;
    return outcome(happen(event));
}

static uint32_t execute(uint32_t code, uint32_t argument, uint32_t *value)
{
    switch (code) {
    case COMMAND_PING:
        *value = argument;
        return RESULT_OK;
    case COMMAND_CHECK:
        return with_trust(EVENT_CHECK, argument, value);
    case COMMAND_ARM:
        return with_trust(EVENT_ARM, job.unused_tables, value);
    case COMMAND_START:
        return outcome(happen(EVENT_START));
    case COMMAND_ABORT:
        return outcome(happen(EVENT_ABORT));
    case COMMAND_CLEAR:
        return outcome(happen(EVENT_CLEAR));
    case COMMAND_MAKE_SAFE:
        (void)happen(EVENT_MAKE_SAFE);
        return RESULT_OK;
    case COMMAND_STATUS:
        return RESULT_OK;
    case COMMAND_CONFIRM:
        machine_write(PRIVATE_BOOT_CONTROL, PRIVATE_BOOT_CONTROL_CONFIRM_MASK);
        return RESULT_OK;
    case COMMAND_REBOOT:
        return argument > 1u || job.state == STATE_ARMED || job.state == STATE_RUNNING ? RESULT_REFUSED : RESULT_OK;
    default:
        return RESULT_UNKNOWN;
    }
}

static void serve(void)
{
    const uint32_t mail = machine_read(PRIVATE_MAILBOX);
    if ((mail & PRIVATE_MAILBOX_PENDING_MASK) == 0u) {
        return;
    }
    const uint32_t code = FIELD(mail, PRIVATE_MAILBOX_CODE);
    const uint32_t argument = machine_read(PRIVATE_ARGUMENT0);
    uint32_t value = job.state;
    const uint32_t result = execute(code, argument, &value);
    if (code == COMMAND_STATUS) {
        value = job.state | (job.event << PRIVATE_JOB_EVENT_OFFSET)
            | (job.safe_requested << PRIVATE_JOB_SAFE_REQUEST_OFFSET);
    }
    /* A host may ask for nothing but the status, many times: that is no event. */
    if (code != COMMAND_STATUS && code != COMMAND_PING) {
        log_event(LOG_COMMAND, code | (result << 8));
    }
    machine_write(PRIVATE_VALUE, value);
    machine_write(PRIVATE_ANSWER, result);
    if (code == COMMAND_REBOOT && result == RESULT_OK) {
        machine_write(
            PRIVATE_BOOT_CONTROL,
            argument == 0u ? PRIVATE_BOOT_CONTROL_REBOOT_A_MASK : PRIVATE_BOOT_CONTROL_REBOOT_B_MASK);
    }
}

/* The board's own safe state, and the host's lease. */
static void watch_safety(bool *bus)
{
    const uint32_t safe = machine_read(PRIVATE_SAFE);
    const uint32_t silence = machine_read(PRIVATE_SILENCE);
    if (safe != 0u && job.state != STATE_SAFE && job.state != STATE_FAULT) {
        log_event(LOG_BOARD_FAULTS, monitor_faults(bus));
        (void)happen(EVENT_BOARD_SAFE);
    }
    if (safe == 0u && job.state == STATE_SAFE && job.safe_requested == 0u) {
        (void)happen(EVENT_BOARD_RELEASED);
    }
    if ((job.state == STATE_ARMED || job.state == STATE_RUNNING) && silence >= machine_read(PRIVATE_LEASE)) {
        log_event(LOG_LEASE, silence);
        (void)happen(EVENT_LEASE_EXPIRED);
    }
}

/* One of the tables, and what a job must keep to. */
static void watch_job(bool *bus)
{
    if (job.state == STATE_IDLE || job.state == STATE_SAFE || job.state == STATE_FAULT) {
        return;
    }
    if (monitor_distrusts(job.next_table, job.unused_tables, bus) && *bus) {
        log_event(LOG_TABLE, job.next_table);
        (void)happen(EVENT_DISTRUSTED);
    }
    job.next_table = job.next_table + 1u == BOARD_TABLE_TRUSTED_COUNT ? 0u : job.next_table + 1u;
    if ((job.state == STATE_ARMED || job.state == STATE_RUNNING) && monitor_exceeded(bus)) {
        (void)happen(EVENT_LIMIT_EXCEEDED);
    }
    if (job.state == STATE_RUNNING && monitor_finished(bus)) {
        (void)happen(EVENT_FINISHED);
    }
}

void supervisor_begin(uint32_t failures)
{
    job.state = STATE_IDLE;
    job.event = 0u;
    job.safe_requested = 0u;
    job.unused_tables = 0u;
    job.next_table = 0u;
    job.longest_turn = 0u;
    publish();
    if (failures != 0u) {
        (void)happen(EVENT_FAILED);
    }
}

void supervisor_turn(void)
{
    const uint32_t begun = machine_read(PRIVATE_NOW_LOW);
    bool bus = true;
    watch_safety(&bus);
    watch_job(&bus);
    if (!bus) {
        (void)happen(EVENT_FAILED);
    }
    serve();
    const uint32_t turn = machine_read(PRIVATE_NOW_LOW) - begun;
    if (turn > job.longest_turn) {
        job.longest_turn = turn;
        machine_write(PRIVATE_TURN, turn);
    }
    machine_write(PRIVATE_KICK, KICK_KEY);
}
