// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/sim/machine.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "iommu/acpi.hpp"

namespace iommu::contract::sim {

namespace {

constexpr std::uint64_t smmu_base = 0x0905'0000, vtd_base = 0xfed9'0000;
constexpr std::uint32_t event_gsiv = 106, gerror_gsiv = 109;
constexpr std::uint64_t message_address = 0xfee0'1000;
constexpr std::uint32_t message_data = 0x41;
constexpr std::uint32_t acpi_stream = 0x140;

}  // namespace

// What the device core calls.
struct Machine::Callbacks {
    static Machine& of(void* context) { return *static_cast<Machine*>(context); }

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
        __atomic_store_n(&of(context).raised_[line & 7], true, __ATOMIC_RELEASE);
    }
    static int send_msi(void* context, uint64_t address, uint32_t data)
    {
        if (address != message_address || data != message_data) {
            return -1;
        }
        __atomic_store_n(&of(context).message_raised_, true, __ATOMIC_RELEASE);
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

const char* Machine::build_iommu()
{
    using C = Callbacks;
    const WiHost host{.opaque = this,
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
    if (arm64()) {
        WiSmmuv3Config config;
        wi_smmuv3_config_init(&config);
        config.tlb = options_.tlb;
        iommu_ = wi_smmuv3_new(&config, &host, &error);
        registers_ = smmu_base;
        registers_size_ = WI_SMMUV3_MMIO_SIZE;
    } else {
        WiVtdConfig config;
        wi_vtd_config_init(&config);
        config.tlb = options_.tlb;
        config.scalable_mode = options_.kind == Kind::Q35Scalable;
        config.pasid_bits = config.scalable_mode ? 20 : 0;
        iommu_ = wi_vtd_new(&config, &host, &error);
        registers_ = vtd_base;
        registers_size_ = iommu_ == nullptr ? 0 : wi_vtd_mmio_size(iommu_);
    }
    if (iommu_ == nullptr) {
        return error;
    }
    if (options_.findings != nullptr) {
        const WiWatch watch{this, C::found, true, nullptr, nullptr};
        wi_iommu_watch(iommu_, &watch);
        char* why = nullptr;
        if (options_.record != nullptr &&
            !wi_iommu_record(iommu_, options_.record, &why)) {
            std::free(why);
            return "the record cannot be written";
        }
    }
    const WiRamRegion region{ram_.base, ram_.size, ram_.at, false};
    wi_iommu_set_ram(iommu_, &region, 1);
    wi_iommu_reset(iommu_);
    return nullptr;
}

const char* Machine::build_iort()
{
    acpi::Iort iort;
    iort.its = {0};
    acpi::Smmuv3 smmu;
    smmu.base = Gpa{smmu_base};
    smmu.event_gsiv = event_gsiv;
    smmu.pri_gsiv = event_gsiv + 1;
    smmu.gerror_gsiv = gerror_gsiv;
    smmu.sync_gsiv = event_gsiv + 2;
    smmu.stream_ids = 0x200;
    iort.smmus.push_back(smmu);
    acpi::RootComplex root;
    root.pasid_bits = 8;
    root.device_id_base = 0x10000;
    root.behind.push_back({0, 0, 0});  // bus 0 only
    iort.root_complexes.push_back(root);
    acpi::NamedComponent component;
    component.path = "\\_SB.DMA0";
    component.ids.push_back({acpi_first_id, acpi_ids, acpi_stream, 0});
    iort.components.push_back(component);
    return keep(acpi::build_iort(iort));
}

const char* Machine::build_dmar()
{
    acpi::Dmar dmar;
    dmar.host_address_bits = 46;
    acpi::Drhd unit;
    unit.base = Gpa{vtd_base};
    for (const std::uint8_t device : {2, 3}) {
        acpi::Scope scope;
        scope.path.push_back({device, 0});
        unit.scopes.push_back(scope);
    }
    acpi::Scope ioapic;
    ioapic.type = acpi::Scope::Type::Ioapic;
    ioapic.start_bus = 0xff;
    ioapic.path.push_back({0, 0});
    unit.scopes.push_back(ioapic);
    dmar.units.push_back(unit);
    return keep(acpi::build_dmar(dmar));
}

const char* Machine::keep(acpi::Table table)
{
    table_error_ = table.error;
    table_ = std::move(table.bytes);
    return table_error_.empty() ? nullptr : table_error_.c_str();
}

void Machine::describe_devices()
{
    add_pci(Who::PciA, 0x10, 8);
    add_pci(Who::PciB, 0x18, 0);
    add_pci(Who::Unprotected, 0x100, 0);
    streams_[static_cast<unsigned>(Who::PciA)] = {wi_iommu_stream(iommu_, 0x10, this)};
    streams_[static_cast<unsigned>(Who::PciB)] = {wi_iommu_stream(iommu_, 0x18, this)};
    if (arm64()) {
        add_acpi("\\_SB.DMA0");
        for (unsigned i = 0; i < acpi_ids; ++i) {
            streams_[static_cast<unsigned>(Who::Acpi)].push_back(
                wi_iommu_stream(iommu_, acpi_stream + i, this));
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
    for (const char* error : {build_iommu(), arm64() ? build_iort() : build_dmar()}) {
        if (error != nullptr) {
            return error;
        }
    }
    describe_devices();
    return nullptr;
}

void Machine::stop()
{
    if (iommu_ != nullptr) {
        wi_iommu_settle(iommu_);  // the driver had its chance
    }
    Kernel::stop();
}

void Machine::power_off()
{
    std::memset(raised_, 0, sizeof(raised_));
    message_raised_ = false;
    streams_ = {};
    if (iommu_ != nullptr) {
        wi_iommu_free(iommu_);
        iommu_ = nullptr;
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

std::uint64_t Machine::read_register(std::uint64_t physical, std::uint32_t size)
{
    const Stopwatch watch(timed_ ? &register_time_ : nullptr);
    const auto offset = physical - registers_;
    return offset < registers_size_ ? wi_iommu_mmio_read(iommu_, offset, size) : ~0ull;
}

void Machine::write_register(std::uint64_t physical, std::uint32_t size,
                             std::uint64_t value)
{
    const Stopwatch watch(timed_ ? &register_time_ : nullptr);
    const auto offset = physical - registers_;
    if (offset < registers_size_) {
        wi_iommu_mmio_write(iommu_, offset, size, value);
    }
}

unsigned Machine::line_of(std::uint32_t gsiv) const
{
    return gsiv == event_gsiv    ? unsigned{WI_SMMUV3_IRQ_EVTQ}
           : gsiv == gerror_gsiv ? unsigned{WI_SMMUV3_IRQ_GERROR}
                                 : lines;
}

Kernel::Message Machine::message() const
{
    return {message_address, message_data};
}

bool Machine::take_line(unsigned line)
{
    return __atomic_exchange_n(&raised_[line], false, __ATOMIC_ACQ_REL);
}

bool Machine::take_message()
{
    return __atomic_exchange_n(&message_raised_, false, __ATOMIC_ACQ_REL);
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
