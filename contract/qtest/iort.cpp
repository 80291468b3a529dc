// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstring>

#include "contract/qtest/machine.hpp"

namespace iommu::contract::qemu {

namespace {

// DEN 0049 3.1 "IORT table", 3.1.1 "Nodes", 3.1.1.5 "Named component node".
constexpr std::size_t length_at = 4, checksum_at = 9, count_at = 36, first_at = 40;
constexpr std::size_t fixed_size = 29, mapping_size = 20;
constexpr std::byte named_component{1}, smmuv3{4};

std::uint32_t get(const std::vector<std::byte>& table, std::size_t at)
{
    std::uint32_t value = 0;
    if (at + 4 <= table.size()) {
        std::memcpy(&value, &table[at], 4);
    }
    return value;
}

void put(std::vector<std::byte>& table, std::size_t at, std::uint32_t value)
{
    std::memcpy(&table[at], &value, 4);
}

// Where the first SMMUv3 node begins; 0: there is none.
std::uint32_t find_smmu(const std::vector<std::byte>& table)
{
    std::size_t at = get(table, first_at);
    for (auto left = get(table, count_at); left != 0 && at + 4 <= table.size(); --left) {
        if (table[at] == smmuv3) {
            return static_cast<std::uint32_t>(at);
        }
        const auto length = get(table, at) >> 8 & 0xffff;
        at += length == 0 ? 0x10000 : length;
    }
    return 0;
}

void correct_checksum(std::vector<std::byte>& table)
{
    unsigned sum = 0;
    table[checksum_at] = std::byte{0};
    for (const auto b : table) {
        sum += static_cast<unsigned>(b);
    }
    table[checksum_at] = static_cast<std::byte>(0u - sum);
}

}  // namespace

std::vector<std::byte> with_named_component(std::vector<std::byte> iort,
                                            const NamedStreams& streams)
{
    const auto smmu = find_smmu(iort);
    if (smmu == 0) {
        return {};
    }
    const auto name = std::strlen(streams.path) + 1;
    const auto map = (fixed_size + name + 3) & ~std::size_t{3};
    const auto size = static_cast<std::uint32_t>(map + mapping_size);
    const auto at = (iort.size() + 3) & ~std::size_t{3};
    iort.resize(at + size);
    iort[at] = named_component;
    std::memcpy(&iort[at + 1], &size, 2);
    iort[at + 3] = std::byte{4};  // revision
    put(iort, at + 4, 0x4e41);    // an identifier of its own
    put(iort, at + 8, 1);         // one mapping ...
    put(iort, at + 12, static_cast<std::uint32_t>(map));
    iort[at + 28] = std::byte{64};  // address bits
    std::memcpy(&iort[at + fixed_size], streams.path, name);
    put(iort, at + map, streams.first_input);
    put(iort, at + map + 4, streams.inputs - 1);  // written as one less
    put(iort, at + map + 8, streams.first_stream);
    put(iort, at + map + 12, smmu);
    put(iort, count_at, get(iort, count_at) + 1);
    put(iort, length_at, static_cast<std::uint32_t>(iort.size()));
    correct_checksum(iort);
    return iort;
}

}  // namespace iommu::contract::qemu
