// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/verify/watch.hpp"

#include <utility>

namespace iommu::verify {

class Watch::WatchedStream final : public Stream {
public:
    // No answer is kept in front of us: every access comes here.
    WatchedStream(Watch& watch, Stream& inner, std::uint32_t id)
        : Stream(inner.cookie(), watch.device_.epoch(), Kept::No), watch_(watch),
          inner_(inner), id_(id)
    {
    }

    Result translate(const Transaction& access, Translation& out) override
    {
        const auto result = inner_.translate(access, out);
        watch_.seen(id_, access, result == Result::Ok, out);
        return result;
    }
    AtsCompletion request_translation(const Transaction& access) override
    {
        const auto done = inner_.request_translation(access);
        const auto& told = done.translation;
        if (done.status != AtsStatus::Success) {
            watch_.translation_refused(id_, access);
        } else if (!done.untranslated_only && (told.read || told.write)) {
            watch_.translation_told(id_, access, told);
        }
        return done;
    }
    Result admit_translated(const Transaction& access) override
    {
        const auto result = inner_.admit_translated(access);
        if (result == Result::Ok) {
            watch_.translation_used(id_, access);
        } else {
            watch_.translation_refused(id_, access);
        }
        return result;
    }
    bool bypassed() const override { return inner_.bypassed(); }
    void want_unmaps(bool wanted) override { inner_.want_unmaps(wanted); }
    void want_mappings(bool wanted) override { inner_.want_mappings(wanted); }
    void replay_mappings(TakeBlock take, void* opaque) override
    {
        inner_.replay_mappings(take, opaque);
    }
    std::uint32_t id() const { return id_; }

private:
    Watch& watch_;
    Stream& inner_;
    const std::uint32_t id_;
};

Watch::Watch(Device& device, bool verifies, Listener listener)
    : device_(device), peek_(device.memory()), verifies_(verifies), listener_(listener),
      findings_([this](const Finding& f) {
          if (recorder_) {
              recorder_->add(record::Type::Finding, now(),
                             record::Payload{}.text(Findings::json(f)).bytes());
          }
          if (listener_.found != nullptr) {
              listener_.found(listener_.opaque, Findings::line(f).c_str(),
                              Findings::json(f).c_str());
          }
      }),
      start_(std::chrono::steady_clock::now()), kept_(kept_translations)
{
}

Watch::~Watch()
{
    finish();
}

void Watch::finish()
{
    const Guard guard(lock_);
    findings_.settle_all();
    if (recorder_) {
        record_counts();
        recorder_->add(record::Type::End, now(), {});
        recorder_.reset();
    }
}

Stream* Watch::stream(Stream& inner, std::uint32_t id)
{
    const Guard guard(lock_);
    auto& watched = streams_[&inner];
    if (!watched) {
        watched = std::make_unique<WatchedStream>(*this, inner, id);
        look(id);
    }
    return watched.get();
}

std::vector<std::uint32_t> Watch::requesters() const
{
    std::vector<std::uint32_t> ids;
    for (const auto& [inner, watched] : streams_) {
        ids.push_back(watched->id());
    }
    return ids;
}

std::uint64_t Watch::now() const
{
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::steady_clock::now() - start_)
            .count());
}

void Watch::tick()
{
    const Guard guard(lock_);
    findings_.settle(now());
    if (recorder_) {
        record_counts();
        recorder_->flush();
    }
}

void Watch::settle()
{
    const Guard guard(lock_);
    findings_.settle_all();
}

// The devices read a stream's structures when it is made and whenever they are told that
// these changed: what they found may be cached from then on.
void Watch::look(std::uint32_t id)
{
    if (!verifies_) {
        return;
    }
    peek_.begin();
    const auto fresh = ask(id, {});
    if (fresh.known && !peek_.left_ram()) {
        static_cast<void>(same_configuration(fresh));
    }
}

void Watch::settle_due()
{
    if (findings_.suspicious()) {
        findings_.settle(now());
    }
}

std::string Watch::findings()
{
    const Guard guard(lock_);
    findings_.settle(now());
    return findings_.json();
}

// --- what is remembered

std::uint64_t Watch::key(const Subject& s)
{
    return std::uint64_t{s.requester} << 32 | s.substream;
}

// One place for each 4 KiB page and tag; a newer one takes the place of an older.
Watch::Kept& Watch::place(const Subject& s, std::uint64_t address)
{
    const auto page = address >> 12;
    const auto hash = (page ^ (page >> 11)) + s.domain * 0x9e5u + s.space * 0x1f3u;
    return kept_[hash % kept_.size()];
}

std::vector<Invalidation> Watch::since(std::uint64_t ns) const
{
    std::vector<Invalidation> out;
    for (const auto& i : recent_) {
        if (i.ns >= ns && i.what != 0) {
            out.push_back(i);
        }
    }
    if (out.size() > 4) {
        out.erase(out.begin(), out.end() - 4);
    }
    return out;
}

void Watch::note_used(const Subject& s)
{
    domains_.set(s.domain & 0xffff);
    if (spaces_.size() < kept_spaces) {
        spaces_.insert(std::uint64_t{s.domain} << 32 | s.space);
    }
}

bool Watch::used(std::uint32_t domain, std::uint32_t space) const
{
    return space == Subject::none || space == Invalidation::any
               ? domains_.test(domain & 0xffff)
               : spaces_.size() >= kept_spaces ||
                     spaces_.contains(std::uint64_t{domain} << 32 | space);
}

void Watch::found(Rule rule, std::uint64_t cause, std::vector<Fact> facts,
                  const Subject& subject)
{
    if (!verifies_) {
        return;
    }
    Finding f{rule, subject, cause, std::move(facts), {}, now(), now()};
    findings_.add(std::move(f));
}

void Watch::suspected(Rule rule, std::uint64_t cause, std::vector<Fact> facts,
                      const Subject& subject, std::uint64_t since_ns)
{
    if (!verifies_) {
        return;
    }
    Finding f{rule, subject, cause, std::move(facts), since(since_ns), now(), now()};
    findings_.suspect(std::move(f));
}

}  // namespace iommu::verify
