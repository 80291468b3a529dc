// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/test.hpp"

namespace iommu::contract {

IOMMU_MAP_PHYSICAL_ADDRESS range(std::uint64_t base, std::uint64_t size)
{
    IOMMU_MAP_PHYSICAL_ADDRESS what{};
    what.MapType = MapPhysicalAddressTypeContiguousRange;
    what.ContiguousRange.Base.QuadPart = static_cast<LONGLONG>(base);
    what.ContiguousRange.Size = size;
    return what;
}

IOMMU_MAP_PHYSICAL_ADDRESS frames(PFN_NUMBER* list, std::uint64_t pages)
{
    IOMMU_MAP_PHYSICAL_ADDRESS what{};
    what.MapType = MapPhysicalAddressTypePfn;
    what.PfnArray.PageFrame = list;
    what.PfnArray.NumberOfPages = pages;
    return what;
}

IOMMU_MAP_PHYSICAL_ADDRESS of(MDL* mdl)
{
    IOMMU_MAP_PHYSICAL_ADDRESS what{};
    what.MapType = MapPhysicalAddressTypeMdl;
    what.Mdl.Mdl = mdl;
    return what;
}

MdlOf::MdlOf(const std::uint64_t* pages, unsigned count)
{
    static_assert(offsetof(MdlOf, pfn) == sizeof(MDL));
    mdl.Size = static_cast<CSHORT>(sizeof(MDL) + count * sizeof(PFN_NUMBER));
    mdl.MdlFlags = MDL_PAGES_LOCKED;
    mdl.ByteCount = static_cast<ULONG>(count * page);
    for (unsigned i = 0; i < count; ++i) {
        pfn[i] = pages[i] >> PAGE_SHIFT;
    }
}

// --- verdicts

Test::Test(Home& where, char* message, std::size_t size)
    : home(where), message_(message), size_(size)
{
    message_[0] = 0;
}

void Test::say(const char* text)
{
    while (*text != 0 && used_ + 1 < size_) {
        message_[used_++] = *text++;
    }
    message_[used_] = 0;
}

void Test::say_hex(std::uint32_t value)
{
    char digits[11] = "0x00000000";
    for (unsigned i = 0; i < 8; ++i) {
        digits[9 - i] = "0123456789abcdef"[(value >> (4 * i)) & 15];
    }
    say(digits);
}

void Test::fail(const char* what, bool is_proposal)
{
    (is_proposal ? proposal_failed_ : failed_) = true;
    say(used_ == 0 ? "" : "; ");
    say(is_proposal ? "[S] " : "");
    say(what);
}

bool Test::that(bool condition, const char* what)
{
    ++checks_;
    if (!condition) {
        fail(what, false);
    }
    return condition;
}

bool Test::proposed(bool condition, const char* what)
{
    ++checks_;
    if (!condition) {
        fail(what, true);
    }
    return condition;
}

bool Test::status(NTSTATUS got, NTSTATUS want, const char* what)
{
    if (!that(got == want, what)) {
        say(": expected ");
        say_hex(static_cast<std::uint32_t>(want));
        say(", got ");
        say_hex(static_cast<std::uint32_t>(got));
    }
    return got == want;
}

bool Test::proposed_status(NTSTATUS got, NTSTATUS want, const char* what)
{
    if (!proposed(got == want, what)) {
        say(": expected ");
        say_hex(static_cast<std::uint32_t>(want));
        say(", got ");
        say_hex(static_cast<std::uint32_t>(got));
    }
    return got == want;
}

bool Test::fails(NTSTATUS got, const char* what)
{
    return that(!NT_SUCCESS(got), what);
}

void Test::not_applicable(const char* why)
{
    // One reason is enough.
    if (!not_applicable_) {
        say(used_ == 0 ? "" : "; ");
        say(why);
    }
    not_applicable_ = true;
}

Outcome Test::outcome(Tag tag) const
{
    if (failed_) {
        return proposal(tag) ? Outcome::ProposalFailed : Outcome::Failed;
    }
    if (proposal_failed_) {
        return Outcome::ProposalFailed;
    }
    // A check that looked at nothing has shown nothing.
    return not_applicable_ || checks_ == 0 ? Outcome::NotApplicable : Outcome::Passed;
}

// --- the provider

bool Test::need_tables()
{
    DMA_IOMMU_INTERFACE_EX ex{};
    if (!ok(home.get_interface_ex()(1, 0, &ex), "IoGetIommuInterfaceEx(1)")) {
        return false;
    }
    v1 = ex.V1;
    ex = {};
    if (!ok(home.get_interface_ex()(3, 0, &ex), "IoGetIommuInterfaceEx(3)")) {
        return false;
    }
    io = ex.V3;
    const auto* slot = reinterpret_cast<void* const*>(&io);
    for (unsigned i = 0; i < sizeof(io) / sizeof(void*); ++i) {
        if (slot[i] == nullptr) {
            return that(false, "a slot of the V3 table is missing");
        }
    }
    slot = reinterpret_cast<void* const*>(&v1);
    for (unsigned i = 0; i < sizeof(v1) / sizeof(void*); ++i) {
        if (slot[i] == nullptr) {
            return that(false, "a slot of the V1 table is missing");
        }
    }
    checks_ = 0;
    return true;
}

// --- objects

PIOMMU_DMA_DEVICE Test::create_device(Who who)
{
    PIOMMU_DMA_DEVICE device = nullptr;
    IOMMU_DEVICE_CREATION_CONFIGURATION config{};
    config.ConfigType = IommuDeviceCreationConfigTypeAcpi;
    config.Acpi = {acpi_first_id, acpi_ids};
    const auto status =
        io.CreateDevice(home.device(who), who == Who::Acpi ? &config : nullptr, &device);
    return ok(status, "CreateDevice") ? device : nullptr;
}

PIOMMU_DMA_DEVICE Test::create_pasid_parent(Who who, IOMMU_PASID_CONFIGURATION_TYPE type,
                                            bool suppress)
{
    PIOMMU_DMA_DEVICE device = nullptr;
    IOMMU_DEVICE_CREATION_CONFIGURATION config{};
    config.ConfigType = IommuDeviceCreationConfigTypePasid;
    config.Pasid = {type, static_cast<BOOLEAN>(suppress ? TRUE : FALSE)};
    const auto status = io.CreateDevice(home.device(who), &config, &device);
    if (status == STATUS_INVALID_PARAMETER_2) {
        not_applicable("the hardware or the provider has no PASIDs for this device");
        return nullptr;
    }
    return ok(status, "CreateDevice with a Pasid configuration") ? device : nullptr;
}

NTSTATUS Test::try_create(IOMMU_DMA_DOMAIN_TYPE type, PIOMMU_DMA_DOMAIN* out,
                          ULONGLONG flags, IOMMU_DMA_LOGICAL_ALLOCATOR_CONFIG* allocator,
                          IOMMU_DMA_RESERVED_REGION* regions)
{
    IOMMU_DMA_DOMAIN_CREATION_FLAGS f{};
    f.AsUlonglong = flags;
    return io.CreateDomainEx(type, f, allocator, regions, out);
}

PIOMMU_DMA_DOMAIN Test::create(IOMMU_DMA_DOMAIN_TYPE type)
{
    PIOMMU_DMA_DOMAIN domain = nullptr;
    return ok(try_create(type, &domain), "CreateDomainEx") ? domain : nullptr;
}

bool Test::has_first_stage()
{
    PIOMMU_DMA_DOMAIN domain = nullptr;
    const auto status = try_create(DomainTypeTranslateS1, &domain);
    if (NT_SUCCESS(status)) {
        ok(io.DeleteDomain(domain), "DeleteDomain");
    }
    return status != STATUS_NOT_SUPPORTED;
}

PIOMMU_DMA_DOMAIN Test::buddy(unsigned width, IOMMU_DMA_RESERVED_REGION* regions)
{
    PIOMMU_DMA_DOMAIN domain = nullptr;
    IOMMU_DMA_LOGICAL_ALLOCATOR_CONFIG config{};
    config.LogicalAllocatorType = IommuDmaLogicalAllocatorBuddy;
    config.BuddyAllocatorConfig.AddressWidth = width;
    const auto status = try_create(DomainTypeTranslate, &domain, 0, &config, regions);
    return ok(status, "CreateDomainEx with a Buddy allocator") ? domain : nullptr;
}

Test::Setup Test::attached_to(PIOMMU_DMA_DOMAIN domain, Who who)
{
    Setup s{domain, domain == nullptr ? nullptr : create_device(who)};
    if (s && !ok(io.AttachDeviceEx(s.domain, s.device), "AttachDeviceEx")) {
        return {};
    }
    return s;
}

Test::Setup Test::attached(Who who)
{
    return attached_to(translate(), who);
}

NTSTATUS Test::map(PIOMMU_DMA_DOMAIN domain, std::uint64_t at, std::uint64_t physical,
                   std::uint64_t pages, ULONG permissions)
{
    auto what = range(physical, pages * page);
    IOMMU_DMA_LOGICAL_ADDRESS where = at, out = 0;
    return io.MapLogicalRangeEx(domain, permissions, &what, &where, nullptr, nullptr,
                                &out);
}

NTSTATUS Test::allocate(PIOMMU_DMA_DOMAIN domain, std::uint64_t physical,
                        std::uint64_t pages, std::uint64_t& out)
{
    auto what = range(physical, pages * page);
    return io.MapLogicalRangeEx(domain, read_write, &what, nullptr, nullptr, nullptr,
                                &out);
}

std::uint64_t Test::memory(std::uint64_t pages)
{
    const auto at = home.pages(pages);
    that(at != 0, "the machine has memory left for the check");
    checks_ -= at != 0 ? 1 : 0;
    return at;
}

// --- effects

bool Test::try_dma(Dma how, bool write)
{
    std::uint64_t value = pattern();
    how.write = write;
    return home.dma(how, value);
}

bool Test::try_dma(Who who, std::uint64_t address, bool write)
{
    return try_dma(Dma{.who = who, .address = address}, write);
}

bool Test::reaches(const Dma& how, std::uint64_t physical, const char* what)
{
    auto* word = home.at(physical);
    const auto sent = pattern(), put = pattern();
    auto dma = how;
    std::uint64_t value = sent;
    dma.write = true;
    *word = 0;
    const bool wrote = home.dma(dma, value) && *word == sent;
    *word = put;
    value = 0;
    dma.write = false;
    const bool read = home.dma(dma, value) && value == put;
    return that(wrote && read, what);
}

bool Test::reaches(Who who, std::uint64_t address, std::uint64_t physical,
                   const char* what)
{
    return reaches(Dma{.who = who, .address = address}, physical, what);
}

bool Test::blocked(const Dma& how, const char* what)
{
    const bool read = try_dma(how, false), wrote = try_dma(how, true);
    return that(!read && !wrote, what);
}

bool Test::blocked(Who who, std::uint64_t address, const char* what)
{
    return blocked(Dma{.who = who, .address = address}, what);
}

}  // namespace iommu::contract
