// SPDX-License-Identifier: GPL-2.0-or-later
// Home 2: a QEMU process.  The provider runs in this process; its registers are QEMU's,
// over qtest; the ACPI table is what QEMU gives to firmware; DMA is that of winiommu-dma
// functions.  Guest RAM is a file that both processes map.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "contract/host/kernel.hpp"
#include "tests/qtest/pci.hpp"
#include "tests/qtest/qtest_client.hpp"

namespace iommu::contract::qemu {

struct Options {
    Kind kind = Kind::Virt;
    bool tlb = true;
    std::string binary;  // qemu-system-aarch64 or qemu-system-x86_64
};

class Machine final : public Kernel {
public:
    Machine(const Provider& provider, const Options& options);
    ~Machine() override;

    bool dma(const Dma& dma, std::uint64_t& value) override;

private:
    // The first starts QEMU; later ones reset it.
    const char* power_on() override;
    void power_off() override;
    std::uint64_t read_register(std::uint64_t physical, std::uint32_t size) override;
    void write_register(std::uint64_t physical, std::uint32_t size,
                        std::uint64_t value) override;
    unsigned line_of(std::uint32_t gsiv) const override;
    Message message(unsigned nth) const override;
    bool take_line(unsigned line) override;
    bool take_message(unsigned nth) override;
    std::uint32_t read_config(std::uint32_t segment, std::uint32_t requester,
                              std::uint32_t offset) override;

    bool map_ram();
    bool launch();
    bool read_table();
    bool place_endpoints();
    bool fail(const std::string& why);

    Options options_;
    std::string error_;
    int ram_file_ = -1;
    std::unique_ptr<::qtest::Machine> qemu_;
    std::unique_ptr<::qtest::ConfigSpace> config_;
    std::array<std::vector<::qtest::Endpoint>, devices> endpoints_;
    std::array<unsigned, lines> raised_{};
    std::size_t output_read_ = 0;
};

// The IORT with a named component added that QEMU has no device for: `path`, whose
// `inputs` ids from `first_input` are the StreamIDs from `first_stream` of the first
// SMMUv3.  Empty: the table has no SMMUv3.
struct NamedStreams {
    const char* path = nullptr;
    std::uint32_t first_input = 0, inputs = 0, first_stream = 0;
};
std::vector<std::byte> with_named_component(std::vector<std::byte> iort,
                                            const NamedStreams& streams);

}  // namespace iommu::contract::qemu
