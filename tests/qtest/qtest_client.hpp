// SPDX-License-Identifier: GPL-2.0-or-later
// A QEMU process driven over its qtest and QMP sockets: no guest runs, the test is the
// guest. Knows nothing of any test framework.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace qtest {

// How often an intercepted interrupt line went up.
struct Line {
    unsigned raised = 0;
    bool level = false;
};

class Machine {
public:
    // `qemu` is the binary, `arguments` what comes after the accelerator and the sockets;
    // with "-accel", "tcg" among them the processors run.
    // nullptr: it did not start, `error` says why (QEMU's own messages included).
    static std::unique_ptr<Machine> start(const std::string& qemu,
                                          const std::vector<std::string>& arguments,
                                          std::string& error);
    // Asks QEMU to leave and waits for it.
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // False once QEMU has died or closed its socket; reads then give 0.
    bool alive() const { return alive_; }
    // What QEMU has printed so far, from that byte on.
    std::string output(std::size_t from = 0) const;

    std::uint8_t read8(std::uint64_t address);
    std::uint32_t read32(std::uint64_t address);
    std::uint64_t read64(std::uint64_t address);
    void write8(std::uint64_t address, std::uint8_t value);
    void write16(std::uint64_t address, std::uint16_t value);
    void write32(std::uint64_t address, std::uint32_t value);
    void write64(std::uint64_t address, std::uint64_t value);
    std::vector<std::uint8_t> read(std::uint64_t address, std::size_t size);
    void write(std::uint64_t address, std::span<const std::uint8_t> bytes);
    void fill(std::uint64_t address, std::size_t size, std::uint8_t value);

    std::uint32_t in32(std::uint16_t port);
    void out32(std::uint16_t port, std::uint32_t value);

    void step_clock(std::uint64_t nanoseconds);

    // From now on the outputs `name` ("" or "sysbus-irq") of the device at `path` are
    // counted instead of delivered.
    void intercept(const std::string& path, const std::string& name);
    Line line(unsigned number);
    // The same, of what has been reported with earlier answers.
    Line reported(unsigned number) { return lines_[number]; }
    void forget_lines() { lines_.clear(); }

    // One QMP command; the answer is its "return" value or the whole error object as
    // JSON.
    struct Answer {
        bool ok = false;
        std::string json;
    };
    Answer qmp(const std::string& command, const std::string& arguments_json = "{}");
    // A line of the human monitor; its text.
    std::string hmp(const std::string& line);
    // Migrates into `file` and waits; QEMU is stopped afterwards.
    bool migrate_to(const std::string& file);
    // For a machine started with -incoming defer.
    bool migrate_from(const std::string& file);

private:
    Machine() = default;
    std::string command(const std::string& line);
    std::string take_line(int fd, std::string& buffer);
    bool migration_finished();

    int pid_ = -1, qtest_ = -1, qmp_ = -1;
    bool alive_ = false;
    std::string output_path_, qtest_buffer_, qmp_buffer_;
    std::map<unsigned, Line> lines_;
};

// The value of "key" in a piece of JSON that QEMU wrote, without quotes; empty if absent.
std::string json_value(std::string_view json, std::string_view key);

}  // namespace qtest
