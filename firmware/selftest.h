/* SPDX-License-Identifier: BSD-2-Clause */
/* What is tested before anything else is done; the static RAM was tested in start.S, before there was a stack. */
#pragma once

#include <stdint.h>

/* Test image, counter, board table and bus. Returns what failed, bits of PRIVATE_SELF_TEST_..., and tells the host. */
uint32_t selftest(const uint32_t *image, uint32_t bytes);
