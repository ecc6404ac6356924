/* SPDX-License-Identifier: BSD-2-Clause */
#include "selftest.h"

#include "board.h"
#include "crc.h"
#include "log.h"

/* Words between two signs of life: some 30,000 cycles. */
#define KICK_EVERY_WORDS 64u

uint32_t selftest(const uint32_t *image, uint32_t bytes)
{
    uint32_t failures = 0;
    const uint32_t words = bytes >> 2;
    if (words < 2u || words > SLOT_WORDS) {
        failures |= PRIVATE_SELF_TEST_IMAGE_MASK;
    } else {
        uint32_t checksum = CRC_INITIAL;
        for (uint32_t word = 0; word < words - 1u; ++word) {
            BOUND(SLOT_WORDS);
            if ((word & (KICK_EVERY_WORDS - 1u)) == 0u) {
                machine_write(PRIVATE_KICK, KICK_KEY);
            }
            checksum = crc_word(checksum, image[word]);
        }
        machine_write(PRIVATE_IMAGE_CRC, crc_final(checksum));
        /* The image's last word is the CRC of all words before it. */
        if (crc_final(checksum) != image[words - 1u]) {
            failures |= PRIVATE_SELF_TEST_IMAGE_MASK;
        }
    }
    const uint32_t now = machine_read(PRIVATE_NOW_LOW);
    if (machine_read(PRIVATE_NOW_LOW) == now) {
        failures |= PRIVATE_SELF_TEST_COUNTER_MASK;
    }
    if (!board_table_known()) {
        failures |= PRIVATE_SELF_TEST_TABLE_MASK;
    } else if (!board_echoes()) {
        failures |= PRIVATE_SELF_TEST_BUS_MASK;
    }
    machine_write(PRIVATE_SELF_TEST, failures | PRIVATE_SELF_TEST_DONE_MASK);
    log_event(LOG_SELF_TEST, failures);
    return failures;
}
