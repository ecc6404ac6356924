/* SPDX-License-Identifier: BSD-2-Clause */
#include "crc.h"

#include "machine.h"

#define NIBBLES_PER_WORD 8u

/* Remainders of the 16 values of a nibble, reflected polynomial 0xEDB88320. A table of bytes would be a kilobyte of the
   image, and the boot is in no hurry. */
static const uint32_t remainders[16] = {
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
    0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
};

uint32_t crc_word(uint32_t checksum, uint32_t word)
{
    checksum ^= word;
    for (uint32_t nibble = 0; nibble < NIBBLES_PER_WORD; ++nibble) {
        BOUND(NIBBLES_PER_WORD);
        checksum = (checksum >> 4) ^ remainders[checksum & 15u];
    }
    return checksum;
}
