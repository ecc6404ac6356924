/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's logic on a workstation, under sanitizers: commands come from stdin, accesses to the machine go out.

   b FAILURES        begin               -> d
   t                 one turn            -> d
   j STATE EVENT     the state machine   -> d NEXT ACTION
   c N WORD ...      CRC-32              -> d CRC
   s N WORD ...      self-test           -> d FAILURES
   While one is carried out: r ADDRESS is answered with a value, w ADDRESS VALUE is not answered. All in hexadecimal. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "crc.h"
#include "job.h"
#include "machine.h"
#include "selftest.h"
#include "supervisor.h"

#define MAX_WORDS 8192u

static uint32_t words[MAX_WORDS];

static uint32_t number(void)
{
    uint32_t value;
    if (scanf("%" SCNx32, &value) != 1) {
        exit(2);
    }
    return value;
}

uint32_t machine_read(uint32_t address)
{
    printf("r %" PRIx32 "\n", address);
    fflush(stdout);
    return number();
}

void machine_write(uint32_t address, uint32_t value)
{
    printf("w %" PRIx32 " %" PRIx32 "\n", address, value);
}

static uint32_t sequence(void)
{
    const uint32_t count = number();
    if (count > MAX_WORDS) {
        exit(2);
    }
    for (uint32_t k = 0; k < count; ++k) {
        words[k] = number();
    }
    return count;
}

int main(void)
{
    char command;
    while (scanf(" %c", &command) == 1) {
        uint32_t state, count, checksum = CRC_INITIAL;
        struct transition to;
        switch (command) {
        case 'b':
            supervisor_begin(number());
            printf("d\n");
            break;
        case 't':
            supervisor_turn();
            printf("d\n");
            break;
        case 'j':
            state = number();
            to = job_next(state, number());
            printf("d %x %x\n", to.next, to.action);
            break;
        case 'c':
            count = sequence();
            for (uint32_t k = 0; k < count; ++k) {
                checksum = crc_word(checksum, words[k]);
            }
            printf("d %" PRIx32 "\n", crc_final(checksum));
            break;
        case 's':
            count = sequence();
            printf("d %" PRIx32 "\n", selftest(words, 4u * count));
            break;
        default:
            return 2;
        }
        fflush(stdout);
    }
    return 0;
}
