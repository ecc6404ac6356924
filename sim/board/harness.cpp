// SPDX-License-Identifier: BSD-2-Clause
//
// Native harness of the simulated board: clock, register bus and streaming, behind a C interface for ctypes.
//
// A board is one verilated model with its own context, so that a process can hold any number of them. Every function
// takes a bounded number of cycles; nothing here waits for anything without a limit.

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "Vboard.h"
#include "verilated.h"
#if VM_TRACE
#include <fcntl.h>
#include <unistd.h>

#include "verilated_vcd_c.h"
#endif

namespace {

// A bus word takes 2 cycles; a slave that has not answered after this many is broken.
constexpr int BUS_LIMIT = 64;
constexpr int RESET_CYCLES = 8;
constexpr int WORD_BYTES = 4;
// Words that must be waiting before a drain is worth its poll, as long as there is something else to do.
constexpr uint64_t WORTHWHILE = 64;

enum Status : int { OK = 0, DONE = 1, STUCK = 2, SAFE = 3, BUS_ERROR = 4, NO_TRACE = 5, TRACE_FAILED = 6 };

#if VM_TRACE
// The file of a VCD. After the first error it swallows what is left: Verilator's own file calls vl_fatal on a full disk,
// which waits for ever inside a shared library.
class TraceFile final : public VerilatedVcdFile {
    int fd = -1;

public:
    int error = 0;

    bool open(const std::string& name) override {
        fd = ::open(name.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
        if (fd < 0) error = errno;
        return fd >= 0;
    }
    void close() override {
        if (fd >= 0 && ::close(fd) && !error) error = errno;
        fd = -1;
    }
    ssize_t write(const char* data, ssize_t length) override {
        ssize_t written = 0;
        while (!error && written < length) {
            const ssize_t got = ::write(fd, data + written, length - written);
            if (got > 0) {
                written += got;
            } else if (got == 0 || errno != EINTR) {
                error = got ? errno : EIO;
            }
        }
        return length;
    }
};
#endif

// What a generator has begun; as many words as the channel has, see boards/sim/platform.py.
constexpr int DRIVE_WORDS = 4;
constexpr int TONES_WORDS = 19;
struct Played {
    uint64_t cycle;
    uint32_t channel;
    uint32_t words[TONES_WORDS];
};
// The output of a channel begins to differ from 0, or has become 0.
struct Edge {
    uint64_t cycle;
    uint32_t channel;
    uint32_t sounds;
};
constexpr int CHANNELS = NUM_DRIVES + NUM_LINES;
// A word was written to a register.
struct Written {
    uint64_t cycle;
    uint32_t address;
    uint32_t word;
};

#if NUM_LINES
// What is written to registers that somebody watches.
struct Tap {
    std::vector<bool> watched;
    std::vector<Written> written;

    void watch(const Vboard& top, uint64_t cycle) {
        if (!top.written_valid) return;
        const uint32_t word = top.written_address / WORD_BYTES;
        if (word < watched.size() && watched[word]) written.push_back({cycle, top.written_address, top.written_data});
    }
};

// The converters: samples that are on their way to a line, and what generators have begun.
struct Converters {
    struct Samples {
        uint64_t start = 0;
        std::vector<uint32_t> words;
    };
    Samples lines[NUM_LINES];
    bool sounds[CHANNELS] = {};
    std::vector<Played> played;
    std::vector<Edge> edges;
    uint64_t lines_played = 0;

