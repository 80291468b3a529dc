// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/misc/dma/device.hpp"

#include <cstring>

namespace iommu::dma {

namespace {

// docs/specs/winiommu-dma.rst "Registers (BAR0)".
enum Register : std::uint32_t {
    ID = 0x000,
    VERSION = 0x004,
    FEATURES = 0x008,
    MAX_LENGTH = 0x00c,
    COMMAND = 0x010,
    STATUS = 0x014,
    REASON = 0x018,
    SRC = 0x020,
    DST = 0x028,
    LENGTH = 0x030,
    REPEAT = 0x034,
    SRC_STRIDE = 0x038,
    DST_STRIDE = 0x040,
    PASID = 0x048,
    ATTR = 0x04c,
    PATTERN = 0x050,
    PATTERN_STEP = 0x058,
    OPERAND = 0x060,
    EXPECTED = 0x068,
    BUFFER = 0x070,
    ACCESS = 0x074,
    IRQ_VECTOR = 0x078,
    BYTES = 0x080,
    FAIL_ADDRESS = 0x088,
    FAIL_COUNT = 0x090,
    FAIL_KIND = 0x094,
    ACCESSES = 0x098,
    CRC32 = 0x09c,
    OLD_VALUE = 0x0a0,
    MISMATCH_OFFSET = 0x0a8,
    MISMATCH_BYTE = 0x0b0,
    IRQ_TRIGGER = 0x0c0,
    LOG = 0x0d0,
    LOG_BYTES = 0x0d4,
    LOG_NEXT = 0x0d8,
    ATS_ADDRESS = 0x0e0,
    ATS_MASK = 0x0e8,
    ATS_COMPLETION = 0x0f0,
    ATC_ENTRIES = 0x0f4,
    ATC_REQUESTS = 0x0f8,
    ATC_INVALIDATIONS = 0x0fc,
};

constexpr std::uint32_t attr_privileged = 1u << 0;
constexpr std::uint32_t attr_execute = 1u << 1;
constexpr std::uint32_t attr_keep_going = 1u << 2;
constexpr std::uint32_t attr_interrupt = 1u << 3;
constexpr std::uint32_t attr_translated = 1u << 4;
constexpr std::uint32_t attr_untranslated = 1u << 5;
constexpr std::uint32_t attr_no_write = 1u << 6;

constexpr std::uint32_t state_version = 1;

bool is_writable(std::uint32_t offset)
{
    return offset >= SRC && offset <= IRQ_VECTOR;
}

struct State {
    std::uint32_t version;
    std::uint32_t log_head, log_count;
    std::uint32_t words[0x100 / 4];
    std::uint8_t log[log_size];
};

}  // namespace

Device::Device(Board& board, std::span<std::byte> buffer, Runs runs)
    : board_(board), buffer_(buffer), runs_(runs)
{
}

void Device::reset()
{
    words_ = {};
    log_head_ = log_count_ = 0;
    atc_.clear();
}

bool Device::busy() const
{
    return word(STATUS) == unsigned(Status::Busy);
}

std::uint64_t Device::read(std::uint64_t offset, unsigned size)
{
    if (offset + size > 0x100 || offset % size != 0) {
        return 0;
    }
    const auto at = static_cast<std::uint32_t>(offset);
    if (size == 4) {
        return read32(at);
    }
    if (size == 8) {
        const std::uint64_t low = read32(at);
        return low | std::uint64_t{read32(at + 4)} << 32;
    }
    return 0;
}

void Device::write(std::uint64_t offset, unsigned size, std::uint64_t value)
{
    if (offset + size > 0x100 || offset % size != 0) {
        return;
    }
    const auto at = static_cast<std::uint32_t>(offset);
    if (size == 8) {
        write32(at, static_cast<std::uint32_t>(value));
        write32(at + 4, static_cast<std::uint32_t>(value >> 32));
    } else if (size == 4 || at == LOG) {
        write32(at, static_cast<std::uint32_t>(value));
    }
}

std::uint32_t Device::features()
{
    const std::uint32_t attributes =
        board_.attribute_path() == AttributePath::Present ? 0b111 : 0;
    return attributes | (runs_ == Runs::InThread ? 1u << 3 : 0) |
           (board_.ats_path() != AtsPath::None ? 1u << 8 : 0);
}

std::uint32_t Device::read32(std::uint32_t offset)
{
    switch (offset) {
    case ID:
        return 0x414d4457;
    case VERSION:
        return 1;
    case FEATURES:
        return features();
    case MAX_LENGTH:
        return max_length;
    case LOG_BYTES:
        return log_count_;
    case LOG_NEXT:
        return take_log();
    case ATC_ENTRIES:
        return atc_.counts().entries;
    case ATC_REQUESTS:
        return atc_.counts().requests;
    case ATC_INVALIDATIONS:
        return atc_.counts().invalidations;
    default:
        return word(offset);
    }
}

void Device::write32(std::uint32_t offset, std::uint32_t value)
{
    if (offset == LOG) {
        append_log(static_cast<std::uint8_t>(value));
    } else if (offset == IRQ_TRIGGER) {
        board_.interrupt(value & 0xff);
    } else if (busy()) {
        return;
    } else if (offset == COMMAND) {
        ring(value);
    } else if (is_writable(offset)) {
        set(offset, value);
    }
}

std::uint32_t Device::take_log()
{
    if (log_count_ == 0) {
        return 0xffffffff;
    }
    const std::uint8_t byte = log_[(log_head_ + log_size - log_count_) % log_size];
    --log_count_;
    return byte;
}

void Device::append_log(std::uint8_t byte)
{
    log_[log_head_] = byte;
    log_head_ = (log_head_ + 1) % log_size;
    if (log_count_ < log_size) {
        ++log_count_;
    }
    board_.log(byte);
}

void Device::ring(std::uint32_t command)
{
    const std::uint32_t attr = word(ATTR);
    job_ = {.command = command,
            .source = pair(SRC),
            .destination = pair(DST),
            .length = word(LENGTH),
            .repeat = word(REPEAT),
            .source_stride = pair(SRC_STRIDE),
            .destination_stride = pair(DST_STRIDE),
            .pasid = word(PASID),
            .privileged = (attr & attr_privileged) != 0,
            .execute = (attr & attr_execute) != 0,
            .keep_going = (attr & attr_keep_going) != 0,
            .pattern = pair(PATTERN),
            .pattern_step = pair(PATTERN_STEP),
            .operand = pair(OPERAND),
            .expected = pair(EXPECTED),
            .buffer_offset = word(BUFFER),
            .access_size = word(ACCESS),
            .no_write = (attr & attr_no_write) != 0};
    const auto ats = board_.ats_path();
    if ((attr & attr_translated) != 0) {
        job_.addressing = Addressing::Forged;
    } else if (ats == AtsPath::Enabled && (attr & attr_untranslated) == 0) {
        job_.addressing = Addressing::Cached;
    }
    const Reason reason = check(job_, buffer_.size(), board_.attribute_path(), ats);
    set(REASON, unsigned(reason));
    if (reason != Reason::None) {
        set(STATUS, unsigned(Status::Rejected));
        if ((attr & attr_interrupt) != 0) {
            board_.interrupt(word(IRQ_VECTOR));
        }
        return;
    }
    set(STATUS, unsigned(Status::Busy));
    board_.start();
}

Transaction Device::translation_request() const
{
    return {.address = Iova{job_.source},
            .access = job_.no_write ? Access::Read : Access::Write,
            .privilege = job_.privileged ? Privilege::Privileged : Privilege::User,
            .content = job_.execute ? Content::Instruction : Content::Data,
            .substream = {job_.pasid & 0xfffff, job_.pasid >> 31 != 0}};
}

void Device::work()
{
    if (job_.command == unsigned(Command::Translate)) {
        atc_.count_request();
        completion_ = board_.request(translation_request());
    }
    bus_.use(job_.addressing);
    result_ = run(job_, bus_, buffer_);
}

void Device::publish(const AtsCompletion& c)
{
    const auto& t = c.translation;
    set_pair(ATS_ADDRESS, t.output.value);
    set_pair(ATS_MASK, t.mask);
    set(ATS_COMPLETION, unsigned(c.status) | (t.read ? 1u << 4 : 0) |
                            (t.write ? 1u << 5 : 0) | (c.execute ? 1u << 6 : 0) |
                            (c.untranslated_only ? 1u << 7 : 0));
}

void Device::publish(const Result& result)
{
    set_pair(BYTES, result.bytes);
    set_pair(FAIL_ADDRESS, result.fail_address);
    set(FAIL_COUNT, result.fail_count);
    set(FAIL_KIND, unsigned(result.fail_kind));
    set(ACCESSES, result.accesses);
    set(CRC32, result.crc32);
    set_pair(OLD_VALUE, result.old_value);
    set_pair(MISMATCH_OFFSET, result.mismatch_offset);
    set(MISMATCH_BYTE, result.found | std::uint32_t{result.wanted} << 8);
    set(STATUS, unsigned(result.status));
}

void Device::finish()
{
    if (!busy()) {
        return;  // reset while the work was under way
    }
    if (job_.command == unsigned(Command::Translate)) {
        publish(completion_);
    }
    publish(result_);
    if ((word(ATTR) & attr_interrupt) != 0) {
        board_.interrupt(word(IRQ_VECTOR));
    }
}

std::vector<std::byte> Device::save() const
{
    State state{state_version, log_head_, log_count_, {}, {}};
    std::memcpy(state.words, words_.data(), sizeof state.words);
    std::memcpy(state.log, log_.data(), sizeof state.log);
    std::vector<std::byte> bytes(sizeof state);
    std::memcpy(bytes.data(), &state, sizeof state);
    return bytes;
}

const char* Device::load(std::span<const std::byte> bytes)
{
    State state;
    if (bytes.size() != sizeof state) {
        return "winiommu-dma: the saved state has another size";
    }
    std::memcpy(&state, bytes.data(), sizeof state);
    if (state.version != state_version) {
        return "winiommu-dma: the saved state is of another version";
    }
    if (state.log_head >= log_size || state.log_count > log_size ||
        state.words[STATUS / 4] == unsigned(Status::Busy)) {
        return "winiommu-dma: the saved state contradicts itself";
    }
    log_head_ = state.log_head;
    log_count_ = state.log_count;
    std::memcpy(words_.data(), state.words, sizeof state.words);
    std::memcpy(log_.data(), state.log, sizeof state.log);
    atc_.clear();  // it fills again
    return nullptr;
}

}  // namespace iommu::dma
