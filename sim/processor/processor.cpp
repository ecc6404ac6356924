// SPDX-License-Identifier: BSD-2-Clause
//
// Native harness of the processor: clock, the host's registers, and a board behind its bus, with a C interface for ctypes.

#include <cstdint>
#include <memory>
#include <vector>

#include "Vprocessor.h"
#include "verilated.h"

namespace {

constexpr int RESET_CYCLES = 4;
constexpr uint32_t BOARD_WORDS = 1 << 16;

struct Reaction {
    uint32_t word, mask, target, value;
};

// Mirrored by `WRITE` of bench.py.
struct Write {
    uint64_t cycle;
    uint32_t address, value;
};

struct Processor {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<Vprocessor> top;
    std::vector<uint32_t> board = std::vector<uint32_t>(BOARD_WORDS);
    std::vector<Reaction> reactions;
    std::vector<Write> writes;
    uint64_t now = 0;
    uint64_t accesses = 0;
    uint32_t latency = 2, waited = 0, clear_word = ~0u;
    bool silent = false, safe = false;
    uint64_t safe_since = 0, requested_since = 0, expired_at = 0, expiries = 0;

    Processor() {
        top = std::make_unique<Vprocessor>(context.get(), "processor");
        top->sys_rst = 1;
        for (int k = 0; k < RESET_CYCLES; ++k) cycle();
        top->sys_rst = 0;
    }

    // One clock cycle. The board answers in the cycle in which an access has lasted `latency` cycles.
    void cycle() {
        top->now = now;
        top->safe = safe;
        top->bus_ack = 0;
        top->sys_clk = 0;
        top->eval();
        const bool access = top->bus_cyc && top->bus_stb;
        waited = access ? waited + 1 : 0;
        bool clears = false;
        if (access && !silent && waited >= latency) {
            waited = 0;
            ++accesses;
            const uint32_t word = top->bus_adr % BOARD_WORDS;
            top->bus_ack = 1;
            if (top->bus_we) {
                board[word] = top->bus_dat_w;
                writes.push_back({now, 4 * word, top->bus_dat_w});
                for (const auto& r : reactions)
                    if (r.word == word && (top->bus_dat_w & r.mask)) board[r.target] = r.value;
                clears = word == clear_word;
            }
            top->bus_dat_r = board[word];
            top->eval();
        }
        if (top->expired) {
            ++expiries;
            expired_at = now;
        }
        const bool faulty = top->safe_request || top->expired;
        if (!top->safe_request)
            requested_since = 0;
        else if (!requested_since)
            requested_since = now;
        if (clears) safe = false;
        if (faulty && !safe) safe_since = now;
        safe |= faulty;
        top->sys_clk = 1;
        top->eval();
        ++now;
    }
};

}  // namespace

#define API extern "C" __attribute__((visibility("default")))
#define SELF (*static_cast<Processor*>(handle))

API void* processor_create() { return new Processor; }
API void processor_destroy(void* handle) { delete &SELF; }
API uint64_t processor_now(void* handle) { return SELF.now; }
API void processor_set_now(void* handle, uint64_t now) { SELF.now = now; }
API void processor_run(void* handle, uint64_t cycles) {
    for (uint64_t k = 0; k < cycles; ++k) SELF.cycle();
}

API void processor_write(void* handle, uint32_t address, uint32_t data) {
    auto& top = *SELF.top;
    top.csr_adr = address;
    top.csr_dat_w = data;
    top.csr_we = 1;
    SELF.cycle();
    top.csr_we = 0;
    SELF.cycle();
}

API uint32_t processor_read(void* handle, uint32_t address) {
    auto& top = *SELF.top;
    top.csr_adr = address;
    top.csr_re = 1;
    SELF.cycle();
    top.csr_re = 0;
    top.sys_clk = 0;
    top.eval();
    const uint32_t data = top.csr_dat_r;
    SELF.cycle();
    return data;
}

// The board.
API uint32_t board_get(void* handle, uint32_t address) { return SELF.board[address / 4 % BOARD_WORDS]; }
API void board_set(void* handle, uint32_t address, uint32_t value) { SELF.board[address / 4 % BOARD_WORDS] = value; }
API void board_react(void* handle, uint32_t address, uint32_t mask, uint32_t target, uint32_t value) {
    SELF.reactions.push_back({address / 4, mask, target / 4 % BOARD_WORDS, value});
}
API void board_silent(void* handle, int silent) { SELF.silent = silent; }
API void board_latency(void* handle, uint32_t cycles) { SELF.latency = cycles; }
API void board_clear_address(void* handle, uint32_t address) { SELF.clear_word = address / 4; }
API void board_set_safe(void* handle, int safe) { SELF.safe = safe; }
API int board_is_safe(void* handle) { return SELF.safe; }

// Cycles: since when the board is safe, since when the firmware asks for it (0: it does not), of the last expiry.
API uint64_t board_safe_since(void* handle) { return SELF.safe_since; }
API uint64_t processor_requested_since(void* handle) { return SELF.requested_since; }
API uint64_t processor_expired_at(void* handle) { return SELF.expired_at; }
API uint64_t processor_expiries(void* handle) { return SELF.expiries; }
API uint64_t board_accesses(void* handle) { return SELF.accesses; }

// Takes up to `capacity` of the oldest writes that were not taken yet; returns how many.
API uint64_t board_writes(void* handle, Write* writes, uint64_t capacity) {
    auto& from = SELF.writes;
    const uint64_t count = from.size() < capacity ? from.size() : capacity;
    for (uint64_t k = 0; k < count; ++k) writes[k] = from[k];
    from.erase(from.begin(), from.begin() + count);
    return count;
}
