// SPDX-License-Identifier: GPL-2.0-or-later
// The C interface common to every device, and the SMMUv3's own.
#include "hw/iommu/capi.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

#include "hw/iommu/common/pieces.hpp"

namespace iommu {

namespace {

MemoryResult result(int status)
{
    return status == 0 ? MemoryResult::Ok : MemoryResult::Abort;
}

Stream* stream_of(WiStream* handle)
{
    return static_cast<Stream*>(handle);
}
const Stream* stream_of(const WiStream* handle)
{
    return static_cast<const Stream*>(handle);
}

static_assert(WI_ANY_SUBSTREAM == Host::any_substream);

Transaction from_c(uint64_t address, unsigned attributes, uint32_t substream)
{
    return {
        .address = Iova{address},
        .access = attributes & WI_WRITE ? Access::Write : Access::Read,
        .privilege = attributes & WI_PRIVILEGED ? Privilege::Privileged : Privilege::User,
        .content = attributes & WI_INSTRUCTION ? Content::Instruction : Content::Data,
        // 20 bits are all a requester can send: PCIe 6.20.
        .substream = {substream & 0xfffff, (attributes & WI_SUBSTREAM) != 0},
        .delivery = attributes & WI_PIECES ? Delivery::Pieces : Delivery::Whole,
    };
}
WiTranslation to_c(const Translation& t)
{
    return {t.output.value, t.mask, t.read, t.write};
}

WiBlock to_c(const MappedBlock& b)
{
    return {b.input.value, b.output.value, b.mask, b.read, b.write};
}

}  // namespace

const char* CHost::refuse(const WiHost* host)
{
    const bool complete = host && host->read && host->write && host->mark_dirty &&
                          host->pulse && host->send_msi && host->unmapped &&
                          host->bypass_changed && host->guest_error;
    return complete ? nullptr : "winiommu: WiHost lacks a callback; supply all of them";
}

MemoryResult CHost::read(Gpa from, std::span<std::byte> to)
{
    return result(callbacks_.read(callbacks_.opaque, from.value, to.data(), to.size()));
}

MemoryResult CHost::write(Gpa to, std::span<const std::byte> from)
{
    return result(
        callbacks_.write(callbacks_.opaque, to.value, from.data(), from.size()));
}

void CHost::mark_dirty(Gpa at, std::size_t size)
{
    callbacks_.mark_dirty(callbacks_.opaque, at.value, size);
}

void CHost::pulse(unsigned line)
{
    callbacks_.pulse(callbacks_.opaque, line);
}

MemoryResult CHost::send_msi(Gpa address, std::uint32_t data)
{
    return result(callbacks_.send_msi(callbacks_.opaque, address.value, data));
}

void CHost::unmapped(StreamCookie stream, Iova base, std::uint64_t size)
{
    callbacks_.unmapped(callbacks_.opaque, stream, base.value, size);
}

void CHost::bypass_changed(StreamCookie stream)
{
    callbacks_.bypass_changed(callbacks_.opaque, stream);
}

void CHost::guest_error(const char* text)
{
    callbacks_.guest_error(callbacks_.opaque, text);
}

void CHost::mapping_changed(StreamCookie stream, const MappedBlock& block)
{
    if (callbacks_.mapping_changed) {
        const auto b = to_c(block);
        callbacks_.mapping_changed(callbacks_.opaque, stream, &b);
    }
}

bool CHost::device_unmapped(StreamCookie stream, Substream substream, Iova base,
                            std::uint64_t size)
{
    return !callbacks_.device_unmapped ||
           callbacks_.device_unmapped(
               callbacks_.opaque, stream,
               substream.present ? substream.value : WI_NO_SUBSTREAM, base.value, size);
}

}  // namespace iommu

using namespace iommu;

