// SPDX-License-Identifier: GPL-2.0-or-later
// The reference driver from many threads: maps, unmaps, tokens and DMA on one domain
// while devices come and go.  Each thread checks its own pages; a thread sanitizer the
// rest.
#include <atomic>
#include <iostream>
#include <thread>
#include <vector>

#include "contract/reference.hpp"
#include "contract/sim/machine.hpp"
#include "contract/test.hpp"

namespace {

using namespace iommu::contract;

constexpr unsigned rounds = 300;

struct Shared {
    sim::Machine& machine;
    DMA_IOMMU_INTERFACE_V3 io{};
    PIOMMU_DMA_DOMAIN plain = nullptr, buddy = nullptr;
    std::atomic<unsigned> mistakes{0};

    void expect(bool condition, const char* what)
    {
        if (!condition && mistakes++ == 0) {
            std::cout << "  " << what << "\n";
        }
    }
    bool dma(Who who, std::uint64_t address, bool write, std::uint64_t& value)
    {
        return machine.dma({.who = who, .address = address, .write = write}, value);
    }
};

NTSTATUS map_at(Shared& s, PIOMMU_DMA_DOMAIN domain, const std::uint64_t* at,
                std::uint64_t physical, std::uint64_t pages, std::uint64_t& out)
{
    auto what = range(physical, pages * page);
    IOMMU_DMA_LOGICAL_ADDRESS where = at == nullptr ? 0 : *at;
    return s.io.MapLogicalRangeEx(domain, read_write, &what,
                                  at == nullptr ? nullptr : &where, nullptr, nullptr,
                                  &out);
}

// Map, see it work, unmap, see it gone: through A's domain, or B's with an allocator.
void mapper(Shared& s, unsigned number, std::uint64_t memory)
{
    s.machine.set_irql(DISPATCH_LEVEL);
    const bool allocated = number % 2 != 0;
    const auto who = allocated ? Who::PciB : Who::PciA;
    for (unsigned i = 0; i < rounds; ++i) {
        const std::uint64_t pages = i % 5 + 1;
        // Neighbours share page tables.
        const std::uint64_t at = spot + (number * 8) * page;
        std::uint64_t out = 0, value = 0x1000 * number + i;
        s.expect(NT_SUCCESS(map_at(s, allocated ? s.buddy : s.plain,
                                   allocated ? nullptr : &at, memory, pages, out)),
                 "a map");
        const auto last = out + (pages - 1) * page;
        s.expect(s.dma(who, last, true, value), "DMA to what is mapped");
        s.expect(*s.machine.at(memory + (pages - 1) * page) == 0x1000 * number + i,
                 "DMA arrives where it should");
        s.expect(
            NT_SUCCESS(s.io.UnmapLogicalRange(allocated ? s.buddy : s.plain, out, pages)),
            "an unmap");
        // With an allocator somebody else may have the address by now.
        s.expect(allocated || !s.dma(who, last, false, value), "DMA to what is gone");
    }
    s.machine.set_irql(PASSIVE_LEVEL);
}

void token_user(Shared& s, std::uint64_t memory)
{
    for (unsigned i = 0; i < rounds; ++i) {
        IOMMU_DMA_LOGICAL_ADDRESS at = 2 * spot;
        PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN token = nullptr;
        s.expect(NT_SUCCESS(s.io.ReserveLogicalAddressRange(s.plain, 4 * page, &at,
                                                            nullptr, nullptr, &token)),
                 "a reservation");
        IOMMU_DMA_LOGICAL_ADDRESS_TOKEN_MAPPED_SEGMENT segment{};
        auto what = range(memory, 2 * page);
        s.expect(NT_SUCCESS(s.io.MapReservedLogicalRange(token, page, read_write, &what,
                                                         &segment)),
                 "a segment");
        std::uint64_t value = i;
        s.expect(s.dma(Who::PciA, at + 2 * page, true, value), "DMA to a segment");
        s.expect(NT_SUCCESS(s.io.UnmapReservedLogicalRange(&segment)), "its unmapping");
        s.expect(!s.dma(Who::PciA, at + 2 * page, true, value), "DMA to what is gone");
        s.expect(NT_SUCCESS(s.io.FreeReservedLogicalAddressRange(token)), "its freeing");
    }
}

// Domains and attachments of another device, against all of the above.
void comer_and_goer(Shared& s, PIOMMU_DMA_DEVICE device)
{
    for (unsigned i = 0; i < rounds; ++i) {
        PIOMMU_DMA_DOMAIN domain = nullptr;
        IOMMU_DMA_DOMAIN_CREATION_FLAGS none{};
        s.expect(NT_SUCCESS(s.io.CreateDomainEx(DomainTypeTranslate, none, nullptr,
                                                nullptr, &domain)),
                 "a domain");
        s.expect(NT_SUCCESS(s.io.AttachDeviceEx(i % 2 != 0 ? domain : s.plain, device)),
                 "an attach");
        s.expect(NT_SUCCESS(s.io.DetachDeviceEx(device)), "a detach");
        s.expect(NT_SUCCESS(s.io.DeleteDomain(domain)), "a delete");
    }
}

bool run(Kind kind, sim::Layout layout)
{
    sim::Machine machine(linked_provider(), {.kind = kind, .layout = layout});
    if (const char* error = machine.start(); error != nullptr) {
        std::cout << error << "\n";
        return false;
    }
    char message[1024];
    Test t(machine, message, sizeof(message));
    if (!t.need_tables()) {
        std::cout << message << "\n";
        return false;
    }
    Shared s{.machine = machine, .io = t.io};
    s.plain = t.attached(Who::PciA).domain;
    s.buddy = t.attached_to(t.buddy(40), Who::PciB).domain;
    auto* third =
        machine.device(Who::Acpi) != nullptr ? t.create_device(Who::Acpi) : nullptr;

    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 4; ++i) {
        threads.emplace_back([&s, i, memory = t.memory(8)] { mapper(s, i, memory); });
    }
    threads.emplace_back([&s, memory = t.memory(2)] { token_user(s, memory); });
    if (third != nullptr) {
        threads.emplace_back([&s, third] { comer_and_goer(s, third); });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    std::cout << name_of(kind) << ", " << sim::name_of(layout) << ": " << threads.size()
              << " threads, " << s.mistakes << " mistakes, " << machine.irql_violations()
              << " calls above their level\n";
    return s.mistakes == 0 && machine.irql_violations() == 0;
}

}  // namespace

int main()
{
    bool good = true;
    for (const auto kind : all_kinds) {
        for (const auto layout : sim::all_layouts) {
            good = run(kind, layout) && good;
        }
    }
    return good ? 0 : 1;
}
