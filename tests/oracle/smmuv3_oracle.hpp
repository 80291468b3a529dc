// SPDX-License-Identifier: GPL-2.0-or-later
// What an SMMUv3 must answer, computed the slow way from raw memory.
//
// Written from IHI 0070 G.b (chapters 3, 5, 7) and DDI 0487 (D8, J1.1) alone.  It shares
// no code with the device: no layout header, no walker, no address type.  Every bit
// number below is this file's own reading of the manuals.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oracle {

// What was built in (SMMU_IDR0, IDR1, IDR5).
struct SmmuFeatures {
    unsigned ssid_bits = 8;
    unsigned oas = 48;
    bool stage1 = true, stage2 = true;
};

// What the registers hold.
struct SmmuRegisters {
    bool enabled = true, gbpa_abort = false, record_bad_stream = true;
    std::uint64_t strtab_base = 0;
    std::uint32_t strtab_cfg = 0;
};

struct Access {
    std::uint32_t stream = 0;
    std::uint64_t address = 0;
    bool write = false, privileged = false, instruction = false;
    bool has_substream = false;
    std::uint32_t substream = 0;
};

// 32 bytes as they must stand in the queue; bits not in `care` are UNKNOWN to the manual.
struct SmmuEvent {
    std::array<std::uint64_t, 4> bits{};
    std::array<std::uint64_t, 4> care{~0ull, ~0ull, ~0ull, ~0ull};
};

struct SmmuAnswer {
    bool passes = false;
    std::uint64_t output = 0;
    std::optional<SmmuEvent> event;
    // The manual allows several behaviours and not all of them are modelled.
    bool wild = false;
    std::vector<std::string> trail;  // how it came to this, for the reader of a mismatch
};

// False: nobody answers at that address (an external abort).
using Read64 = std::function<bool(std::uint64_t address, std::uint64_t& value)>;

// Where the manual leaves a choice, `choices` says which way to go, one bit each.
enum Choice : unsigned {
    ReservedSteBitsAreBad =
        1u << 0,  // 5: reserved fields are ignored, or make it invalid
    ReservedCdBitsAreBad = 1u << 1,
    NtBlockFaults = 1u << 2,                // DDI 0487 D8.3: nT set in a Block descriptor
    FarIpaPointerIsBadSubstream = 1u << 3,  // 3.4.3 note 4
    FarIpaPointerIsBadSte = 1u << 4,        // 3.4.3 note 2
    AllChoices = (1u << 5) - 1,
};

class SmmuOracle {
public:
    SmmuOracle(SmmuFeatures features, SmmuRegisters registers, Read64 read)
        : features_(features), registers_(registers), read_(std::move(read))
    {
    }

    SmmuAnswer answer(const Access& access, unsigned choices = 0);
    // Choices the last answer depended on.
    unsigned touched() const { return touched_; }

private:
    enum Class : unsigned { ClassCd = 0, ClassTt = 1, ClassIn = 2 };
    struct Kind {
        bool write, privileged, instruction;
    };

    void run();
    bool choose(Choice c);
    bool fetch_ste();
    bool ste_illegal();
    bool ste_reserved() const;  // a bit is set that the manual reserves
    bool locate_cd(std::uint64_t& address);
    bool fetch_cd(std::uint64_t address);
    bool cd_illegal() const;
    bool translate_stage1(std::uint64_t& ipa);
    bool translate_stage2(std::uint64_t ipa, Kind kind, Class why, std::uint64_t& pa);
    bool load(std::uint64_t pa, std::uint64_t& value);

    // Each ends the story; they return false so that callers can `return refuse(...)`.
    bool refuse_silently();
    bool refuse_config(unsigned number);
    bool refuse_fetch(unsigned number, std::uint64_t from);
    bool refuse_walk(unsigned number, bool stage2, Class why, std::uint64_t ipa);
    bool refuse_walk_abort(bool stage2, Class why, std::uint64_t from);
    SmmuEvent blank(unsigned number) const;
    void note(const std::string& text) { out_.trail.push_back(text); }
    void note(const char* what, std::uint64_t a, std::uint64_t b);

    SmmuFeatures features_;
    SmmuRegisters registers_;
    Read64 read_;

    Access a_{};
    unsigned choices_ = 0, touched_ = 0;
    SmmuAnswer out_{};
    std::array<std::uint64_t, 8> ste_{}, cd_{};
    bool s1_ = false, s2_ = false;  // which stages this access goes through
};

}  // namespace oracle
