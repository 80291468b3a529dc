// SPDX-License-Identifier: GPL-2.0-or-later
// P. PASID sub-devices (V3).
#include "contract/rules/rules.hpp"

namespace iommu::contract {

namespace {

struct SubDevice {
    PIOMMU_DMA_DEVICE parent = nullptr;
    PIOMMU_DMA_PASID_DEVICE device = nullptr;
    ULONG pasid = 0;
    explicit operator bool() const { return device != nullptr; }
    Dma at(std::uint64_t address) const
    {
        return {.who = Who::PciA, .address = address, .tagged = true, .pasid = pasid};
    }
};

SubDevice sub_device(Test& t, bool suppress = false)
{
    SubDevice s;
    if (t.need_tables()) {
        s.parent =
            t.create_pasid_parent(Who::PciA, PasidConfigTypePasidTaggedDma, suppress);
    }
    if (s.parent != nullptr) {
        t.ok(t.io.CreatePasidDevice(s.parent, &s.device, &s.pasid), "CreatePasidDevice");
    }
    return s;
}

void info_is(Test& t, PIOMMU_DMA_DEVICE device, unsigned a, unsigned b, unsigned c,
             const char* what)
{
    IOMMU_DMA_DEVICE_INFORMATION info{9, 9, 9};
    ULONG written = 0;
    t.ok(t.io.QueryDeviceInfo(device, sizeof(info), &written, &info), "QueryDeviceInfo");
    t.that(info.DefaultPasidEnabled == a && info.PasidTaggedDmaEnabled == b &&
               info.PasidFaultsSuppressed == c,
           what);
}

}  // namespace

void rule_194(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    PIOMMU_DMA_PASID_DEVICE sub = nullptr;
    ULONG pasid = 0;
    t.status(t.io.CreatePasidDevice(t.create_device(Who::PciB), &sub, &pasid),
             STATUS_INVALID_PARAMETER_1, "a parent without PASIDs");
    auto* parent = t.create_pasid_parent(Who::PciA, PasidConfigTypeDefaultPasidOnly);
    if (parent != nullptr) {
        t.status(t.io.CreatePasidDevice(parent, &sub, &pasid), STATUS_INVALID_PARAMETER_1,
                 "a parent with the default PASID only");
    }
}

void rule_195(Test& t)
{
    const auto a = sub_device(t);
    SubDevice b;
    if (a) {
        t.ok(t.io.CreatePasidDevice(a.parent, &b.device, &b.pasid),
             "a second sub-device");
        t.that(b.device != nullptr && a.device != b.device, "sub-devices are returned");
        t.proposed(a.pasid >= 1 && a.pasid < 1u << 20, "a PASID in 1 ... 2^20 - 1");
        t.proposed(a.pasid != b.pasid, "PASIDs are unique");
    }
}

void rule_196(Test& t)
{
    const auto first = sub_device(t);
    if (!first) {
        return;
    }
    SubDevice last = first;
    NTSTATUS status = STATUS_SUCCESS;
    for (unsigned i = 0; i < 1u << 20 && NT_SUCCESS(status); ++i) {
        SubDevice next;
        status = t.io.CreatePasidDevice(first.parent, &next.device, &next.pasid);
        last = NT_SUCCESS(status) ? next : last;
    }
    t.status(status, STATUS_NONE_MAPPED, "no PASID is left");
    t.ok(t.io.DeletePasidDevice(last.device), "DeletePasidDevice");
    t.ok(t.io.CreatePasidDevice(first.parent, &last.device, &last.pasid),
         "one is free again");
}

void rule_197(Test& t)
{
    const auto s = sub_device(t);
    if (!s) {
        return;
    }
    auto* d = t.create(DomainTypeTranslateS1);
    const auto at = t.memory();
    t.ok(t.map(d, spot, at), "a map in the domain");
    t.blocked(s.at(spot), "tagged DMA before the attach");
    t.ok(t.io.AttachPasidDevice(d, s.device), "AttachPasidDevice");
    t.reaches(s.at(spot), at, "tagged DMA uses the domain");
    t.blocked(Who::PciA, spot, "untagged DMA does not");
    auto other = s.at(spot);
    ++other.pasid;
    t.blocked(other, "another PASID does not");
    t.ok(t.io.UnmapLogicalRange(d, spot, 1), "UnmapLogicalRange");
    t.blocked(s.at(spot), "tagged DMA after the unmap");
}

void rule_198(Test& t)
{
    const auto s = sub_device(t);
    if (!s) {
        return;
    }
    for (const auto type :
         {DomainTypeTranslate, DomainTypePassThrough, DomainTypeUnmanaged}) {
        t.status(t.io.AttachPasidDevice(t.create(type), s.device),
                 STATUS_INVALID_PARAMETER_1, "a domain type without first stage");
    }
    auto* d = t.create(DomainTypeTranslateS1);
    t.ok(t.io.AttachPasidDevice(d, s.device), "AttachPasidDevice");
    t.status(t.io.AttachPasidDevice(d, s.device), STATUS_UNSUCCESSFUL, "twice");
    t.ok(t.io.DetachPasidDevice(s.device), "DetachPasidDevice");
    t.home.policy().remapping_available = false;
    t.status(t.io.AttachPasidDevice(d, s.device), STATUS_ACCESS_DENIED,
             "while policy does not allow the type");
}

void rule_199(Test& t)
{
    const auto s = sub_device(t);
    if (!s) {
        return;
    }
    t.status(t.io.DetachPasidDevice(s.device), STATUS_INVALID_PARAMETER_1,
             "never attached");
    auto* d = t.create(DomainTypeTranslateS1);
    const auto at = t.memory();
    t.ok(t.map(d, spot, at), "a map in the domain");
    t.ok(t.io.AttachPasidDevice(d, s.device), "AttachPasidDevice");
    t.reaches(s.at(spot), at, "tagged DMA");
    t.ok(t.io.DetachPasidDevice(s.device), "DetachPasidDevice");
    t.blocked(s.at(spot), "tagged DMA afterwards");
}

void rule_200(Test& t)
{
    const auto s = sub_device(t);
    if (!s) {
        return;
    }
    auto* d = t.create(DomainTypeTranslateS1);
    t.ok(t.io.AttachPasidDevice(d, s.device), "AttachPasidDevice");
    t.status(t.io.DeletePasidDevice(s.device), STATUS_RESOURCE_IN_USE, "while attached");
    t.proposed_status(t.io.DeleteDomain(d), STATUS_RESOURCE_IN_USE,
                      "DeleteDomain meanwhile");
    t.ok(t.io.DetachPasidDevice(s.device), "DetachPasidDevice");
    t.ok(t.io.DeletePasidDevice(s.device), "DeletePasidDevice");
}

void rule_201(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    auto* device = t.create_device(Who::PciA);
    IOMMU_DMA_DEVICE_INFORMATION info{9, 9, 9};
    ULONG written = 77;
    t.status(t.io.QueryDeviceInfo(device, 2, &written, &info), STATUS_BUFFER_TOO_SMALL,
             "2");
    t.proposed(info.DefaultPasidEnabled == 9, "the buffer is untouched");
    t.ok(t.io.QueryDeviceInfo(device, 3, &written, &info), "3");
    t.that(written == 3, "BytesWritten");
    t.that(info.DefaultPasidEnabled == 0 && info.PasidTaggedDmaEnabled == 0 &&
               info.PasidFaultsSuppressed == 0,
           "a device without PASIDs");
}

void rule_202(Test& t)
{
    if (!t.need_tables()) {
        return;
    }
    for (const unsigned suppress : {0u, 1u}) {
        auto* only = t.create_pasid_parent(Who::PciA, PasidConfigTypeDefaultPasidOnly,
                                           suppress != 0);
        auto* tagged = t.create_pasid_parent(Who::PciA, PasidConfigTypePasidTaggedDma,
                                             suppress != 0);
        if (only == nullptr || tagged == nullptr) {
            return;
        }
        info_is(t, only, 1, 0, suppress, "DefaultPasidOnly");
        info_is(t, tagged, 1, 1, suppress, "PasidTaggedDma");
    }
}

void rule_203(Test& t)
{
    for (const bool suppress : {true, false}) {
        const auto s = sub_device(t, suppress);
        if (!s) {
            return;
        }
        auto* d = t.create(DomainTypeTranslateS1);
        t.ok(t.io.AttachPasidDevice(d, s.device), "AttachPasidDevice");
        const auto before = t.home.bug_checks();
        t.blocked(s.at(spot), "tagged DMA to nowhere");
        t.home.run_pending();
        t.that((t.home.bug_checks() == before) == suppress,
               suppress ? "a suppressed fault is not reported"
                        : "and otherwise is fatal");
        t.ok(t.io.DetachPasidDevice(s.device), "DetachPasidDevice");
        t.ok(t.io.DeletePasidDevice(s.device), "DeletePasidDevice");
        t.ok(t.io.DeleteDevice(s.parent), "DeleteDevice");
    }
}

void rule_204(Test& t)
{
    const auto s = sub_device(t);
    if (s) {
        t.status(t.io.DeleteDevice(s.parent), STATUS_RESOURCE_IN_USE,
                 "with a sub-device");
        t.ok(t.io.DeletePasidDevice(s.device), "DeletePasidDevice");
        t.ok(t.io.DeleteDevice(s.parent), "DeleteDevice then");
    }
}

}  // namespace iommu::contract
