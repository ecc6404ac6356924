/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"
#include "selftest.h"
#include "supervisor.h"

/* In start.S. */
extern const uint32_t image_header[];

#define HEADER_VERSION 2u
#define HEADER_BYTES 3u

_Noreturn void firmware_main(void);

_Noreturn void firmware_main(void)
{
    const uint32_t boot = machine_read(PRIVATE_BOOT);
    machine_write(PRIVATE_VERSION, image_header[HEADER_VERSION]);
    log_event(LOG_BOOT, FIELD(boot, PRIVATE_BOOT_CAUSE) | (FIELD(boot, PRIVATE_BOOT_SLOT) << 4));
    supervisor_begin(selftest(image_header, image_header[HEADER_BYTES]));
    for (;;) {
        BOUND(FOREVER);
        supervisor_turn();
    }
}
