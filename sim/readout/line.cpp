// SPDX-License-Identifier: BSD-2-Clause
//
// Native harness of a readout line: clock, register bus, samples and events, behind a C interface for ctypes.

#include <cstdint>
#include <memory>

#include "Vline.h"
#include "verilated.h"

namespace {

constexpr int RESET_CYCLES = 4;

struct Line {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<Vline> top;
    uint64_t now = 0;
    uint64_t busy_cycles = 0;

    Line() {
        top = std::make_unique<Vline>(context.get(), "line");
        top->sys_rst = 1;
        for (int k = 0; k < RESET_CYCLES; ++k) {
            settle();
            tick();
        }
        top->sys_rst = 0;
    }

    // Outputs of this cycle follow its inputs.
    void settle() {
        top->now = now;
        top->sys_clk = 0;
        top->eval();
    }

    void tick() {
        top->sys_clk = 1;
        top->eval();
        ++now;
    }
};

}  // namespace

// Mirrored by `_RECORD` of line.py: a cycle in which the line said something.
struct Record {
    uint64_t cycle;
    uint32_t valid, bits, leaked, time;
    uint32_t saturated, collision, unknown, reserved;
    uint64_t soft[2];
};

#define API extern "C" __attribute__((visibility("default")))

API void* line_create() { return new Line; }
API void line_destroy(void* line) { delete static_cast<Line*>(line); }
API uint64_t line_now(void* line) { return static_cast<Line*>(line)->now; }
API void line_set_now(void* line, uint64_t now) { static_cast<Line*>(line)->now = now; }

// Cycles of all runs in which the line was busy.
API uint64_t line_busy_cycles(void* line) { return static_cast<Line*>(line)->busy_cycles; }

API void line_write(void* handle, uint32_t address, uint32_t data) {
    auto& line = *static_cast<Line*>(handle);
    line.top->bus_adr = address;
    line.top->bus_dat_w = data;
    line.top->bus_we = 1;
    line.settle();
    line.tick();
    line.top->bus_we = 0;
    line.settle();
    line.tick();
}

API uint32_t line_read(void* handle, uint32_t address) {
    auto& line = *static_cast<Line*>(handle);
    line.top->bus_adr = address;
    line.top->bus_re = 1;
    line.settle();
    line.tick();
    line.top->bus_re = 0;
    line.settle();
    const uint32_t data = line.top->bus_dat_r;
    line.tick();
    line.settle();
    line.tick();
    return data;
}

// Runs `cycles` cycles with a sample (i, q) each, or zeros where `samples` is null. Event k, (kind << 32 | value), comes
// in the cycle `event_cycles[k]` of this call, in ascending order. Returns the number of records; those beyond `capacity`
// are counted but not stored.
API uint64_t line_run(void* handle, uint64_t cycles, const int16_t* samples, const uint64_t* event_cycles,
                      const uint64_t* events, uint64_t num_events, Record* records, uint64_t capacity) {
    auto& line = *static_cast<Line*>(handle);
    auto& top = *line.top;
    uint64_t event = 0, found = 0;
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
        top.i = samples ? uint16_t(samples[2 * cycle]) : 0;
        top.q = samples ? uint16_t(samples[2 * cycle + 1]) : 0;
        const bool due = event < num_events && event_cycles[event] == cycle;
        top.capture_valid = due;
        if (due) {
            top.capture_kind = events[event] >> 32;
            top.capture_value = uint32_t(events[event]);
            ++event;
        }
        line.settle();
        line.busy_cycles += top.busy;
        if (top.valid | top.saturated | top.collision | top.unknown) {
            if (found < capacity)
                records[found] = {line.now, top.valid, top.bits, top.leaked, top.result_time, top.saturated,
                                  top.collision, top.unknown, 0, {top.soft0, top.soft1}};
            ++found;
        }
        line.tick();
    }
    top.i = top.q = top.capture_valid = 0;
    return found;
}
