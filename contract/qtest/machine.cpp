// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/qtest/machine.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/qtest/fw_cfg.hpp"
#include "tests/qtest/places.hpp"

namespace iommu::contract::qemu {

namespace {

using ::qtest::Endpoint;
using ::qtest::Function;

constexpr std::uint64_t virt_ram_size = 256ull << 20, q35_ram_size = 512ull << 20;
constexpr std::uint64_t firmware_share = 16ull << 20;  // of RAM, from its start
constexpr std::uint64_t endpoint_window = 0x20000;
constexpr unsigned free_bus = 0x80;  // the one without an IOMMU
constexpr const char* unit_path = "/machine/peripheral/unit";

// VT-d 11.4.9 "Fault Event Data Register": an edge, fixed, to nobody who is there.
constexpr std::uint64_t message_address = 0xfee0'1000;
constexpr std::uint32_t message_data = 0x41;

struct Place {
    Who who;
    Function function;
};
// The ACPI device's streams are three functions with consecutive requester ids.
constexpr Place places[] = {{Who::PciA, {0, 2, 0}},
                            {Who::PciB, {0, 3, 0}},
                            {Who::Unprotected, {free_bus + 1, 0, 0}},
                            {Who::Acpi, {0, 4, 0}},
                            {Who::Acpi, {0, 4, 1}},
                            {Who::Acpi, {0, 4, 2}}};

std::vector<std::string> arguments(const Options& options, int ram_file)
{
    const bool virt = options.kind == Kind::Virt;
    const auto size = std::to_string((virt ? virt_ram_size : q35_ram_size) >> 20) + "M";
    std::string unit = virt ? "winiommu-smmuv3,id=unit" : "winiommu-vtd,id=unit";
    unit += options.kind == Kind::Q35Scalable ? ",scalable-mode=on" : "";
    unit += options.tlb ? "" : ",tlb=off";
    std::vector<std::string> all = {
        "-m",
        size,
        "-object",
        "memory-backend-file,id=ram,share=on,size=" + size + ",mem-path=/proc/self/fd/" +
            std::to_string(ram_file),
        "-M",
        virt ? "virt,gic-version=3,its=on,memory-backend=ram" : "q35,memory-backend=ram",
        "-device",
        unit,
        "-device",
        "pxb-pcie,id=free,bus=pcie.0,addr=8,bypass_iommu=on,bus_nr=" +
            std::to_string(free_bus),
        "-device",
        "winiommu-dma,bus=pcie.0,addr=2",
        "-device",
        "winiommu-dma,bus=pcie.0,addr=3",
        "-device",
        "pcie-root-port,id=below,bus=free,addr=0,chassis=1",
        "-device",
        "winiommu-dma,bus=below,addr=0"};
    const auto more = virt ? std::vector<std::string>{"-cpu",
                                                      "cortex-a57",
                                                      "-device",
                                                      "winiommu-dma,bus=pcie.0,addr=4.0,"
                                                      "multifunction=on",
                                                      "-device",
                                                      "winiommu-dma,bus=pcie.0,addr=4.1",
                                                      "-device",
                                                      "winiommu-dma,bus=pcie.0,addr=4.2"}
                           : std::vector<std::string>{"-trace", "winiommu_msi"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

}  // namespace

Machine::Machine(const Provider& provider, const Options& options)
    : Kernel(provider, options.kind), options_(options)
{
}

Machine::~Machine()
{
    stop();
    qemu_.reset();
    if (ram_.at != nullptr) {
        munmap(ram_.at, ram_.size);
    }
    if (ram_file_ >= 0) {
        close(ram_file_);
    }
}

bool Machine::fail(const std::string& why)
{
    error_ = why;
    return false;
}

// --- starting it

// A file without a name, which QEMU opens through the descriptor it inherits.
bool Machine::map_ram()
{
    const auto size = arm64() ? virt_ram_size : q35_ram_size;
    ram_file_ = memfd_create("guest-ram", 0);
    if (ram_file_ < 0 || ftruncate(ram_file_, static_cast<off_t>(size)) != 0) {
        return fail(std::string("no file for guest RAM: ") + std::strerror(errno));
    }
    auto* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, ram_file_, 0);
    if (at == MAP_FAILED) {
        return fail(std::string("guest RAM cannot be mapped: ") + std::strerror(errno));
    }
    ram_ = {static_cast<std::byte*>(at), arm64() ? ::qtest::virt::ram : 0, size, 0};
    return true;
}

bool Machine::launch()
{
    std::string why;
    if (options_.binary.empty()) {
        return fail(arm64() ? "set WINIOMMU_QEMU_AARCH64 or --qemu to qemu-system-aarch64"
                            : "set WINIOMMU_QEMU_X86_64 or --qemu to qemu-system-x86_64");
    }
    if (!map_ram()) {
        return false;
    }
    qemu_ = ::qtest::Machine::start(options_.binary, arguments(options_, ram_file_), why);
    if (qemu_ == nullptr) {
        return fail(why);
    }
    config_ = arm64() ? ::qtest::ecam(*qemu_, ::qtest::virt::ecam_base)
                      : ::qtest::ports(*qemu_);
    if (!read_table()) {
        return false;
    }
    if (arm64()) {  // after the table, which QEMU writes with the lines it finds
                    // connected
        qemu_->intercept(unit_path, "sysbus-irq");
    }
    return true;
}

bool Machine::read_table()
{
    const auto found =
        ::qtest::FwCfg(*qemu_, arm64() ? ::qtest::FwCfgAt::Virt : ::qtest::FwCfgAt::Q35,
                       ram_.base + (1 << 20))
            .acpi(arm64() ? "IORT" : "DMAR");
    if (found.empty()) {
        return fail("QEMU has no table about the IOMMU");
    }
    const auto& bytes = found[0];
    table_.resize(bytes.size());
    std::transform(bytes.begin(), bytes.end(), table_.begin(),
                   [](std::uint8_t b) { return std::byte{b}; });
    if (arm64()) {
        table_ = with_named_component(
            std::move(table_),
            {"\\_SB.DMA0", acpi_first_id, acpi_ids, Function{0, 4, 0}.requester()});
    }
    return !table_.empty() || fail("QEMU's IORT has no SMMUv3");
}

bool Machine::place_endpoints()
{
    // The functions of bus 0 have the first megabyte, the one behind the port the second.
    const auto base = arm64() ? ::qtest::virt::pci_window : ::qtest::q35::pci_window;
    const auto behind = static_cast<std::uint32_t>(base) + 0x100000;
    ::qtest::open_bridge(*config_, {free_bus, 0, 0},
                         {free_bus + 1, free_bus + 1, behind, 0x100000});
    auto window = base;
    for (const auto& place : places) {
        if (place.who == Who::Acpi && !arm64()) {
            continue;
        }
        Endpoint endpoint(*qemu_, *config_, place.function,
                          place.function.bus == 0 ? window : behind);
        if (!endpoint.present()) {
            return fail("winiommu-dma does not answer where it was put");
        }
        endpoints_[static_cast<unsigned>(place.who)].push_back(endpoint);
        window += endpoint_window;
    }
    add_pci(Who::PciA, Function{0, 2, 0}.requester(), 20);
    add_pci(Who::PciB, Function{0, 3, 0}.requester(), 0);
    add_pci(Who::Unprotected, Function{free_bus + 1, 0, 0}.requester(), 0);
    if (arm64()) {
        add_acpi("\\_SB.DMA0");
    }
    return true;
}

const char* Machine::power_on()
{
    error_.clear();
    const bool fresh = qemu_ == nullptr;
    if (!fresh && !qemu_->qmp("system_reset").ok) {
        fail("QEMU is gone: " + qemu_->output());
    } else if ((!fresh || launch()) && place_endpoints()) {
        // Whatever the check before this one left in memory is no more.
        ram_.free_from = ram_.base + firmware_share;
        fallocate(ram_file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(firmware_share),
                  static_cast<off_t>(ram_.size - firmware_share));
        for (unsigned line = 0; line < lines; ++line) {
            take_line(line);
        }
        take_message(0);
    }
    return error_.empty() ? nullptr : error_.c_str();
}

void Machine::power_off()
{
    endpoints_ = {};
}

// --- what the kernel asks of it

std::uint64_t Machine::read_register(std::uint64_t physical, std::uint32_t size)
{
    return size == 8 ? qemu_->read64(physical) : qemu_->read32(physical);
}

void Machine::write_register(std::uint64_t physical, std::uint32_t size,
                             std::uint64_t value)
{
    if (size == 8) {
        qemu_->write64(physical, value);
    } else {
        qemu_->write32(physical, static_cast<std::uint32_t>(value));
    }
}

// The platform bus hands out four interrupts in a row: EVENTQ, PRIQ, CMD_SYNC, GERROR.
unsigned Machine::line_of(std::uint32_t gsiv) const
{
    constexpr std::uint32_t first = 112 + 32;
    return gsiv >= first && gsiv - first < 4 ? gsiv - first : lines;
}

Kernel::Message Machine::message(unsigned) const
{
    return {message_address, message_data};
}

bool Machine::take_line(unsigned line)
{
    const auto raised = arm64() ? qemu_->reported(line).raised : 0;
    const bool came = raised != raised_[line];
    raised_[line] = raised;
    return came;
}

// No vCPU runs that would take it: QEMU's trace says that it was sent.
bool Machine::take_message(unsigned nth)
{
    const auto output = arm64() || nth != 0 ? std::string() : qemu_->output(output_read_);
    output_read_ += output.size();
    return output.find("winiommu_msi") != std::string::npos;
}

std::uint32_t Machine::read_config(std::uint32_t segment, std::uint32_t requester,
                                   std::uint32_t offset)
{
    return segment == 0 ? config_->read32(requester >> 8, requester & 0xff, offset) : ~0u;
}

bool Machine::dma(const Dma& dma, std::uint64_t& value)
{
    bool moved = false;
    {
        const std::lock_guard guard(registers_lock_);
        auto& endpoint = endpoints_[static_cast<unsigned>(dma.who)][dma.id];
        endpoint.attributes(0, dma.tagged ? Endpoint::has_pasid | dma.pasid : 0);
        if (dma.write) {
            moved = endpoint.fill(dma.address, 8, value) == Endpoint::done;
        } else {
            moved = endpoint.read(dma.address, 8) == Endpoint::done;
            value = moved ? qemu_->read64(endpoint.buffer()) : value;
        }
    }
    if (!moved) {
        deliver_interrupts();
    }
    return moved;
}

}  // namespace iommu::contract::qemu