    void drive(Vboard& top, uint64_t cycle) {
        for (int k = 0; k < NUM_LINES; ++k) {
            const Samples& line = lines[k];
            const uint64_t at = cycle - line.start;
            top.adc[k] = cycle >= line.start && at < line.words.size() ? line.words[at] : 0;
        }
    }
    void watch(const Vboard& top, uint64_t cycle) {
        for (int k = 0; k < CHANNELS; ++k) {
            const bool now = top.dac[2 * k] | top.dac[2 * k + 1];
            if (now != sounds[k]) edges.push_back({cycle, static_cast<uint32_t>(k), now});
            sounds[k] = now;
            if (!(top.played_valid[k / 32] >> k % 32 & 1)) continue;
            const bool line = k >= NUM_DRIVES;
            const int first = line ? DRIVE_WORDS * NUM_DRIVES + TONES_WORDS * (k - NUM_DRIVES) : DRIVE_WORDS * k;
            Played one{cycle, static_cast<uint32_t>(k), {}};
            for (int w = 0; w < (line ? TONES_WORDS : DRIVE_WORDS); ++w) one.words[w] = top.played[first + w];
            played.push_back(one);
            lines_played += line;
        }
    }
};
#endif

#if LINKS
// The cables: frames as they are on an Ethernet cable, preamble to check sequence, and bytes of a serial line.
struct Links {
    // Byte times between two frames, at the least; cycles without a byte after which a serial message is over
    static constexpr int GAP = 12;
    static constexpr int PAUSE = 64;
    std::deque<std::vector<uint8_t>> to_board, from_board;
    std::vector<uint8_t> leaving;
    size_t at = 0;
    int gap = 0;
    std::deque<uint8_t> serial_to_board;
    std::vector<uint8_t> serial_from_board;
    int quiet = 0;

    bool anything() const { return !from_board.empty() || (!serial_from_board.empty() && quiet > PAUSE); }
    void drive(Vboard& top) {
        const bool frame = !gap && !to_board.empty();
        top.ethernet_rx_valid = frame;
        top.ethernet_rx_data = frame ? to_board.front()[at] : 0;
        top.ethernet_rx_last = frame && at + 1 == to_board.front().size();
        top.serial_rx_valid = !serial_to_board.empty();
        top.serial_rx_data = serial_to_board.empty() ? 0 : serial_to_board.front();
    }
    void watch(const Vboard& top) {
        if (gap) {
            --gap;
        } else if (!to_board.empty() && ++at == to_board.front().size()) {
            to_board.pop_front();
            at = 0;
            gap = GAP;
        }
        if (top.serial_rx_valid && top.serial_rx_ready) serial_to_board.pop_front();
        ++quiet;
        if (top.serial_tx_valid) {
            serial_from_board.push_back(top.serial_tx_data);
            quiet = 0;
        }
        if (!top.ethernet_tx_valid) return;
        leaving.push_back(top.ethernet_tx_data);
        if (!top.ethernet_tx_last) return;
        from_board.push_back(std::move(leaving));
        leaving.clear();
    }
};
#endif

struct Board {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<Vboard> top;
    uint64_t cycles = 0;
    // Cycle in which the board's own counter was 0
    uint64_t epoch = 0;
#if NUM_LINES
    Converters converters;
    Tap tap;
#endif
#if LINKS
    Links links;
#endif
#if VM_TRACE
    TraceFile file;
    std::unique_ptr<VerilatedVcdC> vcd;
    uint64_t vcd_until = 0;
#endif

    Board() {
#if VM_TRACE
        context->traceEverOn(true);
#endif
        top = std::make_unique<Vboard>(context.get(), "board");
        top->wishbone_sel = 0xf;
    }
    // Verilator frees a model by the context that the thread used last, which is that of the board that was made last.
    ~Board() {
        Verilated::threadContextp(context.get());
        top->final();
#if VM_TRACE
        vcd.reset();
#endif
        top.reset();
        Verilated::threadContextp(nullptr);
    }

