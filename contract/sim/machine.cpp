// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/sim/machine.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "contract/sim/firmware.hpp"

namespace iommu::contract::sim {

namespace {

constexpr std::uint64_t message_address = 0xfee0'1000;
constexpr std::uint32_t message_data = 0x41;
constexpr unsigned lines_of_unit = WI_SMMUV3_IRQS;

}  // namespace

// What the device core calls.
struct Machine::Callbacks {
    static Unit& unit(void* context) { return *static_cast<Unit*>(context); }
    static Machine& of(void* context) { return *unit(context).machine; }

    static int host_read(void* context, uint64_t gpa, void* to, size_t size)
    {
        const auto* from = of(context).ram(gpa, size);
        if (from == nullptr) {
            return -1;
        }
        std::memcpy(to, from, size);
        return 0;
    }
    static int host_write(void* context, uint64_t gpa, const void* from, size_t size)
    {
        auto* to = of(context).ram(gpa, size);
        if (to == nullptr) {
            return -1;
        }
        std::memcpy(to, from, size);
        return 0;
    }
    static void mark_dirty(void*, uint64_t, size_t) {}
    static void pulse(void* context, unsigned line)
    {
        const auto nth = unit(context).index * lines_of_unit + line % lines_of_unit;
        __atomic_store_n(&of(context).raised_[nth], true, __ATOMIC_RELEASE);
    }
    static int send_msi(void* context, uint64_t address, uint32_t data)
    {
        const auto nth = data - message_data;
        if (address != message_address || nth >= messages) {
            return -1;
        }
        __atomic_store_n(&of(context).message_raised_[nth], true, __ATOMIC_RELEASE);
        return 0;
    }
    static void unmapped(void*, void*, uint64_t, uint64_t) {}
    static void bypass_changed(void*, void*) {}
    static void found(void* context, const char* line, const char*)
    {
        of(context).options_.findings->emplace_back(line);
    }
    static void guest_error(void*, const char* text)
    {
        if (std::getenv("WINIOMMU_CONTRACT_TRACE") != nullptr) {
            std::fprintf(stderr, "# guest error: %s\n", text);
        }
    }
};

Machine::Machine(const Provider& provider, const Options& options)
    : Kernel(provider, options.kind), options_(options)
{
}

Machine::~Machine()
{
    stop();
}

// --- building it

const char* Machine::build_unit(Unit& unit)
{
    using C = Callbacks;
    const WiHost host{.opaque = &unit,
                      .read = C::host_read,
                      .write = C::host_write,
                      .mark_dirty = C::mark_dirty,
                      .pulse = C::pulse,
                      .send_msi = C::send_msi,
                      .unmapped = C::unmapped,
                      .bypass_changed = C::bypass_changed,
                      .guest_error = C::guest_error,
                      .mapping_changed = nullptr,
                      .device_unmapped = nullptr};
    const char* error = nullptr;
    const bool lesser = options_.layout == Layout::Mixed && unit.index != 0;
    if (arm64()) {
        WiSmmuv3Config config;
        wi_smmuv3_config_init(&config);
        config.tlb = options_.tlb;
        config.sid_bits = options_.layout == Layout::Wide ? 20 : config.sid_bits;
        if (lesser) {
            config.oas_bits = 40;
            config.ssid_bits = 5;
        }
        unit.iommu = wi_smmuv3_new(&config, &host, &error);
        unit.size = WI_SMMUV3_MMIO_SIZE;
    } else {
        WiVtdConfig config;
        wi_vtd_config_init(&config);
        config.tlb = options_.tlb;
        config.scalable_mode = options_.kind == Kind::Q35Scalable;
        config.pasid_bits = config.scalable_mode ? 20 : 0;
        if (lesser && config.scalable_mode) {
            config.pasid_bits = 6;
        } else if (lesser) {
            config.aw_bits = 39;
        }
        unit.iommu = wi_vtd_new(&config, &host, &error);
        unit.size = unit.iommu == nullptr ? 0 : wi_vtd_mmio_size(unit.iommu);
    }
    unit.registers = firmware::registers_of(options_.kind, unit.index);
    return unit.iommu == nullptr ? error : nullptr;
}

const char* Machine::build_iommus()
{
    for (unsigned i = 0; i < units(); ++i) {
        auto& unit = units_[i];
        unit.machine = this;
        unit.index = i;
        if (const char* error = build_unit(unit); error != nullptr) {
            return error;
        }
        if (options_.findings != nullptr) {
            const WiWatch watch{&unit, Callbacks::found, true, nullptr, nullptr};
            wi_iommu_watch(unit.iommu, &watch);
            char* why = nullptr;
            if (options_.record != nullptr && i == 0 &&
                !wi_iommu_record(unit.iommu, options_.record, &why)) {
                std::free(why);
                return "the record cannot be written";
            }
        }
        const WiRamRegion region{ram_.base, ram_.size, ram_.at, false};
        wi_iommu_set_ram(unit.iommu, &region, 1);
        wi_iommu_reset(unit.iommu);
    }
    return nullptr;
}

WiStream* Machine::stream(const Place& place, unsigned nth)
{
    auto& unit = units_[place.unit];
    return wi_iommu_stream(unit.iommu, place.id + nth, &unit);
}

void Machine::describe_devices()
{
    for (const auto who : {Who::PciA, Who::PciB, Who::Unprotected}) {
        const auto at = place(who);
        auto& device = add_pci(who, at.id, who == Who::PciA ? 8 : 0);
        device.identity.segment = at.segment;
        if (who != Who::Unprotected) {
            streams_[static_cast<unsigned>(who)] = {stream(at)};
        }
    }
    if (arm64()) {
        add_acpi(firmware::acpi_path);
        for (unsigned i = 0; i < acpi_ids; ++i) {
            streams_[static_cast<unsigned>(Who::Acpi)].push_back(
                stream(place(Who::Acpi), i));
        }
    }
}

const char* Machine::power_on()
{
    auto* memory = mmap(nullptr, options_.ram_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return "no memory for the machine's RAM";
    }
    const std::uint64_t base = arm64() ? 0x4000'0000 : 0x1000'0000;
    ram_ = {static_cast<std::byte*>(memory), base, options_.ram_size, base + 0x100000};
    for (const char* error : {build_iommus(), arm64() ? build_iort() : build_dmar()}) {
        if (error != nullptr) {
            return error;
        }
    }
    describe_devices();
    return nullptr;
}

void Machine::stop()
{
    for (const auto& unit : units_) {
        if (unit.iommu != nullptr) {
            wi_iommu_settle(unit.iommu);  // the driver had its chance
        }
    }
    Kernel::stop();
}

void Machine::power_off()
{
    std::memset(raised_, 0, sizeof(raised_));
    std::memset(message_raised_, 0, sizeof(message_raised_));
    streams_ = {};
    for (auto& unit : units_) {
        if (unit.iommu != nullptr) {
            wi_iommu_free(unit.iommu);
        }
        unit = {};
    }
    if (ram_.at != nullptr) {
        munmap(ram_.at, ram_.size);
        ram_ = {};
    }
}

// --- what the kernel asks of it

namespace {

// Adds what passes until it goes to `total`, where there is one.
class Stopwatch {
public:
    explicit Stopwatch(Machine::RegisterTime* total) : total_(total)
    {
        if (total_ != nullptr) {
            from_ = std::chrono::steady_clock::now();
        }
    }
    ~Stopwatch()
    {
        if (total_ != nullptr) {
            const auto passed = std::chrono::steady_clock::now() - from_;
            // Longer than any access takes: somebody else had the processor.
            total_->time += passed < put_aside ? passed : passed.zero();
            ++total_->accesses;
        }
    }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

private:
    static constexpr auto put_aside = std::chrono::microseconds(20);
    Machine::RegisterTime* total_;
    std::chrono::steady_clock::time_point from_{};
};

}  // namespace

Machine::Unit* Machine::unit_at(std::uint64_t physical)
{
    for (auto& unit : units_) {
        if (physical - unit.registers < unit.size) {
            return &unit;
        }
    }
    return nullptr;
}

std::uint64_t Machine::read_register(std::uint64_t physical, std::uint32_t size)
{
    const Stopwatch watch(timed_ ? &register_time_ : nullptr);
    const auto* unit = unit_at(physical);
    return unit == nullptr
               ? ~0ull
               : wi_iommu_mmio_read(unit->iommu, physical - unit->registers, size);
}

void Machine::write_register(std::uint64_t physical, std::uint32_t size,
                             std::uint64_t value)
{
    const Stopwatch watch(timed_ ? &register_time_ : nullptr);
    if (const auto* unit = unit_at(physical); unit != nullptr) {
        wi_iommu_mmio_write(unit->iommu, physical - unit->registers, size, value);
    }
}

unsigned Machine::line_of(std::uint32_t gsiv) const
{
    for (unsigned i = 0; i < units(); ++i) {
        const auto of_unit = gsiv - firmware::first_gsiv(i);
        if (of_unit < lines_of_unit) {
            return i * lines_of_unit + of_unit;
        }
    }
    return lines;
}

Kernel::Message Machine::message(unsigned nth) const
{
    return {message_address, message_data + nth};
}

bool Machine::take_line(unsigned line)
{
    return __atomic_exchange_n(&raised_[line], false, __ATOMIC_ACQ_REL);
}

bool Machine::take_message(unsigned nth)
{
    return __atomic_exchange_n(&message_raised_[nth], false, __ATOMIC_ACQ_REL);
}

bool Machine::dma(const Dma& dma, std::uint64_t& value)
{
    const auto& streams = streams_[static_cast<unsigned>(dma.who)];
    auto output = dma.address;
    if (!streams.empty()) {
        WiTranslation out{};
        const unsigned attributes = (dma.write ? unsigned{WI_WRITE} : 0u) |
                                    (dma.tagged ? unsigned{WI_SUBSTREAM} : 0u);
        const bool passed = wi_stream_translate(streams[dma.id], dma.address, attributes,
                                                dma.pasid, &out);
        if (!passed) {
            deliver_interrupts();
            return false;
        }
        output = out.output;
    }
    auto* word = reinterpret_cast<std::uint64_t*>(ram(output, 8));
    if (word == nullptr) {
        return false;  // nothing answers there
    }
    if (dma.write) {
        __atomic_store_n(word, value, __ATOMIC_RELEASE);
    } else {
        value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    }
    return true;
}

}  // namespace iommu::contract::sim
