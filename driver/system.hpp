// SPDX-License-Identifier: GPL-2.0-or-later
// The objects behind the opaque handles, and the one driver instance that owns them.
#pragma once

#include "driver/buddy.hpp"
#include "driver/hw.hpp"
#include "driver/mutant.hpp"
#include "driver/platform.hpp"
#include "wdm/dma_iommu.h"

namespace iommu::driver {

struct Binding;
struct Function;

// IOMMU_DMA_LOGICAL_ADDRESS_TOKEN with what the driver must not see.  Headers are reused,
// never freed while the driver runs, so that a map that lost the race against the free
// still finds one.
struct Token {
    IOMMU_DMA_LOGICAL_ADDRESS_TOKEN visible{};  // first: the handle points at it
    IOMMU_DMA_DOMAIN* domain = nullptr;         // nullptr: freed, or being freed
    Token* next = nullptr;                      // in its domain, or among the unused
    std::uint8_t* state = nullptr;              // of each page
    std::uint64_t pages = 0;

    static constexpr std::uint8_t mapped = 1, starts_segment = 2;
};

struct Region {
    std::uint64_t first = 0, pages = 0;  // page numbers
    bool mapped = false;
    Region* next = nullptr;
};

}  // namespace iommu::driver

struct _IOMMU_DMA_DOMAIN {
    IOMMU_DMA_DOMAIN_TYPE type = DomainTypeTranslate;
    iommu::driver::Context context;
    bool allocates = false;
    iommu::driver::Buddy buddy;
    unsigned input_bits = 0;  // mappings lie below 1 << input_bits
    // Guards the tables, the allocator, tokens and regions.
    iommu::driver::SpinLock lock;
    iommu::driver::Token* tokens = nullptr;
    iommu::driver::Region* regions = nullptr;
    // Guarded by System::lifecycle.
    iommu::driver::Binding* bindings = nullptr;
    unsigned pasid_devices = 0;
};

struct _IOMMU_DMA_DEVICE {
    iommu::driver::Function* function = nullptr;
    std::uint32_t first_input = 0, inputs = 0;
    iommu::driver::Binding* binding = nullptr;

    bool pasid = false, pasid_tagged = false, suppress_pasid_faults = false;
    IOMMU_DMA_PASID_DEVICE* pasid_devices = nullptr;

    PIOMMU_INTERFACE_STATE_CHANGE_CALLBACK callback = nullptr;
    void* callback_context = nullptr;
    ULONG last_reported = 0;
    bool calling = false;  // an invocation has not returned; the callback stays till then
    IOMMU_DMA_DEVICE* next = nullptr;
};

struct _IOMMU_DMA_PASID_DEVICE {
    IOMMU_DMA_DEVICE* parent = nullptr;
    std::uint32_t pasid = 0;
    IOMMU_DMA_DOMAIN* domain = nullptr;
    IOMMU_DMA_PASID_DEVICE* next = nullptr;  // of the parent
};

namespace iommu::driver {

// A physical device object the driver has seen.
struct Function {
    PDEVICE_OBJECT pdo = nullptr;
    WdmDeviceIdentity identity{};
    InputIds ids{};
    unsigned users = 0;  // tokens and V1 attachments
    Binding* bindings = nullptr;
    IOMMU_DMA_DEVICE* pasid_parent = nullptr;  // tagged DMA; guarded by System::faults
    Function* next = nullptr;
};

// Streams of one function in one domain: attached together, detached together.
struct Binding {
    Function* function = nullptr;
    IOMMU_DMA_DOMAIN* domain = nullptr;
    IOMMU_DMA_DEVICE* device = nullptr;  // nullptr: attached through V1
    std::uint32_t first_input = 0, inputs = 0;
    Binding* next_in_function = nullptr;
    Binding* next_in_domain = nullptr;

    // Guarded by System::faults.  One report is outstanding at a time.
    bool reporting = false;
    DEVICE_FAULT_CONFIGURATION handler{};
    bool pending = false;
    FAULT_INFORMATION information{};
};

class System final : public FaultSink {
public:
    explicit System(const WdmPlatform& kernel, Hardware& hardware)
        : platform(kernel), hw(hardware)
    {
    }
    bool start();
    void stop();

    // FaultSink: at the interrupt's level.
    void fault(const Fault& fault) override;

    ULONG available_types(const Function& function) const;
    bool type_possible(IOMMU_DMA_DOMAIN_TYPE type) const;
    Unattached unattached(const Function& function) const;

    // All under `lifecycle`.
    Function* find_function(PDEVICE_OBJECT pdo) const;
    NTSTATUS acquire_function(PDEVICE_OBJECT pdo, Function*& function);
    void release_function(Function* function);
    NTSTATUS attach(IOMMU_DMA_DOMAIN* domain, Function* function,
                    IOMMU_DMA_DEVICE* device, std::uint32_t first, std::uint32_t count);
    void detach(Binding* binding);
    void rebind(IOMMU_DMA_DOMAIN* domain);

    // Without `lifecycle`, which a fault handler may be about to take: what was detached
    // goes, when its handler has returned.
    void destroy(Binding* binding);
    void await_handler(const Binding* binding) const;

    void policy_changed();
    void deliver_faults();

    Platform platform;
    Hardware& hw;
    HardwareLimits limits{};
    bool present = false;
    SpinLock lifecycle;  // devices, attachments
    SpinLock faults;     // taken inside lifecycle, and from the interrupt
    Function* functions = nullptr;
    IOMMU_DMA_DEVICE* devices = nullptr;
    SpinLock tokens_lock;
    Token* unused_tokens = nullptr;
    std::uint8_t* pasids = nullptr;  // one byte each, [1, 1 << pasid_bits)
    std::uint64_t pasid_count = 0;
    bool work_queued = false;
    Binding* delivering = nullptr;  // whose handler is running; guarded by `faults`
};

// The instance the exported functions act on.
System* system();

// Loud when the caller is above `maximum`.
void require_irql(const System& s, const char* function, KIRQL maximum);

// Physical memory a caller described; null when the description is not page-granular, is
// empty, wraps, or names nothing.
struct Described {
    bool valid = false;
    PhysicalPages pages = PhysicalPages::contiguous(0, 0);
};
Described describe(const IOMMU_MAP_PHYSICAL_ADDRESS* what, unsigned output_bits);
Described describe(MDL* mdl, unsigned output_bits);

bool managed(const IOMMU_DMA_DOMAIN* domain);  // the driver owns its tables

}  // namespace iommu::driver