    // One cycle. Outputs sampled between `settle` and `edge` are those that the coming edge sees.
    void settle() {
        top->sys_clk = 0;
        top->decoder_clk = 0;
#if NUM_LINES
        converters.drive(*top, cycles - epoch);
#endif
#if LINKS
        links.drive(*top);
#endif
        top->eval();
        dump(2 * cycles);
    }
    void edge() {
        // The decoder's clock has its edge in the same instant, or none.
        top->decoder_clk = top->decoder_enable;
#if NUM_LINES
        converters.watch(*top, cycles - epoch);
        tap.watch(*top, cycles - epoch);
#endif
#if LINKS
        links.watch(*top);
#endif
        top->sys_clk = 1;
        top->eval();
        dump(2 * cycles + 1);
        ++cycles;
    }
    void dump([[maybe_unused]] uint64_t half) {
#if VM_TRACE
        if (!vcd) return;
        if (cycles < vcd_until && !file.error) {
            vcd->dump(half);
        } else {
            end_trace();
        }
#endif
    }
#if VM_TRACE
    Status end_trace() {
        if (vcd) vcd->close();
        vcd.reset();
        return file.error ? TRACE_FAILED : OK;
    }
#endif
    void run(uint64_t count) {
        for (uint64_t i = 0; i < count; ++i) {
            settle();
            edge();
        }
    }

