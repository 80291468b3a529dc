// SPDX-License-Identifier: GPL-2.0-or-later
#include "contract/sim/machine.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "iommu/acpi.hpp"

namespace iommu::contract::sim {

namespace {

constexpr std::uint64_t smmu_base = 0x0905'0000, vtd_base = 0xfed9'0000;
constexpr std::uint32_t event_gsiv = 106, gerror_gsiv = 109;
constexpr std::uint64_t message_address = 0xfee0'1000;
constexpr std::uint32_t message_data = 0x41;
constexpr std::uint32_t acpi_stream = 0x140;
constexpr KIRQL device_irql = 5;

thread_local KIRQL current_irql = PASSIVE_LEVEL;

std::uint64_t power_of_two(std::uint64_t n)
{
    std::uint64_t p = 1;
    while (p < n) {
        p *= 2;
    }
    return p;
}

constexpr struct {
    Kind kind;
    const char* name;
} kinds[] = {
    {Kind::Virt, "virt"}, {Kind::Q35, "q35"}, {Kind::Q35Scalable, "q35-scalable"}};

}  // namespace

const char* name_of(Kind kind)
{
    for (const auto& k : kinds) {
        if (k.kind == kind) {
            return k.name;
        }
    }
    return "?";
}

bool kind_of(const char* name, Kind& kind)
{
    for (const auto& k : kinds) {
        if (std::strcmp(k.name, name) == 0) {
            kind = k.kind;
            return true;
        }
    }
    return false;
}

// What the provider and the device core call.
struct Machine::Callbacks {
    static Machine& of(void* context) { return *static_cast<Machine*>(context); }

    static void* allocate(void* context, size_t size)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        if (!m.take_allocation()) {
            return nullptr;
        }
        void* memory = std::calloc(1, size == 0 ? 1 : size);
        m.memory_[memory] = size;
        m.held_ += size;
        return memory;
    }
    static void release(void* context, void* memory, size_t)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        const auto at = m.memory_.find(memory);
        if (at != m.memory_.end()) {
            m.held_ -= at->second;
            m.memory_.erase(at);
            std::free(memory);
        }
    }
    static void* allocate_pages(void* context, size_t count, uint64_t* physical)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        const auto at = m.take_allocation() ? m.carve(count) : 0;
        if (at == 0) {
            return nullptr;
        }
        m.held_ += count * PAGE_SIZE;
        m.page_runs_[at] = count;
        auto* pages = m.ram(at, count * PAGE_SIZE);
        std::memset(pages, 0, count * PAGE_SIZE);
        *physical = at;
        return pages;
    }
    static void release_pages(void* context, void* pages, size_t)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        const auto at =
            static_cast<std::uint64_t>(static_cast<std::byte*>(pages) - m.ram_) +
            m.ram_base_;
        const auto run = m.page_runs_.find(at);
        if (run != m.page_runs_.end()) {
            m.held_ -= run->second * PAGE_SIZE;
            m.free_pages_[power_of_two(run->second)].push_back(at);
            m.page_runs_.erase(run);
        }
    }
    static void* to_virtual(void* context, uint64_t physical)
    {
        return of(context).ram(physical, PAGE_SIZE);
    }
    static uint64_t mmio_read(void* context, uint64_t physical, uint32_t size)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.device_lock_);
        const auto offset = physical - m.registers_;
        return offset < m.registers_size_ ? wi_iommu_mmio_read(m.iommu_, offset, size)
                                          : ~0ull;
    }
    static void mmio_write(void* context, uint64_t physical, uint32_t size,
                           uint64_t value)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.device_lock_);
        const auto offset = physical - m.registers_;
        if (offset < m.registers_size_) {
            wi_iommu_mmio_write(m.iommu_, offset, size, value);
        }
    }
    static const void* acpi_table(void* context, const char* signature, size_t* size)
    {
        auto& m = of(context);
        const bool found =
            m.table_.size() >= 4 && std::memcmp(m.table_.data(), signature, 4) == 0;
        *size = found ? m.table_.size() : 0;
        return found ? m.table_.data() : nullptr;
    }
    static KIRQL irql(void*) { return current_irql; }
    static KIRQL raise_irql(void*, KIRQL to)
    {
        const auto before = current_irql;
        current_irql = to;
        return before;
    }
    static void lower_irql(void*, KIRQL to) { current_irql = to; }
    static void irql_violation(void* context, const char*, KIRQL)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        ++m.irql_violations_;
    }
    static void pause(void*) { std::this_thread::yield(); }

    static Device* known(Machine& m, PDEVICE_OBJECT object)
    {
        for (auto& d : m.devices_) {
            if (reinterpret_cast<PDEVICE_OBJECT>(&d) == object) {
                return &d;
            }
        }
        return nullptr;
    }
    static bool identify(void* context, PDEVICE_OBJECT object,
                         WdmDeviceIdentity* identity)
    {
        const auto* d = known(of(context), object);
        if (d != nullptr) {
            *identity = d->identity;
        }
        return d != nullptr;
    }
    static void reference(void* context, PDEVICE_OBJECT object)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        ++known(m, object)->references;
    }
    static void dereference(void* context, PDEVICE_OBJECT object)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        --known(m, object)->references;
    }
    static void policy(void* context, WdmPolicy* policy)
    {
        *policy = of(context).policy_;
    }
    static void on_policy_change(void* context, WdmRoutine* changed, void* argument)
    {
        of(context).policy_listener_ = {changed, argument};
    }
    static void connect_wired(void* context, uint32_t gsiv, WdmRoutine* service,
                              void* argument)
    {
        auto& m = of(context);
        if (gsiv == event_gsiv) {
            m.wired_[WI_SMMUV3_IRQ_EVTQ] = {service, argument};
        } else if (gsiv == gerror_gsiv) {
            m.wired_[WI_SMMUV3_IRQ_GERROR] = {service, argument};
        }
    }
    static void connect_message(void* context, WdmRoutine* service, void* argument,
                                uint64_t* address, uint32_t* data)
    {
        of(context).message_ = {service, argument};
        *address = message_address;
        *data = message_data;
    }
    static void queue_work(void* context, WdmRoutine* work, void* argument)
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        m.work_.push_back({work, argument});
    }
    static void bug_check(void* context, uint32_t code, const uint64_t parameters[4])
    {
        auto& m = of(context);
        const std::lock_guard guard(m.lock_);
        ++m.bug_check_count_;
        m.last_bug_check_.code = code;
        std::memcpy(m.last_bug_check_.parameters, parameters, 4 * sizeof(uint64_t));
    }

    // --- WiHost

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
    static void guest_error(void*, const char* text)
    {
        if (std::getenv("WINIOMMU_CONTRACT_TRACE") != nullptr) {
            std::fprintf(stderr, "# guest error: %s\n", text);
        }
    }
};

