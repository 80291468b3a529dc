// SPDX-License-Identifier: GPL-2.0-or-later
// What goes into the record, and to trace events.
#include "hw/iommu/verify/watch.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace iommu::verify {

std::string Watch::record(const char* path)
{
    const Guard guard(lock_);
    auto recorder = std::make_unique<record::Recorder>();
    auto wrong = recorder->open(path, kind());
    if (wrong.empty()) {
        recorder_ = std::move(recorder);
    }
    return wrong;
}

void Watch::record_counts()
{
    for (const auto& [id, count] : counts_) {
        recorder_->add(record::Type::Counts, now(),
                       record::Payload{}
                           .u32(id)
                           .u32(0)
                           .u64(count.accesses)
                           .u64(count.refused)
                           .bytes());
    }
    counts_.clear();
}

void Watch::note_command(const std::array<std::uint64_t, 2>& words)
{
    if (recorder_) {
        recorder_->add(record::Type::Command, now(),
                       record::Payload{}.u64(words[0]).u64(words[1]).bytes());
    }
    if (listener_.command != nullptr) {
        listener_.command(listener_.opaque, words[0], words[1]);
    }
}

void Watch::record_mapping(const Fresh& fresh, const Transaction& access)
{
    const auto& s = fresh.subject;
    const auto address = access.address.value & ~fresh.mask;
    const auto output = fresh.output & ~fresh.mask;
    const auto log2size = static_cast<unsigned>(std::bit_width(fresh.mask));
    const unsigned rights = (fresh.read ? 1u : 0u) | (fresh.write ? 2u : 0u);
    if (recorder_) {
        recorder_->add(record::Type::Map, now(),
                       record::Payload{}
                           .u32(s.requester)
                           .u32(s.substream)
                           .u32(s.domain)
                           .u32(s.space)
                           .u64(address)
                           .u64(output)
                           .u32(log2size)
                           .u32(rights)
                           .bytes());
    }
    if (listener_.mapped != nullptr) {
        listener_.mapped(listener_.opaque, s.requester, address, output, log2size,
                         rights);
    }
}

Watch::Told& Watch::told()
{
    thread_local Told at_hand{};
    return at_hand;
}

void Watch::note_fault(Of of, std::array<std::uint64_t, 4> words, std::uint32_t reason,
                       std::uint32_t requester)
{
    if (of == Of::Access) {
        told() = {true, words, reason};
        return;
    }
    const Guard guard(lock_);
    peek_.begin();
    const Transaction none{};
    record_fault({true, words, reason}, requester, none);
}

void Watch::translation_refused(std::uint32_t id, const Transaction& access)
{
    const auto told = std::exchange(Watch::told(), Told{});
    const Guard guard(lock_);
    peek_.begin();
    if (told.pending) {
        record_fault(told, id, access);
    }
}

// With what a walk reads at this moment.
void Watch::record_fault(const Told& told, std::uint32_t id, const Transaction& access)
{
    if (!recorder_) {
        return;
    }
    record::Payload out;
    out.u32(id)
        .u32(access.substream.present ? access.substream.value : Subject::none)
        .u64(access.address.value)
        .u32(told.reason)
        .u32((access.access == Access::Write ? 1u : 0u) |
             (access.privilege == Privilege::Privileged ? 2u : 0u) |
             (access.content == Content::Instruction ? 4u : 0u));
    for (const auto word : told.words) {
        out.u64(word);
    }
    out.u64(peek_.notes().size());
    for (const auto& note : peek_.notes()) {
        const auto words = std::min<std::size_t>(note.words, note.word.size());
        out.u64(note.at.value).u64(words);
        for (std::size_t i = 0; i < words; ++i) {
            out.u64(note.word[i]);
        }
    }
    recorder_->add(record::Type::Fault, now(), out.bytes());
}

}  // namespace iommu::verify