    bool access(uint32_t byte_address, bool write, uint32_t& word) {
        top->wishbone_adr = byte_address / WORD_BYTES;
        top->wishbone_we = write;
        top->wishbone_dat_w = word;
        top->wishbone_cyc = 1;
        top->wishbone_stb = 1;
        bool done = false;
        for (int i = 0; i < BUS_LIMIT && !done; ++i) {
            settle();
            done = top->wishbone_ack;
            if (done && !write) word = top->wishbone_dat_r;
            edge();
        }
        top->wishbone_cyc = 0;
        top->wishbone_stb = 0;
        top->wishbone_we = 0;
        return done;
    }
};

}  // namespace

// Mirrored by `_Stream` in library.py.
struct Stream {
    // Register addresses in bytes
    uint32_t status_address;
    uint32_t events_address;
    uint32_t results_address;
    // Cycles between polls that find nothing to do; cycles without a word either way after which the stream is stuck
    uint32_t idle_step;
    uint64_t idle_limit;
    // Where to go and how far it has got, in words
    const uint32_t* events;
    uint64_t events_total;
    uint64_t events_done;
    uint32_t* results;
    uint64_t results_total;
    uint64_t results_done;
    // Cycle of the last word either way
    uint64_t progress;
};

#pragma GCC visibility push(default)
extern "C" {

Board* board_create() { return new Board; }
void board_destroy(Board* board) { delete board; }
uint64_t board_cycles(const Board* board) { return board->cycles; }

void board_reset(Board* board) {
    board->top->sys_rst = 1;
    board->run(RESET_CYCLES);
    board->top->sys_rst = 0;
    board->epoch = board->cycles;
#if NUM_LINES
    board->converters = Converters();
#endif
#if LINKS
    board->links = Links();
#endif
    board->run(1);
}

// Cycle of the board's own counter.
uint64_t board_now(const Board* board) { return board->cycles - board->epoch; }

// Runs for `max_cycles` at most, and no further than the next tones that a readout line plays, or the end of the next
// frame, or of bytes on the serial line, that the board sends. Returns how many lines have begun to play since.
uint64_t board_play(Board* board, uint64_t max_cycles) {
    const uint64_t end = board->cycles + max_cycles;
    uint64_t lines = 0;
#if NUM_LINES
    const uint64_t before = board->converters.lines_played;
#endif
    for (bool stop = false; board->cycles < end && !stop;) {
        board->run(1);
#if NUM_LINES
        lines = board->converters.lines_played - before;
        stop |= lines > 0;
#endif
#if LINKS
        stop |= board->links.anything();
#endif
    }
    return lines;
}

// A frame that goes to the board, preamble to check sequence. At least one byte.
void board_frame_in([[maybe_unused]] Board* board, [[maybe_unused]] const uint8_t* bytes, [[maybe_unused]] uint64_t count) {
#if LINKS
    board->links.to_board.emplace_back(bytes, bytes + count);
#endif
}

// The oldest frame that the board has sent, which is then forgotten. Returns its length, 0 if there is none; only
// `limit` bytes of it are copied.
uint64_t board_frame_out([[maybe_unused]] Board* board, [[maybe_unused]] uint8_t* bytes, [[maybe_unused]] uint64_t limit) {
#if LINKS
    auto& frames = board->links.from_board;
    if (frames.empty()) return 0;
    const uint64_t length = frames.front().size();
    std::copy_n(frames.front().begin(), std::min(limit, length), bytes);
    frames.pop_front();
    return length;
#else
    return 0;
#endif
}

// Frames and bytes that have not entered the board yet.
uint64_t board_waiting([[maybe_unused]] const Board* board) {
#if LINKS
    return board->links.to_board.size() + board->links.serial_to_board.size();
#else
    return 0;
#endif
}

// Bytes of the serial line to the board, and from it: at most `limit` of them, returns how many.
void board_serial_in([[maybe_unused]] Board* board, [[maybe_unused]] const uint8_t* bytes, [[maybe_unused]] uint64_t count) {
#if LINKS
    board->links.serial_to_board.insert(board->links.serial_to_board.end(), bytes, bytes + count);
#endif
}

uint64_t board_serial_out([[maybe_unused]] Board* board, [[maybe_unused]] uint8_t* bytes, [[maybe_unused]] uint64_t limit) {
#if LINKS
    auto& sent = board->links.serial_from_board;
    const uint64_t count = std::min<uint64_t>(limit, sent.size());
    std::copy_n(sent.begin(), count, bytes);
    sent.erase(sent.begin(), sent.begin() + count);
    return count;
#else
    return 0;
#endif
}

// Takes what generators have begun, oldest first, and forgets it; at most `limit`. Returns how many.
uint64_t board_played([[maybe_unused]] Board* board, [[maybe_unused]] Played* out, [[maybe_unused]] uint64_t limit) {
#if NUM_LINES
    auto& played = board->converters.played;
    const uint64_t count = std::min<uint64_t>(limit, played.size());
    std::copy_n(played.begin(), count, out);
    played.erase(played.begin(), played.begin() + count);
    return count;
#else
    return 0;
#endif
}

// From now on keep what is written to these registers, byte addresses, beside those that are watched already.
void board_watch([[maybe_unused]] Board* board, [[maybe_unused]] const uint32_t* addresses, [[maybe_unused]] uint64_t count) {
#if NUM_LINES
    auto& watched = board->tap.watched;
    for (uint64_t i = 0; i < count; ++i) {
        const uint32_t word = addresses[i] / WORD_BYTES;
        if (word >= watched.size()) watched.resize(word + 1);
        watched[word] = true;
    }
#endif
}

// Takes what was written to them, oldest first, and forgets it; at most `limit`. Returns how many.
uint64_t board_written([[maybe_unused]] Board* board, [[maybe_unused]] Written* out, [[maybe_unused]] uint64_t limit) {
#if NUM_LINES
    auto& written = board->tap.written;
    const uint64_t count = std::min<uint64_t>(limit, written.size());
    std::copy_n(written.begin(), count, out);
    written.erase(written.begin(), written.begin() + count);
    return count;
#else
    return 0;
#endif
}

// The same of edges of the converters' outputs.
uint64_t board_edges([[maybe_unused]] Board* board, [[maybe_unused]] Edge* out, [[maybe_unused]] uint64_t limit) {
#if NUM_LINES
    auto& edges = board->converters.edges;
    const uint64_t count = std::min<uint64_t>(limit, edges.size());
    std::copy_n(edges.begin(), count, out);
    edges.erase(edges.begin(), edges.begin() + count);
    return count;
#else
    return 0;
#endif
}

// Samples of a line, from a cycle of the board's own counter on; 0 before and after them. They take the place of earlier ones.
void board_samples([[maybe_unused]] Board* board, [[maybe_unused]] uint32_t line, [[maybe_unused]] uint64_t start,
                   [[maybe_unused]] const uint32_t* words, [[maybe_unused]] uint64_t count) {
#if NUM_LINES
    board->converters.lines[line].start = start;
    board->converters.lines[line].words.assign(words, words + count);
#endif
}

void board_run(Board* board, uint64_t cycles) { board->run(cycles); }

int board_write(Board* board, uint32_t address, const uint32_t* words, uint64_t count, int increment) {
    for (uint64_t i = 0; i < count; ++i) {
        uint32_t word = words[i];
        if (!board->access(address, true, word)) return BUS_ERROR;
        if (increment) address += WORD_BYTES;
    }
    return OK;
}

int board_read(Board* board, uint32_t address, uint32_t* words, uint64_t count, int increment) {
    for (uint64_t i = 0; i < count; ++i) {
        words[i] = 0;
        if (!board->access(address, false, words[i])) return BUS_ERROR;
        if (increment) address += WORD_BYTES;
    }
    return OK;
}

// Moves words both ways for about `max_cycles`, or until all results are there, or nothing moves any more.
int board_stream(Board* board, Stream* s, uint64_t max_cycles) {
    const uint64_t end = board->cycles + max_cycles;
    while (s->results_done < s->results_total) {
        if (board->cycles >= end) return OK;
        uint32_t status = 0;
        if (!board->access(s->status_address, false, status)) return BUS_ERROR;
        const bool safe = status >> 31;
        uint64_t space = status & 0x7fff;
        uint64_t level = status >> 15 & 0x7fff;
        const uint64_t wanted = s->results_total - s->results_done;
        const uint64_t unsent = s->events_total - s->events_done;
        if (safe && level == 0) return SAFE;
        if (safe) space = 0;
        if (space > unsent) space = unsent;
        if (level > wanted) level = wanted;

        bool moved = false;
        if (space > 0) {
            if (const int error = board_write(board, s->events_address, s->events + s->events_done, space, 0)) return error;
            s->events_done += space;
            moved = true;
        }
        const bool idle = board->cycles - s->progress >= s->idle_step;
        if (level >= WORTHWHILE || level == wanted || (level > 0 && (idle || safe))) {
            if (const int error = board_read(board, s->results_address, s->results + s->results_done, level, 0)) return error;
            s->results_done += level;
            moved = true;
        }
        if (moved) {
            s->progress = board->cycles;
        } else if (board->cycles - s->progress > s->idle_limit) {
            return STUCK;
        } else {
            board->run(s->idle_step);
        }
    }
    return DONE;
}

// Writes a VCD of the next `cycles` cycles; time is in half cycles. Ends a window that is still open.
int board_trace([[maybe_unused]] Board* board, [[maybe_unused]] const char* path, [[maybe_unused]] uint64_t cycles) {
#if VM_TRACE
    board->end_trace();
    board->file.error = 0;
    board->vcd = std::make_unique<VerilatedVcdC>(&board->file);
    board->top->trace(board->vcd.get(), 99);
    board->vcd->open(path);
    if (board->file.error) return board->end_trace();
    board->vcd_until = board->cycles + cycles;
    return OK;
#else
    return NO_TRACE;
#endif
}

// Closes a window before its end, so that the file is whole. Says whether all of it could be written, also where the
// window has ended by itself.
int board_trace_end([[maybe_unused]] Board* board) {
#if VM_TRACE
    return board->end_trace();
#else
    return OK;
#endif
}

// What TRACE_FAILED was, as errno; 0 if nothing failed.
int board_trace_error([[maybe_unused]] const Board* board) {
#if VM_TRACE
    return board->file.error;
#else
    return 0;
#endif
}

}  // extern "C"
#pragma GCC visibility pop
