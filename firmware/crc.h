/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32 as Ethernet and zlib have it. Pure. */
#pragma once

#include <stdint.h>

#define CRC_INITIAL 0xFFFFFFFFu

/* The running checksum with one more word, its least significant byte first. */
uint32_t crc_word(uint32_t checksum, uint32_t word);

/* The CRC that a running checksum means. */
static inline uint32_t crc_final(uint32_t checksum)
{
    return ~checksum;
}
