// SPDX-License-Identifier: GPL-2.0-or-later
// V3: PASID sub-devices and what a device was created with.
#include "driver/slots.hpp"
#include "driver/system.hpp"

namespace iommu::driver {

// [S] 1 and up (0 is the default PASID), unique among all live sub-devices.
static std::uint32_t take_pasid(System& s, unsigned device_bits)
{
    const auto limit = std::uint64_t{1} << device_bits;
    for (std::uint64_t i = mutant(Mutant::PasidZero) ? 0 : 1;
         i < s.pasid_count && i < limit; ++i) {
        if (s.pasids[i] == 0 || mutant(Mutant::PasidNotUnique)) {
            s.pasids[i] = 1;
            return static_cast<std::uint32_t>(i);
        }
    }
    return ~0u;
}

NTSTATUS WDM_CALL CreatePasidDevice(PIOMMU_DMA_DEVICE DmaDevice,
                                    PIOMMU_DMA_PASID_DEVICE* PasidDeviceOut,
                                    PULONG AsidOut)
{
    auto& s = *system();
    require_irql(s, "CreatePasidDevice", PASSIVE_LEVEL);
    if (DmaDevice == nullptr ||
        (!DmaDevice->pasid_tagged && !mutant(Mutant::PasidUntagged))) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (PasidDeviceOut == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (AsidOut == nullptr) {
        return STATUS_INVALID_PARAMETER_3;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    const auto pasid = take_pasid(s, DmaDevice->function->identity.pasid_bits);
    if (pasid == ~0u) {
        return mutant(Mutant::PasidFullStatus) ? STATUS_INSUFFICIENT_RESOURCES
                                               : STATUS_NONE_MAPPED;
    }
    auto* device = s.platform.make<IOMMU_DMA_PASID_DEVICE>();
    if (device == nullptr) {
        s.pasids[pasid] = 0;
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *device = {DmaDevice, pasid, nullptr, DmaDevice->pasid_devices};
    DmaDevice->pasid_devices = device;
    *PasidDeviceOut = device;
    *AsidOut = pasid;
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL DeletePasidDevice(PIOMMU_DMA_PASID_DEVICE PasidDevice)
{
    auto& s = *system();
    require_irql(s, "DeletePasidDevice", PASSIVE_LEVEL);
    if (PasidDevice == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    if (PasidDevice->domain != nullptr) {
        return mutant(Mutant::DeletePasidAttached) ? STATUS_SUCCESS
                                                   : STATUS_RESOURCE_IN_USE;
    }
    auto** at = &PasidDevice->parent->pasid_devices;
    for (; *at != nullptr; at = &(*at)->next) {
        if (*at == PasidDevice) {
            *at = PasidDevice->next;
            break;
        }
    }
    if (!mutant(Mutant::PasidLeaked)) {
        s.pasids[PasidDevice->pasid] = 0;
    }
    s.platform.destroy(PasidDevice);
    return STATUS_SUCCESS;
}

// [S] Substreams select stage-1 tables only, so TranslateS1 is the type to attach.
NTSTATUS WDM_CALL AttachPasidDevice(PIOMMU_DMA_DOMAIN Domain,
                                    PIOMMU_DMA_PASID_DEVICE PasidDevice)
{
    auto& s = *system();
    require_irql(s, "AttachPasidDevice", PASSIVE_LEVEL);
    if (Domain == nullptr || Domain->type != DomainTypeTranslateS1) {
        return mutant(Mutant::PasidTypeStatus) ? STATUS_NOT_SUPPORTED
                                               : STATUS_INVALID_PARAMETER_1;
    }
    if (PasidDevice == nullptr) {
        return STATUS_INVALID_PARAMETER_2;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    if (PasidDevice->domain != nullptr) {
        return mutant(Mutant::PasidTwiceStatus) ? STATUS_INVALID_PARAMETER
                                                : STATUS_UNSUCCESSFUL;
    }
    auto* parent = PasidDevice->parent;
    const auto mask = s.available_types(*parent->function);
    if ((mask & (1u << DomainTypeTranslateS1)) == 0) {
        return STATUS_ACCESS_DENIED;
    }
    const auto& ids = parent->function->ids;
    for (std::uint32_t i = 0; i < parent->inputs; ++i) {
        if (!s.hw.prepare(ids.stream_of(parent->first_input + i), s.limits.pasid_bits)) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    const auto pasid =
        mutant(Mutant::PasidOffByOne) ? PasidDevice->pasid + 1 : PasidDevice->pasid;
    for (std::uint32_t i = 0; i < parent->inputs; ++i) {
        const auto stream = ids.stream_of(parent->first_input + i);
        if (parent->binding == nullptr) {
            s.hw.unbind(stream, s.unattached(*parent->function));
        }
        const bool report =
            !parent->suppress_pasid_faults || mutant(Mutant::SuppressionIgnored);
        s.hw.bind_pasid(stream, pasid, Domain->context, report);
    }
    PasidDevice->domain = Domain;
    ++Domain->pasid_devices;
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL DetachPasidDevice(PIOMMU_DMA_PASID_DEVICE PasidDevice)
{
    auto& s = *system();
    require_irql(s, "DetachPasidDevice", PASSIVE_LEVEL);
    if (PasidDevice == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    const Guard guard(s.platform, s.lifecycle, APC_LEVEL);
    if (PasidDevice->domain == nullptr) {
        return mutant(Mutant::PasidDetachStatus) ? STATUS_UNSUCCESSFUL
                                                 : STATUS_INVALID_PARAMETER_1;
    }
    auto* parent = PasidDevice->parent;
    for (std::uint32_t i = 0; i < parent->inputs && !mutant(Mutant::PasidStaysBound);
         ++i) {
        s.hw.unbind_pasid(parent->function->ids.stream_of(parent->first_input + i),
                          PasidDevice->pasid);
        s.hw.invalidate(PasidDevice->domain->context);
    }
    --PasidDevice->domain->pasid_devices;
    PasidDevice->domain = nullptr;
    return STATUS_SUCCESS;
}

NTSTATUS WDM_CALL QueryDeviceInfo(PIOMMU_DMA_DEVICE DmaDevice, ULONG Size,
                                  PULONG BytesWritten,
                                  PIOMMU_DMA_DEVICE_INFORMATION Buffer)
{
    auto& s = *system();
    require_irql(s, "QueryDeviceInfo", PASSIVE_LEVEL);
    if (DmaDevice == nullptr) {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (BytesWritten == nullptr) {
        return STATUS_INVALID_PARAMETER_3;
    }
    if (Size < sizeof(IOMMU_DMA_DEVICE_INFORMATION)) {
        *BytesWritten = 0;
        return mutant(Mutant::QueryInfoStatus) ? STATUS_INVALID_PARAMETER_2
                                               : STATUS_BUFFER_TOO_SMALL;
    }
    if (Buffer == nullptr) {
        return STATUS_INVALID_PARAMETER_4;
    }
    const bool pasid = DmaDevice->pasid;
    Buffer->DefaultPasidEnabled = pasid ? TRUE : FALSE;
    Buffer->PasidTaggedDmaEnabled =
        DmaDevice->pasid_tagged || (pasid && mutant(Mutant::QueryInfoTagged)) ? TRUE
                                                                              : FALSE;
    Buffer->PasidFaultsSuppressed = DmaDevice->suppress_pasid_faults ? TRUE : FALSE;
    *BytesWritten =
        mutant(Mutant::QueryInfoLength) ? 4 : sizeof(IOMMU_DMA_DEVICE_INFORMATION);
    return STATUS_SUCCESS;
}

}  // namespace iommu::driver
