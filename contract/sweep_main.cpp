// SPDX-License-Identifier: GPL-2.0-or-later
// The reference driver without memory: in every call, the n-th allocation fails, for
// every n, and then the call has failed and everything is as it was.
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "contract/reference.hpp"
#include "contract/sim/machine.hpp"
#include "contract/test.hpp"

namespace {

using namespace iommu::contract;

// What a call works on.  The mapping at `spot` must survive whatever fails.
struct Bench {
    Test& t;
    PIOMMU_DMA_DOMAIN plain = nullptr, buddy = nullptr, first_stage = nullptr;
    PIOMMU_DMA_DEVICE device = nullptr, other = nullptr, parent = nullptr;
    PIOMMU_DMA_PASID_DEVICE sub = nullptr;
    std::uint64_t kept = 0, memory = 0;
};

struct Call {
    const char* name;
    std::function<NTSTATUS(Bench&)> make;
    bool may_need_nothing = false;  // it depends on the format whether it takes memory
};

PIOMMU_DMA_DOMAIN made_domain;
PIOMMU_DMA_DEVICE made_device;
PIOMMU_DMA_PASID_DEVICE made_pasid;
PIOMMU_DMA_LOGICAL_ADDRESS_TOKEN made_token;
std::uint64_t made_address;
ULONG made_number;

std::vector<Call> calls(bool pasids)
{
    std::vector<Call> c;
    c.push_back({"CreateDomain",
                 [](Bench& b) { return b.t.v1.CreateDomain(TRUE, &made_domain); }});
    c.push_back(
        {"CreateDomainEx with Buddy and a mapped region", [](Bench& b) {
             IOMMU_DMA_RESERVED_REGION region{nullptr, 4 * spot - 0x1000, 700, TRUE};
             IOMMU_DMA_LOGICAL_ALLOCATOR_CONFIG config{};
             config.LogicalAllocatorType = IommuDmaLogicalAllocatorBuddy;
             config.BuddyAllocatorConfig.AddressWidth = 45;
             return b.t.try_create(DomainTypeTranslate, &made_domain, 0, &config,
                                   &region);
         }});
    c.push_back({"CreateDevice", [](Bench& b) {
                     return b.t.io.CreateDevice(b.t.home.device(Who::PciA), nullptr,
                                                &made_device);
                 }});
    c.push_back({"AttachDeviceEx",
                 [](Bench& b) { return b.t.io.AttachDeviceEx(b.plain, b.other); }});
    c.push_back({"AttachDevice", [](Bench& b) {
                     return b.t.v1.AttachDevice(b.plain, b.t.home.device(Who::PciB), 0,
                                                1);
                 }});
    c.push_back({"MapLogicalRangeEx, explicit, over three tables", [](Bench& b) {
                     return b.t.map(b.plain, 8 * spot - page, b.memory, 600);
                 }});
    c.push_back({"MapLogicalRangeEx, allocated", [](Bench& b) {
                     return b.t.allocate(b.buddy, b.memory, 600, made_address);
                 }});
    c.push_back({"MapIdentityRangeEx, scattered", [](Bench& b) {
                     PFN_NUMBER list[] = {0x4321'0000 / page, 0x9'0000'0000 / page,
                                          b.memory / page};
                     auto what = frames(list, 3);
                     return b.t.io.MapIdentityRangeEx(b.plain, read_write, &what);
                 }});
    c.push_back({"UnmapLogicalRange inside a block",
                 [](Bench& b) {
                     return b.t.io.UnmapLogicalRange(b.plain, 16 * spot + 9 * page, 1);
                 },
                 true});
    for (const bool explicit_base : {true, false}) {
        c.push_back({explicit_base ? "ReserveLogicalAddressRange, explicit"
                                   : "ReserveLogicalAddressRange, allocated",
                     [explicit_base](Bench& b) {
                         IOMMU_DMA_LOGICAL_ADDRESS at = 3 * spot - page;
                         return b.t.io.ReserveLogicalAddressRange(
                             explicit_base ? b.plain : b.buddy, 600 * page,
                             explicit_base ? &at : nullptr, nullptr, nullptr,
                             &made_token);
                     }});
    }
    if (pasids) {
        c.push_back({"CreatePasidDevice", [](Bench& b) {
                         return b.t.io.CreatePasidDevice(b.parent, &made_pasid,
                                                         &made_number);
                     }});
        c.push_back({"AttachPasidDevice", [](Bench& b) {
                         return b.t.io.AttachPasidDevice(b.first_stage, b.sub);
                     }});
    }
    return c;
}

const char* set_up(sim::Machine& machine, Bench& b, bool pasids)
{
    if (const char* error = machine.start(); error != nullptr) {
        return error;
    }
    auto& t = b.t;
    if (!t.need_tables()) {
        return "the tables cannot be had";
    }
    b.plain = t.translate();
    b.buddy = t.buddy(40);
    b.device = t.create_device(Who::PciA);
    b.other = t.create_device(Who::PciB);
    b.memory = t.memory(1024);
    b.kept = t.memory();
    t.map(b.plain, spot, b.kept);
    t.map(b.plain, 16 * spot, b.memory, 512);
    t.io.AttachDeviceEx(b.plain, b.device);
    if (pasids) {
        b.parent = t.create_pasid_parent(Who::PciA, PasidConfigTypePasidTaggedDma);
        b.first_stage = t.create(DomainTypeTranslateS1);
        t.io.CreatePasidDevice(b.parent, &b.sub, &made_number);
    }
    return nullptr;
}

// On a fresh machine for each n, so that nothing kept for reuse hides an allocation.
bool sweep(sim::Machine& machine, bool pasids, const Call& call)
{
    for (unsigned n = 0; n < 1000; ++n) {
        char message[1024];
        Test t(machine, message, sizeof(message));
        Bench b{.t = t};
        if (const char* error = set_up(machine, b, pasids); error != nullptr) {
            std::cout << "  " << error << "\n";
            return false;
        }
        const auto before = machine.allocated();
        machine.fail_allocations(n);
        const auto status = call.make(b);
        machine.fail_allocations(Home::never);
        if (NT_SUCCESS(status)) {
            std::cout << "  " << call.name << ": " << n << " failures survived\n";
            return n != 0 || call.may_need_nothing;
        }
        const bool right = status == STATUS_INSUFFICIENT_RESOURCES;
        const bool same = machine.allocated() == before;
        const bool works =
            t.reaches(Who::PciA, spot, b.kept, "the mapping that was there");
        const bool again = NT_SUCCESS(call.make(b));
        if (!right || !same || !works || !again) {
            std::cout << "  " << call.name << ", allocation " << n << ": "
                      << (right ? "" : "wrong status; ")
                      << (same ? "" : "memory leaked or lost; ")
                      << (works ? "" : "an older mapping is gone; ")
                      << (again ? "" : "it fails with memory too") << "\n";
            return false;
        }
    }
    std::cout << "  " << call.name << ": never succeeds\n";
    return false;
}

bool run(Kind kind, sim::Layout layout)
{
    sim::Machine machine(linked_provider(), {.kind = kind, .layout = layout});
    std::cout << name_of(kind) << ", " << sim::name_of(layout) << "\n";
    const bool pasids = kind != Kind::Q35;
    bool good = true;
    for (const auto& call : calls(pasids)) {
        good = sweep(machine, pasids, call) && good;
    }
    return good;
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
