// SPDX-License-Identifier: GPL-2.0-or-later
// What a VT-d unit must answer, computed the slow way from raw memory.  Written from the
// VT-d manual (3, 7.1.3, 9) with its own bit numbers; it shares no code with the device.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace oracle::vtd {

struct Features {
    unsigned aw = 48;  // MGAW; SAGAW has every width up to it
    bool snoop_control = true, pass_through = true, device_tlb = false;
    bool scalable = false;
    unsigned pasid_bits = 20;
};

struct Access {
    std::uint16_t source = 0;
    std::uint64_t address = 0;
    bool write = false, privileged = false, execute = false;
    bool has_pasid = false;
    std::uint32_t pasid = 0;
};

struct Answer {
    bool passes = false;
    std::uint64_t output = 0;
    // Reasons the manual allows for the fault; empty when nothing is recorded (FPD).
    std::vector<unsigned> reasons;
    bool any_reason = false;  // a fault inside nested translation: reason not modelled
    bool wild = false;        // not modelled at all
    // Paging entries that must have these bits set afterwards: A, D, EA.
    struct Mark {
        std::uint64_t at, bits;
    };
    std::vector<Mark> marks;
    std::vector<std::string> trail;
};

using Read64 = std::function<bool(std::uint64_t address, std::uint64_t& value)>;

// Where the manual leaves room, or editions differ.
enum Choice : unsigned {
    WideAddressIsReserved = 1u << 0,  // bits between the address width and bit 51
    SoftBitsAreReserved = 1u << 1,    // bits that some editions reserve, others ignore
    PermissionIsChecked = 1u << 2,    // at every level, not at the end of the walk
    ExecuteAloneIsPresent =
        1u << 3,  // an entry with X alone under SSEE is walked through
    SoftEntryBitsAreReserved = 1u << 4,  // as SoftBits, of second-stage paging entries
    AllChoices = (1u << 5) - 1,
};

class Oracle {
public:
    Oracle(Features features, std::uint64_t root_table, Read64 read)
        : features_(features), root_(root_table), read_(std::move(read))
    {
    }
    Answer answer(const Access& access, unsigned choices = 0);
    unsigned touched() const { return touched_; }

private:
    enum class Stage { Legacy, Second, Nested };
    struct SecondStage {
        std::uint64_t table = 0;
        unsigned width = 48;
        bool accessed_dirty = false;
        bool executes = false;  // SSEE
    };

    void run();
    void run_legacy();
    void run_scalable();
    bool context(std::uint64_t at);
    bool pasid_entry(std::uint32_t pasid);
    void translate(const std::uint64_t* entry);
    bool first_stage(const std::uint64_t* entry, const SecondStage* outer,
                     std::uint64_t& out);
    bool second_stage(const SecondStage& s, std::uint64_t input, bool write, Stage stage,
                      std::uint64_t& out);
    bool fault(std::initializer_list<unsigned> reasons);
    bool fault_qualified(std::initializer_list<unsigned> reasons);
    bool choose(Choice c)
    {
        touched_ |= c;
        return choices_ & c;
    }
    bool load(std::uint64_t at, std::uint64_t& v);
    bool too_wide(std::uint64_t pointer);

    Features features_;
    std::uint64_t root_;
    Read64 read_;
    Access a_{};
    unsigned choices_ = 0, touched_ = 0;
    Answer out_{};
    bool fpd_ = false;
    bool privileged_ = false, execute_ = false;
    std::uint64_t context_[4]{}, entry_[8]{};
};

}  // namespace oracle::vtd
