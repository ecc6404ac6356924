// SPDX-License-Identifier: BSD-2-Clause
//
// Native harness of a discriminator alone: an integral in every cycle, behind a C interface for ctypes.

#include <cstdint>

#include "Vdiscriminator.h"
#include "verilated.h"

namespace {

constexpr int RESET_CYCLES = 4;
constexpr uint32_t INTEGRAL_MASK = (1u << 27) - 1, COEFFICIENT_MASK = (1u << 18) - 1;
constexpr uint64_t OFFSET_MASK = (uint64_t(1) << 47) - 1;

void tick(Vdiscriminator& top) {
    top.sys_clk = 1;
    top.eval();
    top.sys_clk = 0;
    top.eval();
}

}  // namespace

// registers: a1, b1, c1, a2, b2, c2, soft_shift. integrals: i and q of each shot. Results of shot k: bit 0 the bit, bit 1
// the leakage flag, bits 15 to 8 the soft value. Returns the number of results that came, `latency` cycles after their
// integrals; those at another distance are not counted.
extern "C" __attribute__((visibility("default"))) uint64_t discriminator_run(
    const int64_t* registers, const int32_t* integrals, uint64_t shots, uint64_t latency, uint16_t* results) {
    VerilatedContext context;
    Vdiscriminator top{&context, "discriminator"};
    top.sys_clk = 0;
    top.eval();
    top.sys_rst = 1;
    for (int k = 0; k < RESET_CYCLES; ++k) tick(top);
    top.sys_rst = 0;
    top.a1 = registers[0] & COEFFICIENT_MASK;
    top.b1 = registers[1] & COEFFICIENT_MASK;
    top.c1 = registers[2] & OFFSET_MASK;
    top.a2 = registers[3] & COEFFICIENT_MASK;
    top.b2 = registers[4] & COEFFICIENT_MASK;
    top.c2 = registers[5] & OFFSET_MASK;
    top.soft_shift = registers[6];
    top.load = 1;
    tick(top);
    top.load = 0;
    uint64_t found = 0;
    for (uint64_t cycle = 0; cycle < shots + latency; ++cycle) {
        top.start = cycle < shots;
        if (top.start) {
            top.i = integrals[2 * cycle] & INTEGRAL_MASK;
            top.q = integrals[2 * cycle + 1] & INTEGRAL_MASK;
        }
        top.eval();
        if (top.valid && cycle >= latency) {
            results[cycle - latency] = top.result_bit | top.leaked << 1 | (top.result_soft & 0xFF) << 8;
            ++found;
        }
        tick(top);
    }
    return found;
}
