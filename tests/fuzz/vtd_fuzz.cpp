// SPDX-License-Identifier: GPL-2.0-or-later
// VT-d under a hostile guest.  The first byte chooses where the guest begins: with
// nothing set up, or with legacy tables and the invalidation queue in place, which the
// rest then spoils.
#include "tests/fuzz/guest_machine.hpp"

namespace iommu::fuzz {
namespace {

// VT-d 11.4: GCMD ... IRTA, and the fault records and IOTLB registers behind the fixed
// ones.
constexpr std::uint16_t registers[] = {0x18, 0x18, 0x20, 0x28,  0x34,  0x38,  0x3c, 0x40,
                                       0x44, 0x64, 0x68, 0x70,  0x80,  0x88,  0x88, 0x88,
                                       0x90, 0x9c, 0xa0, 0xa4,  0xa8,  0xac,  0xb0, 0xb8,
                                       0xd0, 0xdc, 0xe0, 0x220, 0x228, 0x22c, 0xf0, 0xf8};
constexpr std::uint64_t GCMD = 0x18, RTADDR = 0x20, FECTL = 0x38, FEDATA = 0x3c,
                        FEADDR = 0x40, IQT = 0x88, IQH = 0x80, IQA = 0x90, IRTA = 0xb8;

constexpr std::uint64_t base = Machine::ram_base, root = base + 0x1000,
                        context = base + 0x2000, stage2 = base + 0x4000,
                        queue = base + 0x1'0000, remapping = base + 0x1'2000,
                        pages = base + 0x2'0000;
constexpr unsigned address_bits = 48;

void set_up(Machine& machine)
{
    // VT-d 9.1, 9.3, 9.8: every function of bus 0 in domain 7, three levels, 39 bits.
    machine.words(root, {context | 1, 0});
    for (std::uint64_t function = 0; function < 256; ++function) {
        machine.words(context + function * 16, {stage2 | 1, 7 << 8 | 1});
    }
    machine.words(stage2, {(stage2 + 0x1000) | 3});
    machine.words(stage2 + 0x1000, {(stage2 + 0x2000) | 3, 0x4000'0000 | 3 | 1 << 7});
    for (std::uint64_t page = 0; page < 16; ++page) {
        machine.words(stage2 + 0x2000 + page * 8, {(pages + page * 0x1000) | 3});
    }
    // VT-d 9.10: one remapped interrupt, any requester.
    machine.words(remapping, {1 | 0x30ull << 16, 0});
    machine.poke(FEDATA, 0x41, 4);
    machine.poke(FEADDR, 0xfee0'0000, 4);
    machine.poke(FECTL, 0, 4);
    machine.poke(RTADDR, root, 8);
    machine.poke(GCMD, 1u << 30, 4);
    machine.poke(IQA, queue, 8);
    machine.poke(GCMD, 1u << 26, 4);
    machine.poke(IRTA, remapping | 7, 8);
    machine.poke(GCMD, 1u << 26 | 1u << 24, 4);
    machine.poke(GCMD, 1u << 26 | 1u << 31, 4);
}

void invariants(Machine& machine)
{
    // VT-d 11.4.9.1 and 11.4.9.2: bits 18:4.  IQA's size counts from the moment of
    // enabling, so what holds at any time is the largest queue.
    require((machine.peek(IQH, 8) & ~0x7'fff0ull) == 0,
            "the head lies in the largest queue");
    require((machine.peek(IQT, 8) & ~0x7'fff0ull) == 0, "the tail has the bits it has");
}

// The device with and without its TLB, caching mode and scalable mode.
Machine& machine_of(unsigned variant)
{
    static Machine machines[8];
    auto& machine = machines[variant];
    if (machine.iommu() == nullptr) {
        WiVtdConfig config;
        wi_vtd_config_init(&config);
        config.tlb = (variant & 1) == 0;
        config.caching_mode = (variant & 2) != 0;
        config.scalable_mode = (variant & 4) != 0;
        const auto host = machine.host();
        const char* error = nullptr;
        machine.use(wi_vtd_new(&config, &host, &error));
    }
    machine.begin(256);
    return machine;
}

}  // namespace
}  // namespace iommu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace iommu::fuzz;
    Input in(data, size);
    const auto kind = in.take<std::uint8_t>();
    auto& machine = machine_of(kind >> 4 & 7);
    if ((kind & 1) != 0) {
        set_up(machine);
    }
    run_script(machine, in, registers, wi_vtd_mmio_size(machine.iommu()), 0xff,
               address_bits, invariants);
    // The same state, seen by interrupts.
    std::uint64_t address = 0;
    std::uint32_t message = 0;
    for (std::uint32_t handle = 0; handle < 4; ++handle) {
        wi_vtd_remap_interrupt(machine.iommu(), handle, 0xfee0'0010 | handle << 5, 0,
                               &address, &message);
    }
    return 0;
}