extern "C" {

void wi_iommu_free(WiIommu* iommu)
{
    delete iommu;
}

void wi_iommu_reset(WiIommu* iommu)
{
    iommu->device->reset();
    iommu->device->epoch().advance();
}

uint64_t wi_iommu_mmio_read(WiIommu* iommu, uint64_t offset, unsigned size)
{
    return iommu->device->mmio_read(offset, size);
}

void wi_iommu_mmio_write(WiIommu* iommu, uint64_t offset, unsigned size, uint64_t value)
{
    iommu->device->mmio_write(offset, size, value);
    // Any register may change what a translation gives, and every command comes through
    // one.
    iommu->device->epoch().advance();
}

void wi_iommu_set_ram(WiIommu* iommu, const WiRamRegion* regions, size_t count)
{
    std::vector<RamRegion> ram;
    ram.reserve(count);
    for (size_t i = 0; i < count; ++i) {
        const auto& from = regions[i];
        ram.push_back({Gpa{from.gpa}, from.size, static_cast<std::byte*>(from.host),
                       !from.readonly});
    }
    iommu->device->memory().ram().assign(ram);
}

void* wi_iommu_save(const WiIommu* iommu, size_t* size)
{
    const auto state = iommu->device->save();
    void* copy = std::malloc(state.size());
    *size = copy ? state.size() : 0;
    if (copy) {
        std::memcpy(copy, state.data(), state.size());
    }
    return copy;
}

const char* wi_iommu_load(WiIommu* iommu, const void* state, size_t size)
{
    const char* wrong = iommu->device->load({static_cast<const std::byte*>(state), size});
    iommu->device->epoch().advance();
    return wrong;
}

WiStream* wi_iommu_stream(WiIommu* iommu, uint32_t id, void* cookie)
{
    auto* stream = iommu->device->stream(id, cookie);
    return stream != nullptr && iommu->watch ? iommu->watch->stream(*stream, id) : stream;
}

void wi_iommu_watch(WiIommu* iommu, const WiWatch* watch)
{
    iommu->watch = iommu->make_watch(
        watch->verify, {watch->opaque, watch->found, watch->command, watch->mapped});
}

bool wi_iommu_record(WiIommu* iommu, const char* path, char** error)
{
    const auto wrong = iommu->watch->record(path);
    *error = wrong.empty() ? nullptr : strdup(wrong.c_str());
    return wrong.empty();
}

void wi_iommu_tick(WiIommu* iommu)
{
    if (iommu->watch) {
        iommu->watch->tick();
    }
}

char* wi_iommu_findings(WiIommu* iommu)
{
    const auto text = iommu->watch ? iommu->watch->findings() : verify::Findings::none();
    return strdup(text.c_str());
}

void wi_iommu_settle(WiIommu* iommu)
{
    if (iommu->watch) {
        iommu->watch->settle();
    }
}

void wi_iommu_finish(WiIommu* iommu)
{
    if (iommu->watch) {
        iommu->watch->finish();
    }
}

void wi_access_begins(void)
{
    RefusedPieces::begin();
}

bool wi_stream_resolve(WiStream* stream, uint64_t address, unsigned attributes,
                       uint32_t substream, WiTranslation* out)
{
    const auto access = from_c(address, attributes, substream);
    Translation translation;
    auto& asked = *stream_of(stream);
    const auto begun = __atomic_load_n(stream->epoch, __ATOMIC_ACQUIRE);
    if (asked.translate(access, translation) != Stream::Result::Ok) {
        return false;
    }
    if (!(attributes & (WI_PRIVILEGED | WI_INSTRUCTION | WI_SUBSTREAM))) {
        asked.remember(begun, access, translation);
    }
    *out = to_c(translation);
    return true;
}

void wi_stream_request_translation(WiStream* stream, uint64_t address,
                                   unsigned attributes, uint32_t substream,
                                   WiAtsCompletion* out)
{
    const auto done =
        stream_of(stream)->request_translation(from_c(address, attributes, substream));
    *out = {to_c(done.translation), static_cast<unsigned>(done.status), done.execute,
            done.untranslated_only};
}

bool wi_stream_admit_translated(WiStream* stream, uint64_t address, unsigned attributes,
                                uint32_t substream)
{
    return stream_of(stream)->admit_translated(from_c(address, attributes, substream)) ==
           Stream::Result::Ok;
}

bool wi_stream_bypassed(const WiStream* stream)
{
    return stream_of(stream)->bypassed();
}

void wi_stream_want_unmaps(WiStream* stream, bool wanted)
{
    stream_of(stream)->want_unmaps(wanted);
}

void wi_stream_want_mappings(WiStream* stream, bool wanted)
{
    stream_of(stream)->want_mappings(wanted);
}

void wi_stream_replay_mappings(WiStream* stream,
                               void (*take)(void* opaque, const WiBlock* block),
                               void* opaque)
{
    struct Taker {
        void (*take)(void*, const WiBlock*);
        void* opaque;
    } taker{take, opaque};
    stream_of(stream)->replay_mappings(
        [](void* to, const MappedBlock& block) {
            const auto b = to_c(block);
            const auto* t = static_cast<Taker*>(to);
            t->take(t->opaque, &b);
        },
        &taker);
}

const char* wi_iommu_refuse_mappings(const WiIommu* iommu)
{
    return iommu->device->refuse_mappings();
}

const char* wi_iommu_refuse_device_tlbs(const WiIommu* iommu)
{
    return iommu->device->refuse_device_tlbs();
}

}  // extern "C"