Machine::Machine(const Provider& provider, const Options& options)
    : provider_(provider), options_(options)
{
    using C = Callbacks;
    platform_ = {.context = this,
                 .architecture = arm64() ? static_cast<uint32_t>(WDM_ARM64)
                                         : static_cast<uint32_t>(WDM_X64),
                 .allocate = C::allocate,
                 .release = C::release,
                 .allocate_pages = C::allocate_pages,
                 .release_pages = C::release_pages,
                 .to_virtual = C::to_virtual,
                 .mmio_read = C::mmio_read,
                 .mmio_write = C::mmio_write,
                 .acpi_table = C::acpi_table,
                 .current_irql = C::irql,
                 .raise_irql = C::raise_irql,
                 .lower_irql = C::lower_irql,
                 .irql_violation = C::irql_violation,
                 .pause = C::pause,
                 .identify = C::identify,
                 .reference = C::reference,
                 .dereference = C::dereference,
                 .policy = C::policy,
                 .on_policy_change = C::on_policy_change,
                 .connect_wired = C::connect_wired,
                 .connect_message = C::connect_message,
                 .queue_work = C::queue_work,
                 .bug_check = C::bug_check};
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
    const WiRamRegion region{ram_base_, options_.ram_size, ram_, false};
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
    const auto pci = [](std::uint32_t rid, unsigned pasid_bits) {
        Device d;
        d.identity.kind = WDM_DEVICE_PCI;
        d.identity.requester_id = rid;
        d.identity.pasid_bits = pasid_bits;
        d.identity.opted_in = true;
        d.ids = {rid};
        return d;
    };
    devices_[static_cast<unsigned>(Who::PciA)] = pci(0x10, 8);
    devices_[static_cast<unsigned>(Who::PciB)] = pci(0x18, 0);
    devices_[static_cast<unsigned>(Who::Unprotected)] = pci(0x100, 0);
    Device acpi;
    if (arm64()) {
        acpi.identity.kind = WDM_DEVICE_ACPI;
        acpi.identity.path = "\\_SB.DMA0";
        acpi.identity.opted_in = true;
        for (unsigned i = 0; i < acpi_ids; ++i) {
            acpi.ids.push_back(acpi_stream + i);
        }
    }
    devices_[static_cast<unsigned>(Who::Acpi)] = acpi;
    for (auto& d : devices_) {
        const bool protected_ = &d != &devices_[static_cast<unsigned>(Who::Unprotected)];
        for (const auto id : d.ids) {
            if (protected_) {
                d.streams.push_back(wi_iommu_stream(iommu_, id, &d));
            }
        }
    }
}

const char* Machine::start()
{
    stop();
    ram_base_ = arm64() ? 0x4000'0000 : 0x1000'0000;
    auto* memory = mmap(nullptr, options_.ram_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return "no memory for the machine's RAM";
    }
    ram_ = static_cast<std::byte*>(memory);
    free_from_ = ram_base_ + 0x100000;
    policy_ = {.dma_guard = false,
               .enumeration = 1,
               .unlocked_once = true,
               .pass_through_off = false,
               .remapping_available = true};
    current_irql = PASSIVE_LEVEL;
    irql_violations_ = bug_check_count_ = 0;
    asked_ = held_ = 0;
    fail_after_ = never;
    for (const char* error : {build_iommu(), arm64() ? build_iort() : build_dmar()}) {
        if (error != nullptr) {
            return error;
        }
    }
    describe_devices();
    running_ = NT_SUCCESS(provider_.start(&platform_));
    return running_ ? nullptr : "IommuProviderStart failed";
}

