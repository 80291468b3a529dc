// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/home.hpp"

#include <initializer_list>

#include "driver/vtd/dmar.hpp"
#include "guest/acpi.hpp"
#include "guest/cpu.hpp"
#include "guest/mmio.hpp"

namespace iommu::guest {

namespace {

using contract::Who;

constexpr KIRQL device_irql = 5;
constexpr const char* component_path = "\\_SB.DMA0";

constexpr unsigned index(Who who)
{
    return static_cast<unsigned>(who);
}

}  // namespace

// What the provider calls.
struct Guest::Callbacks {
    static Guest& of(void* context) { return *static_cast<Guest*>(context); }

    static void* allocate(void* context, size_t size)
    {
        auto& g = of(context);
        return g.allowance_.take() ? g.memory_.allocate(size) : nullptr;
    }
    static void release(void* context, void* memory, size_t)
    {
        of(context).memory_.release(memory);
    }
    static void* allocate_pages(void* context, size_t count, uint64_t* physical)
    {
        auto& g = of(context);
        const auto at = g.allowance_.take() ? g.memory_.allocate_pages(count) : 0;
        if (at != 0) {
            *physical = at;
        }
        return reinterpret_cast<void*>(at);
    }
    static void release_pages(void* context, void* pages, size_t)
    {
        of(context).memory_.release_pages(reinterpret_cast<std::uint64_t>(pages));
    }
    static void* to_virtual(void* context, uint64_t physical)
    {
        const bool ours = of(context).memory_.owns(physical, Memory::page);
        return ours ? reinterpret_cast<void*>(physical) : nullptr;
    }
    static uint64_t mmio_read(void*, uint64_t physical, uint32_t size)
    {
        return size == 8 ? peek<std::uint64_t>(physical) : peek<std::uint32_t>(physical);
    }
    static void mmio_write(void*, uint64_t physical, uint32_t size, uint64_t value)
    {
        if (size == 8) {
            poke<std::uint64_t>(physical, value);
        } else {
            poke<std::uint32_t>(physical, static_cast<std::uint32_t>(value));
        }
    }
    static const void* acpi_table(void* context, const char* signature, size_t* size)
    {
        return of(context).acpi_->table(signature, *size);
    }
    static uint32_t pci_read(void* context, uint32_t segment, uint32_t requester,
                             uint32_t offset)
    {
        return segment == 0 ? read_config(*of(context).acpi_, requester, offset) : ~0u;
    }
    static KIRQL current_irql(void* context) { return of(context).irql_; }
    static KIRQL raise_irql(void* context, KIRQL to)
    {
        const auto before = of(context).irql_;
        of(context).irql_ = to;
        return before;
    }
    static void lower_irql(void* context, KIRQL to) { of(context).irql_ = to; }
    static void irql_violation(void* context, const char*, KIRQL)
    {
        ++of(context).irql_violations_;
    }
    static void pause(void*) {}
    static bool identify(void* context, PDEVICE_OBJECT object,
                         WdmDeviceIdentity* identity)
    {
        const auto* d = of(context).known(object);
        if (d != nullptr) {
            *identity = d->identity;
        }
        return d != nullptr;
    }
    static void reference(void* context, PDEVICE_OBJECT object)
    {
        ++of(context).known(object)->references;
    }
    static void dereference(void* context, PDEVICE_OBJECT object)
    {
        --of(context).known(object)->references;
    }
    static void policy(void* context, WdmPolicy* policy)
    {
        *policy = of(context).policy_;
    }
    static void on_policy_change(void* context, WdmRoutine* changed, void* argument)
    {
        of(context).policy_listener_ = {changed, argument, 0};
    }
    static void connect(Guest& g, const Service& service)
    {
        if (g.service_count_ < most_wired) {
            g.services_[g.service_count_++] = service;
        }
    }
    static void connect_wired(void* context, uint32_t gsiv, WdmRoutine* service,
                              void* argument)
    {
        connect(of(context), {service, argument, gsiv});
        cpu::enable_wired(gsiv);
    }
    static void connect_message(void* context, WdmRoutine* service, void* argument,
                                uint64_t* address, uint32_t* data)
    {
        cpu::message(*address, *data);
        connect(of(context), {service, argument, *data});
    }
    static void queue_work(void* context, WdmRoutine* work, void* argument)
    {
        auto& g = of(context);
        if (g.work_count_ < most_work) {
            g.work_[g.work_count_++] = {work, argument, 0};
        }
    }
    static void bug_check(void* context, uint32_t code, const uint64_t parameters[4])
    {
        auto& g = of(context);
        ++g.bug_check_count_;
        g.last_bug_check_.code = code;
        __builtin_memcpy(g.last_bug_check_.parameters, parameters, 4 * sizeof(uint64_t));
    }
};

void Guest::make_platform()
{
    platform_ = contract::platform_of<Callbacks>(this, cpu::arm64 ? WDM_ARM64 : WDM_X64);
}

// --- the machine

const char* Guest::open(Acpi& acpi, std::uint64_t memory, std::uint64_t size,
                        std::uint64_t highest)
{
    acpi_ = &acpi;
    highest_ = highest;
    memory_.own(memory, size);
    make_platform();
    constexpr unsigned room = sizeof(endpoints_) / sizeof(endpoints_[0]);
    return sort_endpoints(find_endpoints(acpi, endpoints_, room));
}

// Whether the DMAR puts a PCI function of segment 0 behind a unit.
bool Guest::has_unit(std::uint32_t requester) const
{
    driver::Dmar dmar;
    WdmDeviceIdentity function{};
    function.requester_id = requester;
    const bool sound = dmar.open(driver::Platform(platform_));
    for (driver::Dmar::Unit unit; sound && dmar.next_unit(unit);) {
        if (dmar.covers(unit, function)) {
            return true;
        }
    }
    return false;
}

// On the first bus: two functions, and on Arm three more that are an ACPI device's
// streams.  On any other: the one that has no IOMMU in front of it, and the second of the
// two where that is behind another unit.
const char* Guest::sort_endpoints(unsigned found)
{
    const auto elsewhere = [&](const Endpoint& e) {
        return e.requester() > 0xff &&
               (arm64() ? acpi_->has_smmu(e.requester()) : has_unit(e.requester()));
    };
    bool apart = false;
    for (unsigned i = 0; i < found; ++i) {
        apart = apart || elsewhere(endpoints_[i]);
    }
    unsigned here = 0;
    for (unsigned i = 0; i < found; ++i) {
        const auto& endpoint = endpoints_[i];
        auto who = Who::Acpi;
        if (endpoint.requester() > 0xff) {
            who = elsewhere(endpoint) ? Who::PciB : Who::Unprotected;
        } else if (here == 0 || (here == 1 && !apart)) {
            who = here == 0 ? Who::PciA : Who::PciB;
        }
        here += endpoint.requester() > 0xff ? 0 : 1;
        auto& d = devices_[index(who)];
        if (d.count < most_ids) {
            d.functions[d.count++] = &endpoint;
        }
    }
    return check_endpoints();
}

const char* Guest::check_endpoints()
{
    for (const auto who : {Who::PciA, Who::PciB, Who::Unprotected}) {
        if (devices_[index(who)].count != 1) {
            return "a winiommu-dma is missing: two behind an IOMMU and one on a bus "
                   "without are needed";
        }
    }
    const auto& acpi = devices_[index(Who::Acpi)];
    if (acpi.count != (arm64() ? contract::acpi_ids : 0)) {
        return "on Arm three more winiommu-dma on bus 0 are needed, elsewhere none";
    }
    for (unsigned i = 1; i < acpi.count; ++i) {
        if (acpi.functions[i]->requester() != acpi.functions[0]->requester() + i) {
            return "the ACPI device's functions have to follow each other";
        }
    }
    // A PCI function on a root bus has its requester id as StreamID
    // (docs/specs/acpi.rst).
    if (arm64() &&
        !acpi_->add_component(component_path, contract::acpi_first_id, contract::acpi_ids,
                              acpi.functions[0]->requester())) {
        return "the IORT has no SMMUv3";
    }
    return nullptr;
}

void Guest::describe_devices()
{
    for (auto& d : devices_) {
        d.identity = {};
        d.references = 0;
        d.identity.opted_in = true;
        if (&d == &devices_[index(Who::Acpi)]) {
            d.identity.kind = WDM_DEVICE_ACPI;
            d.identity.path = component_path;
        } else {
            d.identity.kind = WDM_DEVICE_PCI;
            d.identity.requester_id = d.functions[0]->requester();
            d.identity.pasid_bits = d.functions[0]->pasid_bits();
        }
    }
    // Of two alike, the suite wants one that knows no PASIDs.
    devices_[index(Who::PciB)].identity.pasid_bits = 0;
}

const char* Guest::start()
{
    stop();
    memory_.reset();
    policy_ = contract::usual_policy;
    irql_ = PASSIVE_LEVEL;
    irql_violations_ = bug_check_count_ = 0;
    allowance_ = {};
    describe_devices();
    running_ = NT_SUCCESS(IommuProviderStart(&platform_));
    return running_ ? nullptr : "IommuProviderStart failed";
}

void Guest::stop()
{
    if (running_) {
        running_ = false;
        IommuProviderStop();
    }
    while (cpu::poll() != 0) {  // what nobody waits for any more
    }
    policy_listener_ = {};
    service_count_ = work_count_ = 0;
}

bool Guest::arm64() const
{
    return cpu::arm64;
}

IoGetIommuInterfaceFunction* Guest::get_interface() const
{
    return IoGetIommuInterface;
}

IoGetIommuInterfaceExFunction* Guest::get_interface_ex() const
{
    return IoGetIommuInterfaceEx;
}

const WdmDisplay* Guest::display() const
{
    return IommuProviderDisplay();
}

volatile std::uint64_t* Guest::at(std::uint64_t physical)
{
    return memory_.owns(physical, 8) ? reinterpret_cast<volatile std::uint64_t*>(physical)
                                     : nullptr;
}

// --- devices

PDEVICE_OBJECT Guest::device(Who who)
{
    auto& d = devices_[index(who)];
    return d.count == 0 ? nullptr : reinterpret_cast<PDEVICE_OBJECT>(&d);
}

WdmDeviceIdentity& Guest::identity(Who who)
{
    return devices_[index(who)].identity;
}

unsigned Guest::references(Who who) const
{
    return devices_[index(who)].references;
}

Guest::Device* Guest::known(PDEVICE_OBJECT object)
{
    for (auto& d : devices_) {
        if (reinterpret_cast<PDEVICE_OBJECT>(&d) == object) {
            return &d;
        }
    }
    return nullptr;
}

bool Guest::dma(const contract::Dma& dma, std::uint64_t& value)
{
    const auto* function = devices_[index(dma.who)].functions[dma.id];
    const bool moved =
        function != nullptr &&
        function->move({dma.address, dma.write, dma.tagged, dma.pasid}, value);
    if (!moved) {
        deliver_interrupts();
    }
    return moved;
}

// --- interrupts, work, policy

void Guest::deliver_interrupts()
{
    const auto before = irql_;
    irql_ = device_irql > before ? device_irql : before;
    for (auto number = cpu::poll(); number != 0; number = cpu::poll()) {
        ++interrupts_;
        for (unsigned i = 0; i < service_count_; ++i) {
            if (services_[i].number == number) {
                services_[i].routine(services_[i].argument);
            }
        }
    }
    irql_ = before;
}

void Guest::run_pending()
{
    deliver_interrupts();
    while (work_count_ != 0) {
        const auto work = work_[0];
        --work_count_;
        for (unsigned i = 0; i < work_count_; ++i) {
            work_[i] = work_[i + 1];
        }
        const auto before = irql_;
        irql_ = PASSIVE_LEVEL;
        work.routine(work.argument);
        irql_ = before;
    }
}

void Guest::policy_changed()
{
    if (policy_listener_.routine != nullptr) {
        policy_listener_.routine(policy_listener_.argument);
    }
}

// One processor: one after the other.
void Guest::together(Routine a, Routine b, void* argument)
{
    a(argument);
    b(argument);
}

}  // namespace iommu::guest
