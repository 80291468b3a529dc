// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/misc/dma/engine.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace iommu::dma {

namespace {

constexpr std::uint32_t pasid_valid = 1u << 31;
constexpr std::uint32_t pasid_value = (1u << 20) - 1;

bool is_atomic(Command c)
{
    return c == Command::FetchAdd || c == Command::Swap || c == Command::CompareSwap;
}

bool is_known(std::uint32_t code)
{
    return code <= unsigned(Command::Checksum) ||
           (code >= unsigned(Command::FetchAdd) &&
            code <= unsigned(Command::CompareSwap)) ||
           code == unsigned(Command::Translate);
}

bool uses_buffer(Command c)
{
    return c == Command::Read || c == Command::Write;
}

std::uint64_t passes(const Job& job)
{
    return std::max<std::uint64_t>(job.repeat, 1);
}

std::uint32_t largest_access(const Job& job)
{
    return job.access_size == 0 ? page : job.access_size;
}

constexpr std::array<std::uint32_t, 256> make_crc_table()
{
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int bit = 0; bit < 8; ++bit) {
            c = (c & 1) ? 0xedb88320u ^ (c >> 1) : c >> 1;
        }
        table[i] = c;
    }
    return table;
}
constexpr auto crc_table = make_crc_table();

template <typename T>
std::uint64_t atomic_update(void* at, const Job& job)
{
    auto* word = static_cast<T*>(at);
    const auto operand = static_cast<T>(job.operand);
    if (job.command == unsigned(Command::FetchAdd)) {
        return __atomic_fetch_add(word, operand, __ATOMIC_SEQ_CST);
    }
    if (job.command == unsigned(Command::Swap)) {
        return __atomic_exchange_n(word, operand, __ATOMIC_SEQ_CST);
    }
    auto expected = static_cast<T>(job.expected);
    __atomic_compare_exchange_n(word, &expected, operand, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    return expected;
}

// One command on its way: the job, where it is, and what came of it so far.
class Run {
public:
    Run(const Job& job, Bus& bus, std::span<std::byte> buffer)
        : job_(job), bus_(bus), buffer_(buffer)
    {
    }

    Result go()
    {
        const auto command = static_cast<Command>(job_.command);
        if (command == Command::Nop || command == Command::Translate) {
            return result_;  // whatever REPEAT says; Device asks for translations
        }
        for (std::uint64_t pass = 0; pass < passes(job_) && !over_; ++pass) {
            source_ = job_.source + pass * job_.source_stride;
            destination_ = job_.destination + pass * job_.destination_stride;
            if (is_atomic(command)) {
                atomic();
            } else {
                stream(command);
            }
        }
        if (result_.fail_count != 0) {
            result_.status = Status::Aborted;
        }
        return result_;
    }

private:
    void stream(Command command)
    {
        const bool reads = command == Command::Read || command == Command::Copy ||
                           command == Command::Compare || command == Command::Checksum;
        const bool writes = command == Command::Write || command == Command::Copy ||
                            command == Command::Fill;
        std::uint32_t done = 0;
        while (done < job_.length && !over_) {
            std::uint32_t n = std::min(job_.length - done, largest_access(job_));
            if (reads) {
                n = std::min(n, to_page_end(source_ + done));
            }
            if (writes) {
                n = std::min(n, to_page_end(destination_ + done));
            }
            piece(command, done, n);
            done += n;
        }
    }

    static std::uint32_t to_page_end(std::uint64_t address)
    {
        return page - static_cast<std::uint32_t>(address % page);
    }

    void piece(Command command, std::uint32_t done, std::uint32_t n)
    {
        std::byte* staged = staging_.data();
        if (uses_buffer(command)) {
            staged = buffer_.data() + job_.buffer_offset + done;
        }
        switch (command) {
        case Command::Read:
        case Command::Checksum:
            if (move(Access::Read, source_ + done, staged, n)) {
                add_to_crc(staged, n);
            }
            break;
        case Command::Compare:
            if (move(Access::Read, source_ + done, staged, n)) {
                add_to_crc(staged, n);
                compare(staged, done, n);
            }
            break;
        case Command::Copy:
            if (move(Access::Read, source_ + done, staged, n)) {
                result_.bytes -= n;  // counted once, when it arrives
                move(Access::Write, destination_ + done, staged, n);
            }
            break;
        case Command::Fill:
            for (std::uint32_t i = 0; i < n; ++i) {
                staged[i] = pattern_byte(done + i);
            }
            move(Access::Write, destination_ + done, staged, n);
            break;
        case Command::Write:
            move(Access::Write, destination_ + done, staged, n);
            break;
        case Command::Nop:
        case Command::FetchAdd:
        case Command::Swap:
        case Command::CompareSwap:
        case Command::Translate:
            break;
        }
    }

    BusAccess access(Access kind, std::uint64_t at, std::size_t size) const
    {
        BusAccess a;
        a.size = size;
        a.transaction.address = Iova{at};
        a.transaction.access = kind;
        a.transaction.privilege =
            job_.privileged ? Privilege::Privileged : Privilege::User;
        a.transaction.content = job_.execute ? Content::Instruction : Content::Data;
        a.transaction.substream = {job_.pasid & pasid_value,
                                   (job_.pasid & pasid_valid) != 0};
        return a;
    }

    bool move(Access kind, std::uint64_t at, std::byte* data, std::uint32_t n)
    {
        ++result_.accesses;
        if (bus_.transfer(access(kind, at, n), data) != MemoryResult::Ok) {
            aborted(kind == Access::Read ? FailKind::Read : FailKind::Write, at);
            return false;
        }
        result_.bytes += n;
        return true;
    }

    void atomic()
    {
        const BusAccess a = access(Access::Write, destination_, job_.length);
        ++result_.accesses;
        void* pinned = bus_.pin(a);
        if (!pinned) {
            aborted(FailKind::Atomic, destination_);
            return;
        }
        result_.old_value = job_.length == 8 ? atomic_update<std::uint64_t>(pinned, job_)
                                             : atomic_update<std::uint32_t>(pinned, job_);
        bus_.unpin(a, pinned);
        result_.bytes += job_.length;
    }

    void aborted(FailKind kind, std::uint64_t at)
    {
        if (result_.fail_count++ == 0) {
            result_.fail_kind = kind;
            result_.fail_address = at;
        }
        over_ = !job_.keep_going;
    }

    std::byte pattern_byte(std::uint32_t offset) const
    {
        const std::uint64_t word = job_.pattern + (offset / 8) * job_.pattern_step;
        return static_cast<std::byte>(word >> (8 * (offset % 8)));
    }

    void add_to_crc(const std::byte* data, std::uint32_t n)
    {
        result_.crc32 = crc32_update(result_.crc32, {data, n});
    }

    void compare(const std::byte* data, std::uint32_t done, std::uint32_t n)
    {
        for (std::uint32_t i = 0; i < n; ++i) {
            const std::byte wanted = pattern_byte(done + i);
            if (data[i] == wanted) {
                ++compared_;
                continue;
            }
            over_ = true;
            result_.status = Status::Mismatch;
            result_.mismatch_offset = compared_;
            result_.found = std::to_integer<std::uint8_t>(data[i]);
            result_.wanted = std::to_integer<std::uint8_t>(wanted);
            if (result_.fail_count == 0) {
                result_.fail_address = source_ + done + i;
            }
            return;
        }
    }

    const Job& job_;
    Bus& bus_;
    std::span<std::byte> buffer_;
    Result result_{};
    std::uint64_t source_ = 0, destination_ = 0, compared_ = 0;
    bool over_ = false;
    std::array<std::byte, page> staging_{};
};

Reason check_substream(const Job& job, AttributePath path)
{
    const bool valid = (job.pasid & pasid_valid) != 0;
    if ((job.pasid & ~(pasid_valid | pasid_value)) != 0) {
        return Reason::Substream;
    }
    const bool special = valid || job.privileged || job.execute;
    return special && path == AttributePath::None ? Reason::Attributes : Reason::None;
}

}  // namespace

