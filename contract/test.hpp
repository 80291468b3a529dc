// SPDX-License-Identifier: GPL-2.0-or-later
// What a check has at hand: the tables, the machine, and the words to say what it
// expects.
#pragma once

#include <initializer_list>

#include "contract/home.hpp"
#include "contract/rule.hpp"

namespace iommu::contract {

inline constexpr std::uint64_t page = 0x1000;
inline constexpr ULONG read_write = IOMMU_ACCESS_READ | IOMMU_ACCESS_WRITE;

// IOMMU_MAP_PHYSICAL_ADDRESS in its three forms.
IOMMU_MAP_PHYSICAL_ADDRESS range(std::uint64_t base, std::uint64_t size);
IOMMU_MAP_PHYSICAL_ADDRESS frames(PFN_NUMBER* frames, std::uint64_t pages);
IOMMU_MAP_PHYSICAL_ADDRESS of(MDL* mdl);

// An MDL and the page frame array that follows it.
struct MdlOf {
    MDL mdl{};
    PFN_NUMBER pfn[8]{};

    MdlOf(const std::uint64_t* pages, unsigned count);
    operator MDL*() { return &mdl; }
};

// Addresses at which nothing else in the suite puts anything.
inline constexpr std::uint64_t spot = 0x2'0000'0000;

class Test {
public:
    Test(Home& home, char* message, std::size_t size);

    // --- verdicts; true when it was as expected

    bool that(bool condition, const char* what);
    bool status(NTSTATUS got, NTSTATUS want, const char* what);
    bool ok(NTSTATUS got, const char* what) { return status(got, STATUS_SUCCESS, what); }
    bool fails(NTSTATUS got, const char* what);
    // The same for what is a proposal inside a documented rule.
    bool proposed(bool condition, const char* what);
    bool proposed_status(NTSTATUS got, NTSTATUS want, const char* what);
    void not_applicable(const char* why);
    Outcome outcome(Tag tag) const;

    // --- the provider; false: it was said, and the check returns

    bool need_tables();

    Home& home;
    DMA_IOMMU_INTERFACE_V1 v1{};
    DMA_IOMMU_INTERFACE_V3 io{};

    // --- objects; null when the provider would not (which has been recorded)

    PIOMMU_DMA_DEVICE create_device(Who who);
    PIOMMU_DMA_DEVICE create_pasid_parent(Who who, IOMMU_PASID_CONFIGURATION_TYPE type,
                                          bool suppress = false);
    PIOMMU_DMA_DOMAIN create(IOMMU_DMA_DOMAIN_TYPE type);
    PIOMMU_DMA_DOMAIN translate() { return create(DomainTypeTranslate); }
    PIOMMU_DMA_DOMAIN buddy(unsigned width = 40,
                            IOMMU_DMA_RESERVED_REGION* regions = nullptr);
    NTSTATUS try_create(IOMMU_DMA_DOMAIN_TYPE type, PIOMMU_DMA_DOMAIN* out,
                        ULONGLONG flags = 0,
                        IOMMU_DMA_LOGICAL_ALLOCATOR_CONFIG* allocator = nullptr,
                        IOMMU_DMA_RESERVED_REGION* regions = nullptr);
    // The hardware has one: there a caller's own tables are walked.
    bool has_first_stage();
    // A device attached to a fresh domain without an allocator.
    struct Setup {
        PIOMMU_DMA_DOMAIN domain = nullptr;
        PIOMMU_DMA_DEVICE device = nullptr;
        explicit operator bool() const { return domain != nullptr && device != nullptr; }
    };
    Setup attached(Who who = Who::PciA);
    Setup attached_to(PIOMMU_DMA_DOMAIN domain, Who who = Who::PciA);

    NTSTATUS map(PIOMMU_DMA_DOMAIN domain, std::uint64_t at, std::uint64_t physical,
                 std::uint64_t pages = 1, ULONG permissions = read_write);
    NTSTATUS allocate(PIOMMU_DMA_DOMAIN domain, std::uint64_t physical,
                      std::uint64_t pages, std::uint64_t& out);
    std::uint64_t memory(std::uint64_t pages = 1);

    // --- effects, by real DMA

    // Writes and reads at `address` arrive at `physical` and nowhere else.
    bool reaches(Who who, std::uint64_t address, std::uint64_t physical,
                 const char* what);
    bool reaches(const Dma& how, std::uint64_t physical, const char* what);
    // Neither a read nor a write gets through.
    bool blocked(Who who, std::uint64_t address, const char* what);
    bool blocked(const Dma& how, const char* what);
    bool try_dma(Dma how, bool write);
    bool try_dma(Who who, std::uint64_t address, bool write);
    std::uint64_t pattern() { return 0x5eed'0000'0000'0000 + ++patterns_; }

private:
    void say(const char* text);
    void say_hex(std::uint32_t value);
    void fail(const char* what, bool is_proposal);

    char* message_;
    std::size_t size_, used_ = 0;
    bool failed_ = false, proposal_failed_ = false, not_applicable_ = false;
    unsigned checks_ = 0;
    std::uint64_t patterns_ = 0;
};

}  // namespace iommu::contract
