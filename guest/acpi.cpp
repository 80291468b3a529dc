// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/acpi.hpp"

#include "driver/smmuv3/iort.hpp"

namespace iommu::guest {

namespace {

constexpr std::size_t header_size = 36;

std::uint8_t sum(const std::uint8_t* bytes, std::size_t size)
{
    std::uint8_t total = 0;
    for (std::size_t i = 0; i < size; ++i) {
        total = static_cast<std::uint8_t>(total + bytes[i]);
    }
    return total;
}

// ACPI 5.2.6 "System Description Table Header": length at 4.  0: not this table.
std::size_t size_of(const std::uint8_t* table, const char* signature)
{
    const auto size = load<std::uint32_t>(table + 4);
    const bool good = __builtin_memcmp(table, signature, 4) == 0 && size >= header_size &&
                      sum(table, size) == 0;
    return good ? size : 0;
}

void put16(std::uint8_t* at, std::size_t value)
{
    const auto v = static_cast<std::uint16_t>(value);
    __builtin_memcpy(at, &v, sizeof(v));
}

void put32(std::uint8_t* at, std::size_t value)
{
    const auto v = static_cast<std::uint32_t>(value);
    __builtin_memcpy(at, &v, sizeof(v));
}

}  // namespace

// ACPI 5.2.5.3 "RSDP Structure": XsdtAddress at 24.
bool Acpi::open(const void* rsdp)
{
    if (rsdp == nullptr || __builtin_memcmp(rsdp, "RSD PTR ", 8) != 0) {
        return false;
    }
    const auto at = load<std::uint64_t>(static_cast<const std::uint8_t*>(rsdp) + 24);
    xsdt_ = reinterpret_cast<const std::uint8_t*>(at);
    xsdt_size_ = xsdt_ == nullptr ? 0 : size_of(xsdt_, "XSDT");
    return xsdt_size_ != 0;
}

const std::uint8_t* Acpi::table(const char* signature, std::size_t& size) const
{
    if (iort_size_ != 0 && __builtin_memcmp(signature, "IORT", 4) == 0) {
        size = iort_size_;
        return iort_;
    }
    for (std::size_t at = header_size; at + 8 <= xsdt_size_; at += 8) {
        const auto* found =
            reinterpret_cast<const std::uint8_t*>(load<std::uint64_t>(xsdt_ + at));
        size = size_of(found, signature);
        if (size != 0) {
            return found;
        }
    }
    size = 0;
    return nullptr;
}

namespace {

// The SMMUv3 a PCI function of segment 0 is behind.
bool smmu_of(const std::uint8_t* table, std::size_t size, std::uint32_t requester,
             driver::Iort::Smmu& smmu)
{
    driver::Iort iort;
    WdmDeviceIdentity function{};
    function.requester_id = requester;
    driver::InputIds ids;
    const bool sound = table != nullptr && iort.open(table, size);
    while (sound && iort.next_unit(smmu)) {
        if (iort.find_device(smmu, function, ids)) {
            return true;
        }
    }
    return false;
}

}  // namespace

bool Acpi::has_smmu(std::uint32_t requester) const
{
    std::size_t size = 0;
    const auto* firmware = table("IORT", size);
    driver::Iort::Smmu smmu;
    return smmu_of(firmware, size, requester, smmu);
}

// DEN 0049 3.1.1.3 "Named component node" and 3.1.1 "ID mapping".
bool Acpi::add_component(const char* path, std::uint32_t first_input, std::uint32_t ids,
                         std::uint32_t stream)
{
    constexpr std::size_t fixed = 29, mapping_size = 20;
    std::size_t size = 0;
    const auto* firmware = table("IORT", size);
    driver::Iort::Smmu smmu;
    if (!smmu_of(firmware, size, stream, smmu)) {
        return false;
    }
    const auto name = __builtin_strlen(path) + 1;
    const auto mapping = (fixed + name + 3) & ~std::size_t{3};
    const auto node_size = mapping + mapping_size;
    if (size % 4 != 0 || size + node_size > sizeof(iort_)) {
        return false;
    }
    __builtin_memcpy(iort_, firmware, size);
    auto* node = iort_ + size;
    const auto nodes = load<std::uint32_t>(iort_ + 36);
    node[0] = 1;
    put16(node + 1, node_size);
    node[3] = 4;
    put32(node + 4, nodes);
    put32(node + 8, 1);
    put32(node + 12, mapping);
    __builtin_memcpy(node + fixed, path, name);
    put32(node + mapping, first_input);
    put32(node + mapping + 4, ids - 1);
    put32(node + mapping + 8, stream);
    put32(node + mapping + 12, smmu.node);
    put32(iort_ + 36, nodes + 1);
    iort_size_ = size + node_size;
    put32(iort_ + 4, iort_size_);
    iort_[9] = static_cast<std::uint8_t>(iort_[9] - sum(iort_, iort_size_));
    return true;
}

}  // namespace iommu::guest
