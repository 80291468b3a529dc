// SPDX-License-Identifier: GPL-2.0-or-later
// One access as a device issues it, and what the IOMMU answers.
#pragma once

#include <array>
#include <cstdint>

#include "iommu/address.hpp"

namespace iommu {

enum class Access : std::uint8_t { Read, Write };
enum class Privilege : std::uint8_t { User, Privileged };
enum class Content : std::uint8_t { Data, Instruction };

// A PASID (VT-d, PCIe) or SubstreamID (SMMU), or none.  20 bits when present.
struct Substream {
    std::uint32_t value = 0;
    bool present = false;
    friend constexpr bool operator==(Substream, Substream) = default;
};

// Pieces: what is asked may be a part of an access, the rest of which is asked for next.
enum class Delivery : std::uint8_t { Whole, Pieces };

struct Transaction {
    Iova address{};
    Access access = Access::Read;
    Privilege privilege = Privilege::User;
    Content content = Content::Data;
    Substream substream{};
    Delivery delivery = Delivery::Whole;
};

// The blocks around one that was just looked up, as far as they are mapped alike: same
// size, same rights, same everything but the output.
struct Neighbours {
    static constexpr unsigned count = 16;  // a run of them, naturally aligned
    static constexpr std::uint64_t unlike = ~std::uint64_t{0};

    std::uint8_t log2size = 0;
    std::array<std::uint64_t, count> output{};  // of each block's first byte, or `unlike`
};

// The block around the input that translates the same way: [address & ~mask, address |
// mask] maps to the block at `output & ~mask`.  `output` is the translation of the input
// itself.  With nothing translated the mask covers every address that may pass.
struct Translation {
    Gpa output{};
    std::uint64_t mask = 0;
    bool read = false;
    bool write = false;
    // Read together with it, good for as long; until this thread's next translation.
    const Neighbours* neighbours = nullptr;
};

// PCIe 10.2.3 "Translation Completion", and what may come instead of one with data.
enum class AtsStatus : std::uint8_t { Success, UnsupportedRequest, CompleterAbort };
struct AtsCompletion {
    AtsStatus status = AtsStatus::Success;
    Translation translation{};       // neither read nor write: nothing to be had there
    bool execute = false;            // only of requests with PASID
    bool untranslated_only = false;  // U: reach it with untranslated requests
};

// A naturally aligned block as a copy of the page tables holds it.  Neither readable nor
// writable: nothing is mapped there any more.
struct MappedBlock {
    Iova input{};
    Gpa output{};
    std::uint64_t mask = 0;  // size - 1
    bool read = false;
    bool write = false;
    friend constexpr bool operator==(const MappedBlock&, const MappedBlock&) = default;
};

}  // namespace iommu
