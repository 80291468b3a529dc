// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/introspect/cached.hpp"

namespace iommu::introspect {

void tell_hit(Story& story, const char* cache, std::uint64_t address, const Tlb::Hit& hit,
              const std::optional<Mapped>& now)
{
    const auto inside = (std::uint64_t{1} << hit.log2size) - 1;
    const Mapped kept{hit.output,
                      {static_cast<std::uint8_t>(hit.attributes & Rights::every)}};
    const bool differs = kept != now;
    Json json;
    json.open_object()
        .text("cache", cache)
        .boolean("differs", differs)
        .hex("input", address & ~inside)
        .hex("output", hit.output & ~inside)
        .hex("size", inside + 1)
        .key("rights");
    write_rights(json, kept.allowed);
    json.close_object();
    story.beside_last(json.str(), differs);
}

// The same question as in capi.h: no PASID, nothing privileged, no instruction.
void tell_answer(Story& story, const Stream& stream, const Transaction& access,
                 const std::optional<Translation>& now)
{
    WiTranslation kept;
    if (access.substream.present || access.privilege == Privilege::Privileged ||
        access.content == Content::Instruction ||
        !wi_stream_recall(&stream, access.address.value, access.access == Access::Write,
                          &kept)) {
        return;
    }
    const bool differs = !now || now->output.value != kept.output;
    Json json;
    json.open_object()
        .text("cache", "this thread's answers")
        .boolean("differs", differs)
        .hex("output", kept.output)
        .hex("mask", kept.mask)
        .boolean("read", kept.read)
        .boolean("write", kept.write)
        .close_object();
    story.beside_last(json.str(), differs);
}

}  // namespace iommu::introspect
