// SPDX-License-Identifier: GPL-2.0-or-later
// PCIe 10 "ATS Specification": the function's address translation cache (ATC), and how an
// access goes through it.  docs/specs/winiommu-dma.rst "Address translation services".
//
//   access --> ATC --hit--> translated request (AT 10b) --> memory
//               |  ^
//          miss v  | completion
//          translation request (AT 01b)
#pragma once

#include <array>
#include <mutex>
#include <optional>

#include "hw/misc/dma/engine.hpp"

namespace iommu::dma {

// What the machine offers a function that has ATS.
class AtsPort {
public:
    virtual AtsCompletion request(const Transaction& t) = 0;
    // `t` names a system address: does the IOMMU let it pass as a translated request?
    virtual bool admit(const Transaction& t) = 0;
    // System memory, past the IOMMU.  move_ram() waits for nobody; false: no RAM there.
    virtual bool move_ram(const BusAccess& access, std::byte* data) = 0;
    virtual MemoryResult move(const BusAccess& access, std::byte* data) = 0;
    virtual void* pin_ram(const BusAccess& access) = 0;
    virtual void unpin_ram(const BusAccess& access, void* pinned) = 0;

protected:
    ~AtsPort() = default;
};

class Atc {
public:
    static constexpr unsigned size = 64;

    struct Counts {
        std::uint32_t entries = 0, requests = 0, invalidations = 0;
    };
    struct Ticket {
        std::uint32_t invalidations = 0;
    };

    // Any thread.  `any` entries with a PASID; `bytes` 0: the whole address space.
    void invalidate(Substream whose, bool any, Iova base, std::uint64_t bytes);
    void clear();
    Counts counts() const;
    void set_unit(unsigned log2_pages);

    Ticket ticket() const;
    std::optional<Gpa> find(const Transaction& t) const;
    // False: smaller than the smallest translation unit (PCIe 10.5.1.3, STU).
    bool insert(Ticket ticket, const Transaction& t, const Translation& found);
    void count_request();

    // While it is held no invalidation completes.
    std::unique_lock<std::mutex> hold() { return std::unique_lock(lock_); }
    bool overtaken(Ticket ticket) const
    {
        return generation_ != ticket.invalidations;  // held
    }

private:
    struct Entry {
        bool valid = false, read = false, write = false;
        Privilege privilege = Privilege::User;
        Substream substream{};
        std::uint64_t input = 0, output = 0, mask = 0;
    };

    mutable std::mutex lock_;
    std::array<Entry, size> entries_{};
    unsigned next_ = 0;
    std::uint32_t generation_ = 0, requests_ = 0, invalidations_ = 0;
    std::uint64_t unit_mask_ = 0xfff;
};

// The bus as a function with ATS sees it.
class AtsBus final : public Bus {
public:
    AtsBus(Bus& plain, AtsPort& port, Atc& atc) : plain_(plain), port_(port), atc_(atc) {}

    void use(Addressing addressing) { addressing_ = addressing; }
    MemoryResult transfer(const BusAccess& access, std::byte* data) override;
    void* pin(const BusAccess& access) override;
    void unpin(const BusAccess& access, void* pinned) override;

private:
    enum class Way : std::uint8_t { Abort, Plain, Translated };
    Way translate(const Transaction& t, Atc::Ticket ticket, Transaction& translated);

    Bus& plain_;
    AtsPort& port_;
    Atc& atc_;
    Addressing addressing_ = Addressing::Plain;
    std::unique_lock<std::mutex> pinning_;
    std::optional<BusAccess> pinned_;
};

}  // namespace iommu::dma
