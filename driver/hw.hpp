// SPDX-License-Identifier: GPL-2.0-or-later
// What the driver asks of the machine's IOMMUs, whichever they are.  Calls that change
// what a device may reach return when no stale state can be used any more.
#pragma once

#include <cstdint>

#include "driver/page_table.hpp"
#include "driver/platform.hpp"

namespace iommu::driver {

// A requester as the hardware knows it: StreamID or source-id, at one of the units.
struct StreamRef {
    std::uint32_t id = 0;
    unsigned unit = 0;
};

// Consecutive input ids (IORT ID mapping; on x64 a single 0) and their streams.
struct InputIds {
    std::uint32_t first = 0, count = 0, stream = 0;
    unsigned unit = 0;
    bool covers(std::uint32_t input, std::uint32_t n) const
    {
        return input >= first && n <= count && input - first <= count - n;
    }
    StreamRef stream_of(std::uint32_t input) const
    {
        return {stream + (input - first), unit};
    }
    bool has(StreamRef ref) const
    {
        return ref.unit == unit && ref.id >= stream && ref.id - stream < count;
    }
};

// Caller-owned VMSAv8-64 tables: DOMAIN_CONFIGURATION_ARM64 as it was given.
struct CallerTables {
    bool configured = false;
    bool translate = false;
    bool coherent = false;
    std::uint64_t ttb[2] = {};
    std::uint8_t input_size[2] = {};
    std::uint64_t mair = 0;
};

// A translation context: what a domain is to the hardware.
struct Context {
    enum class Kind : std::uint8_t { Managed, ManagedStage1, PassThrough, CallerOwned };
    Kind kind = Kind::Managed;
    bool stage1 = false;
    std::uint16_t tag = 0;  // ASID, VMID or domain-id
    PageTable table;
    CallerTables caller;
};

// What a stream that is in no domain may do.
enum class Unattached : std::uint8_t { Blocked, Identity };

struct Fault {
    StreamRef stream{};
    bool tagged = false;  // with a PASID
    std::uint32_t pasid = 0;
    bool stage1 = false;
    bool write = false, instruction = false, privileged = false;
    bool direction_known = false;
    bool address_valid = false;
    std::uint64_t address = 0;
    FAULT_INFORMATION_ARM64_TYPE type = TranslationFault;
    std::uint32_t hardware_code = 0;
};

class FaultSink {
public:
    virtual void fault(const Fault& fault) = 0;

protected:
    ~FaultSink() = default;
};

struct HardwareLimits {
    bool stage1 = false;          // TranslateS1 and PASID sub-devices are possible
    bool managed_stage1 = false;  // Translate domains use stage 1 themselves
    bool arm_tables = false;      // Unmanaged domains can be configured
    bool write_only = false;      // Translate domains can grant write without read
    bool live_split = false;      // a block may be replaced by a table in one store
    unsigned input_bits = 48, stage1_input_bits = 48, output_bits = 48;
    unsigned pasid_bits = 0;
    std::uint64_t hole_base = 0, hole_pages = 0;  // addresses that never translate
};

class Hardware {
public:
    // Finds the units and takes them over.  False: there is none that will do, or no
    // memory.
    virtual bool start(const Platform& platform, FaultSink& sink) = 0;
    virtual void stop() = 0;

    virtual HardwareLimits limits() const = 0;
    virtual std::uint64_t base_address(unsigned unit) const = 0;
    // The input ids of a device that is behind a unit; false: it is behind none.
    virtual bool find(const WdmDeviceIdentity& device, InputIds& ids) const = 0;

    // Tables and a tag.  False: no memory, or no tag is left.
    virtual bool create_context(Context& context) = 0;
    virtual void destroy_context(Context& context) = 0;

    // Everything bind() will need for this stream.  False: no memory.
    virtual bool prepare(StreamRef stream, unsigned pasid_bits) = 0;
    // The stream will not be bound again soon: its memory goes.
    virtual void forget(StreamRef stream, Unattached then) = 0;
    virtual void bind(StreamRef stream, const Context& context) = 0;
    virtual void unbind(StreamRef stream, Unattached then) = 0;
    virtual void bind_pasid(StreamRef stream, std::uint32_t pasid, const Context& context,
                            bool report_faults) = 0;
    virtual void unbind_pasid(StreamRef stream, std::uint32_t pasid) = 0;

    enum class Depth : std::uint8_t { Leaf, Tables };  // what was changed
    virtual void invalidate(const Context& context) = 0;
    virtual void invalidate(const Context& context, std::uint64_t first_page,
                            std::uint64_t pages, Depth depth) = 0;

protected:
    ~Hardware() = default;
};

}  // namespace iommu::driver
