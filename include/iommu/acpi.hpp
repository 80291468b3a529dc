// SPDX-License-Identifier: GPL-2.0-or-later
// What firmware tells an operating system about IOMMUs: a plain description in, the bytes
// of a complete ACPI table out.  No table is ever made from a description that is wrong.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "iommu/address.hpp"

namespace iommu::acpi {

// ACPI 5.2.6 "System Description Table Header": whose table this is.
struct OemIds {
    std::array<char, 6> oem_id{};
    std::array<char, 8> oem_table_id{};
    std::uint32_t oem_revision = 1;
};

// A table, or one line that says what is wrong with the description and how to mend it.
struct Table {
    std::vector<std::byte> bytes;
    std::string error;
};

// --- IORT, Arm DEN 0049 "IO Remapping Table"
// --------------------------------------------

// DEN 0049 "SMMUv3 node".
struct Smmuv3 {
    Gpa base{};
    // Wired interrupts; 0 is none.
    std::uint32_t event_gsiv = 0, pri_gsiv = 0, gerror_gsiv = 0, sync_gsiv = 0;
    bool coherent = true;                          // COHACC override
    std::optional<std::uint32_t> msi_device_id{};  // its own MSIs, as the ITS sees them
    std::optional<std::uint32_t> proximity_domain{};
    std::uint32_t stream_ids = 0x10000;  // StreamIDs 0..stream_ids - 1 ...
    std::uint32_t device_id_base = 0;    // ... are DeviceIDs from here on
};

// Buses of a root complex that sit behind an SMMU; StreamID = requester id.
struct BusRange {
    std::uint8_t first = 0, last = 0;
    std::size_t smmu = 0;  // index into Iort::smmus
};

// DEN 0049 "Root complex node".  A bus that no range claims goes straight to the
// ITS.
struct RootComplex {
    std::uint32_t segment = 0;
    bool ats = false, pri = false;
    std::uint8_t pasid_bits = 0;       // 0: no PASID
    std::uint8_t address_bits = 64;    // memory address size limit
    std::uint32_t device_id_base = 0;  // DeviceID of requester 0 on unclaimed buses
    std::vector<BusRange> behind;
};

// IDs of a device that is no PCI function, and what they become.
struct IdRange {
    std::uint32_t input = 0, count = 1, output = 0;
    std::optional<std::size_t> smmu{};  // none: straight to the ITS
};

// DEN 0049 "Named component node".
struct NamedComponent {
    std::string path;  // ACPI object, such as \_SB.DMA0
    std::uint8_t address_bits = 64;
    std::uint8_t pasid_bits = 0;
    bool coherent = true;
    std::vector<IdRange> ids;
};

struct MemoryRange {
    Gpa base{};
    std::uint64_t size = 0;
};

// DEN 0049 "Reserved memory range node".
struct ReservedMemory {
    bool remap_permitted = false, privileged = false;
    std::vector<MemoryRange> ranges;
    std::size_t smmu = 0;
    std::uint32_t first_stream = 0, streams = 1;  // who keeps using it
};

struct Iort {
    OemIds ids;
    std::vector<std::uint32_t> its;  // MADT GIC ITS ids; empty: MSIs take another way
    std::vector<Smmuv3> smmus;
    std::vector<RootComplex> root_complexes;
    std::vector<NamedComponent> components;
    std::vector<ReservedMemory> reserved;
};
Table build_iort(const Iort& description);

// --- DMAR, VT-d 8 "BIOS Considerations"
// -------------------------------------------------

struct PciHop {
    std::uint8_t device = 0, function = 0;
    friend bool operator==(PciHop, PciHop) = default;
};

// VT-d 8.3.1 "Device Scope Structure".
struct Scope {
    enum class Type : std::uint8_t {
        Endpoint = 1,
        SubHierarchy = 2,
        Ioapic = 3,
        Hpet = 4,
        NamespaceDevice = 5
    };
    Type type = Type::Endpoint;
    std::uint8_t enumeration_id = 0;  // MADT IOAPIC id, HPET number, ANDD number
    std::uint8_t start_bus = 0;
    std::vector<PciHop> path;
    friend bool operator==(const Scope&, const Scope&) = default;
};

// VT-d 8.3 "DMA Remapping Hardware Unit Definition Structure".
struct Drhd {
    std::uint16_t segment = 0;
    Gpa base{};
    std::uint8_t log2_pages = 0;   // 2^n 4 KiB pages of registers
    bool include_pci_all = false;  // everything of the segment no other unit lists
    std::vector<Scope> scopes;
};

// VT-d 8.4 "Reserved Memory Region Reporting Structure".
struct Rmrr {
    std::uint16_t segment = 0;
    MemoryRange range;
    std::vector<Scope> scopes;
};

// VT-d 8.5 "Root Port ATS Capability Reporting Structure".  No scope: all ports.
struct Atsr {
    std::uint16_t segment = 0;
    std::vector<Scope> ports;
};

// VT-d 8.6 "Remapping Hardware Static Affinity Structure".
struct Rhsa {
    Gpa base{};
    std::uint32_t proximity_domain = 0;
};

// VT-d 8.7 "ACPI Name-space Device Declaration Structure".
struct Andd {
    std::uint8_t number = 0;
    std::string path;
};

// VT-d 8.8 "SoC Integrated Address Translation Cache Reporting Structure".
struct Satc {
    std::uint16_t segment = 0;
    bool atc_required = false;
    std::vector<Scope> scopes;
};

struct Dmar {
    OemIds ids;
    std::uint8_t host_address_bits = 48;
    bool interrupt_remapping = true;  // must be every unit's ECAP.IR
    bool x2apic_opt_out = false;
    bool dma_control_opt_in = false;  // Windows: Kernel DMA Protection
    std::vector<Drhd> units;
    std::vector<Rmrr> reserved;
    std::vector<Atsr> ats_ports;
    std::vector<Rhsa> affinities;
    std::vector<Andd> named_devices;
    std::vector<Satc> integrated_caches;
};
Table build_dmar(const Dmar& description);

// --- _DSD of a PCIe root port, in AML
// ---------------------------------------------------

// Each names a device property Windows reads at a root port; "UID" tells ports apart.
struct RootPortProperties {
    bool hot_plug_in_d3 = false;
    std::optional<std::uint32_t> external_facing_uid{};  // a user can plug into it
    std::optional<std::uint32_t> dma_property_uid{};     // internal, but reachable
};
// `Name (_DSD, Package () {...})`, to be placed in the port's Device; empty when there is
// nothing to say.
std::vector<std::byte> build_root_port_dsd(const RootPortProperties& properties);

// A root port and where the namespace has it: `name` below `host_bridge`.
struct RootPort {
    std::string host_bridge;  // absolute, such as \_SB.PCI0
    std::string name;         // up to four characters
    bool declare = false;     // the machine's own tables do not have this device
    PciHop address{};         // for _ADR; used when it is declared
    RootPortProperties properties;
};
struct RootPorts {
    OemIds ids{};
    std::vector<RootPort> ports;
};
// An SSDT, revision 2, that adds each port's _DSD to its device.
Table build_root_ports_ssdt(const RootPorts& description);

}  // namespace iommu::acpi
