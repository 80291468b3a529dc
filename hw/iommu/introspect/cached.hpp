// SPDX-License-Identifier: GPL-2.0-or-later
// What caches hold for an access, as JSON beside the step of a walk that it spares: the
// cache's name, whether memory says otherwise by now, and what is kept.
#pragma once

#include <optional>
#include <string>

#include "hw/iommu/common/last_tables.hpp"
#include "hw/iommu/common/tlb.hpp"
#include "hw/iommu/introspect/narrate.hpp"
#include "iommu/device.hpp"

namespace iommu::introspect {

// What the tables make of an address at this moment.
struct Mapped {
    std::uint64_t output = 0;  // of the very address
    Rights allowed{};
    friend bool operator==(const Mapped&, const Mapped&) = default;
};

// An entry of a Tlb for `address`; `now` is empty when the tables map nothing there.
void tell_hit(Story& story, const char* cache, std::uint64_t address, const Tlb::Hit& hit,
              const std::optional<Mapped>& now);

// The answer that the asking thread would repeat without asking the device.  `now`: what
// the device would say without caches, empty for a refusal.
void tell_answer(Story& story, const Stream& stream, const Transaction& access,
                 const std::optional<Translation>& now);

// The table that would spare the asking thread a walk of `input`.  Its entry is read
// anew: only what stands above it can be out of date.
template <typename Format>
void tell_last_table(Story& story, const WalkKey& key, typename Format::Input input,
                     const std::optional<Mapped>& now)
{
    const auto* table = LastTables<Format>::find(key, input);
    if (table == nullptr) {
        return;
    }
    const auto raw = table->read(input);
    const auto entry = table->decode(raw, input);
    const bool used = entry.kind == EntryKind::Leaf && entry.accessed;
    const auto inside = (std::uint64_t{1} << entry.log2size) - 1;
    const Mapped kept{entry.address.value | (input.value & inside), entry.rights};
    const bool differs = used && kept != now;
    Json json;
    json.open_object()
        .text("cache", "this thread's last tables")
        .boolean("differs", differs)
        .hex("descriptor", raw)
        .key("rights-above");
    write_rights(json, table->above);
    json.close_object();
    story.beside_last(json.str(), differs);
}

}  // namespace iommu::introspect