std::uint32_t crc32_update(std::uint32_t crc, std::span<const std::byte> bytes)
{
    crc = ~crc;
    for (const std::byte b : bytes) {
        crc = crc_table[(crc ^ std::to_integer<std::uint32_t>(b)) & 0xff] ^ (crc >> 8);
    }
    return ~crc;
}

Reason check(const Job& job, std::size_t buffer_size, AttributePath path, AtsPath ats)
{
    if (!is_known(job.command)) {
        return Reason::UnknownCommand;
    }
    const auto command = static_cast<Command>(job.command);
    if (command == Command::Nop) {
        return Reason::None;
    }
    if (command == Command::Translate) {
        return ats == AtsPath::Enabled ? check_substream(job, path) : Reason::Ats;
    }
    if (job.addressing == Addressing::Forged && ats == AtsPath::None) {
        return Reason::Ats;
    }
    if (job.repeat > max_repeat) {
        return Reason::Repeat;
    }
    if (job.access_size > page) {
        return Reason::AccessSize;
    }
    if (is_atomic(command)) {
        const bool fits =
            (job.length == 4 || job.length == 8) &&
            (job.destination | (passes(job) > 1 ? job.destination_stride : 0)) %
                    job.length ==
                0;
        return fits ? check_substream(job, path) : Reason::Atomic;
    }
    if (job.length == 0 || job.length > max_length) {
        return Reason::Length;
    }
    if (uses_buffer(command) && (job.buffer_offset > buffer_size ||
                                 job.length > buffer_size - job.buffer_offset)) {
        return Reason::OutsideBuffer;
    }
    // A pass has a piece per access size, and one more for each page boundary of either
    // side.
    const std::uint64_t pieces =
        job.length / largest_access(job) + 1 + 2 * (job.length / page + 1);
    if (job.length * passes(job) > max_bytes || pieces * passes(job) > max_accesses) {
        return Reason::TooMuchWork;
    }
    return check_substream(job, path);
}

Result run(const Job& job, Bus& bus, std::span<std::byte> buffer)
{
    return Run(job, bus, buffer).go();
}

}  // namespace iommu::dma
