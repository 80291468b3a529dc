// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/qtest/qtest_client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace qtest {

namespace {

constexpr int answer_timeout_ms = 60'000;

std::string hex(std::uint64_t value)
{
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

std::string escape(const std::string& text)
{
    std::string out;
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out;
}

std::string slurp(const std::string& path, std::size_t from)
{
    std::ifstream file(path);
    file.seekg(static_cast<std::streamoff>(from));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

bool send_all(int fd, const std::string& text)
{
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n =
            ::send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
        if (n <= 0 && errno != EINTR) {
            return false;
        }
        done += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    return true;
}

unsigned nibble(char c)
{
    return c <= '9' ? unsigned(c - '0') : unsigned((c | 0x20) - 'a' + 10);
}

[[noreturn]] void become_qemu(const std::vector<std::string>& arguments, int output,
                              int qtest, int qmp)
{
    std::vector<char*> argv;
    for (const auto& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // not to outlive a test that is killed
    ::dup2(output, 1);
    ::dup2(output, 2);
    ::fcntl(qtest, F_SETFD, 0);
    ::fcntl(qmp, F_SETFD, 0);
    ::execvp(argv[0], argv.data());
    ::dprintf(2, "%s: %s\n", argv[0], std::strerror(errno));
    ::_exit(127);
}

}  // namespace

std::unique_ptr<Machine> Machine::start(const std::string& qemu,
                                        const std::vector<std::string>& arguments,
                                        std::string& error)
{
    std::unique_ptr<Machine> m(new Machine);
    int control[2], monitor[2];
    char path[] = "/tmp/winiommu-qtest-XXXXXX";
    const int output = ::mkostemp(path, O_CLOEXEC);
    if (output < 0 ||
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0 ||
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor) != 0) {
        error = std::string("cannot make the sockets of QEMU: ") + std::strerror(errno);
        return nullptr;
    }
    m->output_path_ = path;
    // The first one counts.
    const bool runs =
        std::find(arguments.begin(), arguments.end(), "tcg") != arguments.end();
    std::vector<std::string> all = {qemu,
                                    "-accel",
                                    runs ? "tcg" : "qtest",
                                    "-display",
                                    "none",
                                    "-nodefaults",
                                    "-chardev",
                                    "socket,id=qtest0,fd=" + std::to_string(control[1]),
                                    "-qtest",
                                    "chardev:qtest0",
                                    "-qtest-log",
                                    "none",
                                    "-chardev",
                                    "socket,id=qmp0,fd=" + std::to_string(monitor[1]),
                                    "-mon",
                                    "chardev=qmp0,mode=control"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    m->pid_ = ::fork();
    if (m->pid_ == 0) {
        become_qemu(all, output, control[1], monitor[1]);
    }
    ::close(output);
    ::close(control[1]);
    ::close(monitor[1]);
    m->qtest_ = control[0];
    m->qmp_ = monitor[0];
    m->alive_ = true;
    const bool greeted = !m->take_line(m->qmp_, m->qmp_buffer_).empty();
    if (!greeted || !m->qmp("qmp_capabilities").ok) {
        error = "QEMU did not start: " + m->output();
        return nullptr;
    }
    return m;
}

Machine::~Machine()
{
    if (alive_) {
        send_all(qmp_, "{\"execute\":\"quit\"}\n");
        while (alive_) {  // until QEMU has closed its end
            take_line(qmp_, qmp_buffer_);
        }
    }
    ::close(qtest_);
    ::close(qmp_);
    if (pid_ > 0) {
        int status;
        for (int tries = 0; ::waitpid(pid_, &status, WNOHANG) == 0; ++tries) {
            if (tries == 500) {
                ::kill(pid_, SIGKILL);
            }
            ::usleep(10'000);
        }
    }
    ::unlink(output_path_.c_str());
}

std::string Machine::output(std::size_t from) const
{
    return slurp(output_path_, from);
}

std::string Machine::take_line(int fd, std::string& buffer)
{
    while (alive_) {
        const auto end = buffer.find('\n');
        if (end != std::string::npos) {
            std::string line = buffer.substr(0, end);
            buffer.erase(0, end + 1);
            return line;
        }
        pollfd wait{fd, POLLIN, 0};
        char chunk[65536];
        const int ready = ::poll(&wait, 1, answer_timeout_ms);
        const ssize_t n = ready > 0 ? ::read(fd, chunk, sizeof chunk) : 0;
        if (n <= 0) {
            alive_ = false;
            break;
        }
        buffer.append(chunk, static_cast<std::size_t>(n));
    }
    return {};
}

// Sends a line, returns what follows "OK".  Interrupts that are reported on the way
// count.
std::string Machine::command(const std::string& line)
{
    if (!alive_ || !send_all(qtest_, line + "\n")) {
        alive_ = false;
        return {};
    }
    while (alive_) {
        const std::string answer = take_line(qtest_, qtest_buffer_);
        unsigned number;
        if (std::sscanf(answer.c_str(), "IRQ raise %u", &number) == 1) {
            lines_[number].raised += lines_[number].level ? 0 : 1;
            lines_[number].level = true;
        } else if (std::sscanf(answer.c_str(), "IRQ lower %u", &number) == 1) {
            lines_[number].level = false;
        } else if (answer.rfind("OK", 0) == 0) {
            return answer.size() > 3 ? answer.substr(3) : std::string();
        } else {
            break;
        }
    }
    return {};
}

std::uint8_t Machine::read8(std::uint64_t address)
{
    return static_cast<std::uint8_t>(
        std::strtoull(command("readb " + hex(address)).c_str(), nullptr, 0));
}

std::uint32_t Machine::read32(std::uint64_t address)
{
    return static_cast<std::uint32_t>(
        std::strtoull(command("readl " + hex(address)).c_str(), nullptr, 0));
}

std::uint64_t Machine::read64(std::uint64_t address)
{
    return std::strtoull(command("readq " + hex(address)).c_str(), nullptr, 0);
}

void Machine::write8(std::uint64_t address, std::uint8_t value)
{
    command("writeb " + hex(address) + " " + hex(value));
}

void Machine::write16(std::uint64_t address, std::uint16_t value)
{
    command("writew " + hex(address) + " " + hex(value));
}

void Machine::write32(std::uint64_t address, std::uint32_t value)
{
    command("writel " + hex(address) + " " + hex(value));
}

void Machine::write64(std::uint64_t address, std::uint64_t value)
{
    command("writeq " + hex(address) + " " + hex(value));
}

std::vector<std::uint8_t> Machine::read(std::uint64_t address, std::size_t size)
{
    const std::string text = command("read " + hex(address) + " " + hex(size));
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size && 2 * i + 3 < text.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(nibble(text[2 * i + 2]) << 4 |
                                             nibble(text[2 * i + 3]));
    }
    return bytes;
}

void Machine::write(std::uint64_t address, std::span<const std::uint8_t> bytes)
{
    static constexpr char digits[] = "0123456789abcdef";
    std::string text = "write " + hex(address) + " " + hex(bytes.size()) + " 0x";
    for (const std::uint8_t b : bytes) {
        text += digits[b >> 4];
        text += digits[b & 15];
    }
    command(text);
}

void Machine::fill(std::uint64_t address, std::size_t size, std::uint8_t value)
{
    command("memset " + hex(address) + " " + hex(size) + " " + hex(value));
}

std::uint32_t Machine::in32(std::uint16_t port)
{
    return static_cast<std::uint32_t>(
        std::strtoull(command("inl " + hex(port)).c_str(), nullptr, 0));
}

void Machine::out32(std::uint16_t port, std::uint32_t value)
{
    command("outl " + hex(port) + " " + hex(value));
}

void Machine::step_clock(std::uint64_t nanoseconds)
{
    command("clock_step " + std::to_string(nanoseconds));
}

void Machine::intercept(const std::string& path, const std::string& name)
{
    command("irq_intercept_out " + path + (name.empty() ? "" : " " + name));
}

Line Machine::line(unsigned number)
{
    command(
        "clock_step 0");  // whatever QEMU has reported by now comes before this answer
    return lines_[number];
}

Machine::Answer Machine::qmp(const std::string& name, const std::string& arguments_json)
{
    if (!alive_ || !send_all(qmp_, "{\"execute\":\"" + name +
                                       "\",\"arguments\":" + arguments_json + "}\n")) {
        alive_ = false;
        return {};
    }
    while (alive_) {
        const std::string line = take_line(qmp_, qmp_buffer_);
        if (line.rfind("{\"return\"", 0) == 0) {
            return {true, line};
        }
        if (line.find("\"error\"") != std::string::npos &&
            line.find("\"event\"") == std::string::npos) {
            return {false, line};
        }
    }
    return {};
}

std::string Machine::hmp(const std::string& line)
{
    return json_value(
        qmp("human-monitor-command", "{\"command-line\":\"" + escape(line) + "\"}").json,
        "return");
}

bool Machine::migration_finished()
{
    for (int tries = 0; alive_ && tries < 3000; ++tries) {
        const std::string status = json_value(qmp("query-migrate").json, "status");
        if (status == "completed") {
            return true;
        }
        if (status == "failed" || status == "cancelled") {
            return false;
        }
        ::usleep(10'000);
    }
    return false;
}

bool Machine::migrate_to(const std::string& file)
{
    return qmp("migrate", "{\"uri\":\"file:" + file + "\"}").ok && migration_finished();
}

bool Machine::migrate_from(const std::string& file)
{
    return qmp("migrate-incoming", "{\"uri\":\"file:" + file + "\"}").ok &&
           migration_finished();
}

std::string json_value(std::string_view json, std::string_view key)
{
    const std::string quoted = "\"" + std::string(key) + "\"";
    auto at = json.find(quoted);
    if (at == std::string_view::npos) {
        return {};
    }
    at = json.find_first_not_of(" :", at + quoted.size());
    if (at == std::string_view::npos) {
        return {};
    }
    if (json[at] != '"') {
        return std::string(json.substr(at, json.find_first_of(",}", at) - at));
    }
    std::string value;
    for (++at; at < json.size() && json[at] != '"'; ++at) {
        if (json[at] == '\\' && at + 1 < json.size()) {
            ++at;
            value += json[at] == 'n' ? '\n' : json[at] == 'r' ? '\r' : json[at];
        } else {
            value += json[at];
        }
    }
    return value;
}

}  // namespace qtest
