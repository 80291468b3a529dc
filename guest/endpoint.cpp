// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/endpoint.hpp"

#include "guest/acpi.hpp"
#include "guest/mmio.hpp"

namespace iommu::guest {

namespace {

// docs/specs/winiommu-dma.rst "Registers (BAR0)".
enum Register : std::uint64_t {
    ID = 0x000,
    FEATURES = 0x008,
    COMMAND = 0x010,
    STATUS = 0x014,
    SRC = 0x020,
    DST = 0x028,
    LENGTH = 0x030,
    REPEAT = 0x034,
    PASID = 0x048,
    ATTR = 0x04c,
    BUFFER = 0x070,
    ACCESS = 0x074,
};
constexpr std::uint32_t id_value = 0x414d4457, device_vendor = 0x10dd1234;
constexpr std::uint32_t feature_pasid = 1;
constexpr std::uint32_t command_read = 1, command_write = 2;
constexpr std::uint32_t busy = 1, done = 2;

// PCI 7.5.1 "PCI-Compatible Configuration Registers".
constexpr std::uint64_t config_command = 0x04, config_bar = 0x10;
constexpr std::uint16_t memory_space = 2, bus_master = 4;

std::uint64_t bar(std::uint64_t config, unsigned n)
{
    return peek<std::uint32_t>(config + config_bar + 4 * n) & ~0xfu;
}

// PCIe 7.6.3 "PCI Express Extended Capability Header".
unsigned pasid_width(std::uint64_t config)
{
    constexpr std::uint32_t pasid = 0x1b;
    for (std::uint64_t at = 0x100, steps = 0; at >= 0x100 && steps < 64; ++steps) {
        const auto header = peek<std::uint32_t>(config + at);
        if ((header & 0xffff) == pasid) {
            return peek<std::uint16_t>(config + at + 4) >> 8 & 0x1f;
        }
        at = header >> 20 & ~3u;
    }
    return 0;
}

}  // namespace

bool Endpoint::open(std::uint64_t config, std::uint32_t requester)
{
    if (peek<std::uint32_t>(config) != device_vendor) {
        return false;
    }
    requester_ = requester;
    registers_ = bar(config, 0);
    buffer_ = bar(config, 2);
    if (registers_ == 0 || buffer_ == 0) {
        return false;
    }
    const auto command = peek<std::uint16_t>(config + config_command);
    poke<std::uint16_t>(config + config_command,
                        static_cast<std::uint16_t>(command | memory_space | bus_master));
    if (peek<std::uint32_t>(registers_ + ID) != id_value) {
        return false;
    }
    const bool takes_pasids =
        (peek<std::uint32_t>(registers_ + FEATURES) & feature_pasid) != 0;
    pasid_bits_ = takes_pasids ? pasid_width(config) : 0;
    return true;
}

// QEMU cuts a refused access into pieces of four bytes and asks the IOMMU about each; the
// command ends with the first one that is refused, so there is one event.
bool Endpoint::move(const Access& access, std::uint64_t& value) const
{
    poke<std::uint64_t>(buffer_, access.write ? value : ~value);
    poke<std::uint64_t>(registers_ + (access.write ? DST : SRC), access.address);
    poke<std::uint32_t>(registers_ + LENGTH, 8);
    poke<std::uint32_t>(registers_ + REPEAT, 1);
    poke<std::uint32_t>(registers_ + ACCESS, 4);
    poke<std::uint32_t>(registers_ + ATTR, 0);
    poke<std::uint32_t>(registers_ + BUFFER, 0);
    poke<std::uint32_t>(registers_ + PASID, access.tagged ? access.pasid | 1u << 31 : 0);
    poke<std::uint32_t>(registers_ + COMMAND,
                        access.write ? command_write : command_read);
    while (peek<std::uint32_t>(registers_ + STATUS) == busy) {
    }
    if (peek<std::uint32_t>(registers_ + STATUS) != done) {
        return false;
    }
    if (!access.write) {
        value = peek<std::uint64_t>(buffer_);
    }
    return true;
}

namespace {

// PCI Firmware 4.1.2 "MCFG Table Description": entries of 16 bytes from 44; base at 0,
// segment at 8, first and last bus at 10 and 11.
struct Ecam {
    std::uint64_t base = 0;
    std::uint32_t first = 1, last = 0;

    explicit Ecam(const Acpi& acpi)
    {
        std::size_t size = 0;
        const auto* mcfg = acpi.table("MCFG", size);
        if (mcfg != nullptr && size >= 44 + 16) {
            base = load<std::uint64_t>(mcfg + 44);
            first = mcfg[54];
            last = mcfg[55];
        }
    }
    std::uint64_t at(std::uint32_t requester) const
    {
        return base + (std::uint64_t{(requester >> 8) - first} << 20) +
               ((requester & 0xff) << 12);
    }
};

}  // namespace

std::uint32_t read_config(const Acpi& acpi, std::uint32_t requester, std::uint32_t offset)
{
    const Ecam ecam(acpi);
    const auto bus = requester >> 8;
    return bus < ecam.first || bus > ecam.last
               ? ~0u
               : peek<std::uint32_t>(ecam.at(requester) + offset);
}

unsigned find_endpoints(const Acpi& acpi, Endpoint* found, unsigned room)
{
    const Ecam ecam(acpi);
    unsigned count = 0;
    for (std::uint32_t bus = ecam.first; bus <= ecam.last; ++bus) {
        for (std::uint32_t devfn = 0; devfn < 256 && count < room; ++devfn) {
            const auto requester = bus << 8 | devfn;
            count += found[count].open(ecam.at(requester), requester) ? 1 : 0;
        }
    }
    return count;
}

}  // namespace iommu::guest