void Machine::stop()
{
    if (running_) {
        running_ = false;
        provider_.stop();
    }
    for (const auto& [memory, size] : memory_) {
        std::free(memory);
    }
    memory_.clear();
    page_runs_.clear();
    free_pages_.clear();
    work_.clear();
    policy_listener_ = {};
    wired_ = {};
    message_ = {};
    std::memset(raised_, 0, sizeof(raised_));
    message_raised_ = false;
    for (auto& d : devices_) {
        d = {};
    }
    if (iommu_ != nullptr) {
        wi_iommu_free(iommu_);
        iommu_ = nullptr;
    }
    if (ram_ != nullptr) {
        munmap(ram_, options_.ram_size);
        ram_ = nullptr;
    }
}

// --- memory

std::byte* Machine::ram(std::uint64_t physical, std::uint64_t size)
{
    const auto offset = physical - ram_base_;
    const bool inside = physical >= ram_base_ && offset <= options_.ram_size &&
                        size <= options_.ram_size - offset;
    return inside ? ram_ + offset : nullptr;
}

bool Machine::take_allocation()
{
    ++asked_;
    if (fail_after_ == never) {
        return true;
    }
    if (fail_after_ == 0) {
        return false;
    }
    --fail_after_;
    return true;
}

// Aligned to the count rounded up to a power of two.
std::uint64_t Machine::carve(std::uint64_t count)
{
    const auto run = power_of_two(count);
    auto& known = free_pages_[run];
    if (!known.empty()) {
        const auto at = known.back();
        known.pop_back();
        return at;
    }
    const auto size = run * PAGE_SIZE;
    const auto at = (free_from_ + size - 1) & ~(size - 1);
    if (ram(at, size) == nullptr) {
        return 0;
    }
    free_from_ = at + size;
    return at;
}

std::uint64_t Machine::pages(std::uint64_t count)
{
    const std::lock_guard guard(lock_);
    return carve(count);
}

volatile std::uint64_t* Machine::at(std::uint64_t physical)
{
    return reinterpret_cast<volatile std::uint64_t*>(ram(physical, 8));
}

std::uint64_t Machine::highest_address() const
{
    return ram_base_ + options_.ram_size - 1;
}

void Machine::fail_allocations(std::uint64_t after)
{
    const std::lock_guard guard(lock_);
    fail_after_ = after;
}

// --- devices

PDEVICE_OBJECT Machine::device(Who who)
{
    auto& d = devices_[static_cast<unsigned>(who)];
    return d.ids.empty() ? nullptr : reinterpret_cast<PDEVICE_OBJECT>(&d);
}

WdmDeviceIdentity& Machine::identity(Who who)
{
    return devices_[static_cast<unsigned>(who)].identity;
}

unsigned Machine::references(Who who) const
{
    return devices_[static_cast<unsigned>(who)].references;
}

bool Machine::dma(const Dma& dma, std::uint64_t& value)
{
    auto& d = devices_[static_cast<unsigned>(dma.who)];
    auto output = dma.address;
    if (!d.streams.empty()) {
        WiTranslation out{};
        const unsigned attributes = (dma.write ? unsigned{WI_WRITE} : 0u) |
                                    (dma.tagged ? unsigned{WI_SUBSTREAM} : 0u);
        const bool passed = wi_stream_translate(d.streams[dma.id], dma.address,
                                                attributes, dma.pasid, &out);
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

// --- interrupts, work, policy

void Machine::deliver_interrupts()
{
    const auto before = current_irql;
    current_irql = device_irql > before ? device_irql : before;
    for (unsigned line = 0; line < wired_.size(); ++line) {
        if (__atomic_exchange_n(&raised_[line], false, __ATOMIC_ACQ_REL) &&
            wired_[line].routine != nullptr) {
            wired_[line].routine(wired_[line].argument);
        }
    }
    if (__atomic_exchange_n(&message_raised_, false, __ATOMIC_ACQ_REL) &&
        message_.routine != nullptr) {
        message_.routine(message_.argument);
    }
    current_irql = before;
}

void Machine::run_pending()
{
    deliver_interrupts();
    for (;;) {
        Service work;
        {
            const std::lock_guard guard(lock_);
            if (work_.empty()) {
                return;
            }
            work = work_.front();
            work_.pop_front();
        }
        const auto before = current_irql;
        current_irql = PASSIVE_LEVEL;
        work.routine(work.argument);
        current_irql = before;
    }
}

void Machine::policy_changed()
{
    if (policy_listener_.routine != nullptr) {
        policy_listener_.routine(policy_listener_.argument);
    }
}

KIRQL Machine::irql() const
{
    return current_irql;
}

void Machine::set_irql(KIRQL level)
{
    current_irql = level;
}

void Machine::together(Routine a, Routine b, void* argument)
{
    std::thread other(b, argument);
    a(argument);
    other.join();
}

}  // namespace iommu::contract::sim
