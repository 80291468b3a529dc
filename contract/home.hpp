// SPDX-License-Identifier: GPL-2.0-or-later
// Where the suite runs: a machine with an IOMMU, devices that do DMA on command, and a
// provider of the tables.  Simulated in this process, a QEMU over qtest, or a guest.
#pragma once

#include <cstdint>

#include "wdm/dma_iommu.h"
#include "wdm/platform.h"

namespace iommu::contract {

enum class Who : std::uint8_t {
    PciA,         // behind the IOMMU, opted in, knows PASIDs
    PciB,         // behind the IOMMU, opted in
    Acpi,         // arm64: three input ids, 4, 5 and 6
    Unprotected,  // PCI, with no IOMMU in front of it
};
inline constexpr unsigned devices = 4;
inline constexpr unsigned acpi_first_id = 4, acpi_ids = 3;

struct Dma {
    Who who = Who::PciA;
    unsigned id = 0;  // which of the device's requester ids, from 0
    std::uint64_t address = 0;
    bool write = false;
    bool tagged = false;
    std::uint32_t pasid = 0;
};

struct BugCheck {
    std::uint32_t code = 0;
    std::uint64_t parameters[4] = {};
};

class Home {
public:
    // A fresh machine with the provider started in it.  Null, or why not.
    virtual const char* start() = 0;
    virtual void stop() = 0;

    virtual bool arm64() const = 0;
    virtual IoGetIommuInterfaceFunction* get_interface() const = 0;
    virtual IoGetIommuInterfaceExFunction* get_interface_ex() const = 0;

    // Null when the provider has none.
    virtual const WdmDisplay* display() const = 0;

    // Null when this machine has no such device.
    virtual PDEVICE_OBJECT device(Who who) = 0;
    virtual WdmDeviceIdentity& identity(Who who) = 0;
    virtual unsigned references(Who who) const = 0;

    // Moves eight bytes; false: the device was refused.
    virtual bool dma(const Dma& dma, std::uint64_t& value) = 0;

    // Page-aligned physical memory, contiguous and aligned to its size; 0: none left.
    virtual std::uint64_t pages(std::uint64_t count) = 0;
    virtual volatile std::uint64_t* at(std::uint64_t physical) = 0;
    virtual std::uint64_t highest_address() const = 0;

    virtual WdmPolicy& policy() = 0;
    virtual void policy_changed() = 0;  // tells the provider
    // The provider's n-th allocation from now (0: the next) and all after it fail.
    static constexpr std::uint64_t never = ~0ull;
    virtual void fail_allocations(std::uint64_t after) = 0;
    virtual std::uint64_t allocations() const = 0;  // asked for since start
    virtual std::uint64_t allocated() const = 0;    // bytes and pages held now

    virtual KIRQL irql() const = 0;
    virtual void set_irql(KIRQL level) = 0;
    virtual unsigned irql_violations() const = 0;
    virtual void run_pending() = 0;  // interrupts and the work they queued
    virtual unsigned bug_checks() const = 0;
    virtual BugCheck last_bug_check() const = 0;

    // Both at once where there is more than one processor.
    using Routine = void (*)(void* argument);
    virtual void together(Routine a, Routine b, void* argument) = 0;

protected:
    ~Home() = default;
};

}  // namespace iommu::contract
