// SPDX-License-Identifier: GPL-2.0-or-later
#include "hw/iommu/verify/watch.hpp"

#include <algorithm>
#include <bit>
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
    // What a device keeps in a cache of its own is not watched.
    AtsCompletion request_translation(const Transaction& access) override
    {
        return inner_.request_translation(access);
    }
    Result admit_translated(const Transaction& access) override
    {
        return inner_.admit_translated(access);
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

// --- the record

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

// --- an access

void Watch::seen(std::uint32_t id, const Transaction& access, bool granted,
                 const Translation& out)
{
    const auto told = std::exchange(Watch::told(), Told{});
    const Guard guard(lock_);
    peek_.begin();
    const auto fresh = ask(id, access);
    auto& counts = counts_[id];
    ++counts.accesses;
    counts.refused += !granted;
    if (told.pending) {
        record_fault(told, id, access);
    }
    if (!fresh.known || peek_.left_ram()) {
        return;
    }
    settle_due();
    if (!same_configuration(fresh)) {
        return;
    }
    judge(fresh, access);
    compare(fresh, access, granted, out);
}

// What was cached of the structures against what stands there now.
bool Watch::same_configuration(const Fresh& fresh)
{
    const auto id = key(fresh.subject);
    const auto at = configs_.find(id);
    if (at == configs_.end()) {
        if (fresh.config_good && configs_.size() < kept_configs) {
            auto subject = fresh.subject;
            subject.what = Cached::Configuration;
            note_used(subject);
            if (fresh.translates) {
                check_shared(fresh);
            }
            configs_[id] = {subject, fresh.config, fresh.roots, now(), fresh.translates};
        }
        return true;
    }
    const auto& kept = at->second;
    const auto differs =
        std::mismatch(fresh.config.begin(), fresh.config.end(), kept.config.begin());
    if (differs.first == fresh.config.end()) {
        return true;
    }
    const auto word = static_cast<std::uint64_t>(differs.first - fresh.config.begin());
    suspected(rules().configuration, id,
              {{"requester", fresh.subject.requester},
               {"substream", fresh.subject.substream},
               {"doubleword", word, Fact::Kind::Decimal},
               {"old", *differs.second},
               {"new", *differs.first},
               {"cached-ns", kept.since_ns, Fact::Kind::Decimal}},
              kept.subject, kept.since_ns);
    return false;
}

void Watch::compare(const Fresh& fresh, const Transaction& access, bool granted,
                    const Translation& out)
{
    const bool same =
        granted == fresh.granted && (!granted || out.output.value == fresh.output);
    auto& kept = place(fresh.subject, access.address.value);
    const bool remembered = kept.live && kept.subject.domain == fresh.subject.domain &&
                            kept.subject.space == fresh.subject.space &&
                            kept.subject.first <= access.address.value &&
                            access.address.value <= kept.subject.last;
    if (!fresh.translates) {
        return;
    }
    if (same) {
        const auto before = kept.output | (access.address.value & kept.mask);
        if (granted && (!remembered || before != fresh.output)) {
            check_reuse(fresh, access);
            keep(fresh, access);
            record_mapping(fresh, access);
        }
        return;
    }
    auto subject = fresh.subject;
    subject.first = access.address.value & ~std::uint64_t{0xfff};
    subject.last = subject.first + 0xfff;
    const auto since_ns = remembered ? kept.since_ns : 0;
    std::vector<Fact> facts = {
        {"requester", fresh.subject.requester},
        {"substream", fresh.subject.substream},
        {"domain", fresh.subject.domain},
        {"space", fresh.subject.space},
        {"address", access.address.value},
        {"write", access.access == Access::Write, Fact::Kind::Decimal},
        {"answered", granted ? out.output.value : 0},
        {"memory-says", fresh.granted ? fresh.output : 0},
        {"granted", granted, Fact::Kind::Decimal},
        {"memory-grants", fresh.granted, Fact::Kind::Decimal},
        {"new-descriptor", fresh.leaf},
        {"new-descriptor-at", fresh.leaf_at}};
    if (remembered) {
        facts.push_back({"old-descriptor", kept.leaf});
        facts.push_back({"old-descriptor-at", kept.leaf_at});
        facts.push_back({"cached-ns", kept.since_ns, Fact::Kind::Decimal});
    }
    // One cause: what was changed, wherever the accesses are.
    const auto cause = std::uint64_t{fresh.subject.domain} << 48 ^
                       std::uint64_t{fresh.subject.space} << 32 ^
                       (remembered ? kept.leaf_at : subject.first);
    suspected(rules().translation, cause, std::move(facts), subject, since_ns);
}

void Watch::keep(const Fresh& fresh, const Transaction& access)
{
    auto& kept = place(fresh.subject, access.address.value);
    kept.live = true;
    kept.subject = fresh.subject;
    kept.subject.first = access.address.value & ~fresh.mask;
    kept.subject.last = access.address.value | fresh.mask;
    kept.access = access;
    kept.output = fresh.output & ~fresh.mask;
    kept.mask = fresh.mask;
    kept.leaf_at = fresh.leaf_at;
    kept.leaf = fresh.leaf;
    kept.roots = fresh.roots;
    kept.since_ns = now();
}

// The old translation of the same address is gone, but nobody has waited for that.
void Watch::check_reuse(const Fresh& fresh, const Transaction& access)
{
    const auto address = access.address.value;
    for (const auto& old : unsynced_) {
        if (old.subject.domain != fresh.subject.domain ||
            old.subject.space != fresh.subject.space || address < old.subject.first ||
            address > old.subject.last) {
            continue;
        }
        const auto before = old.output | (address & old.mask);
        if (before != fresh.output) {
            found(rules().reuse,
                  std::uint64_t{fresh.subject.domain} << 32 | fresh.subject.space,
                  {{"requester", fresh.subject.requester},
                   {"domain", fresh.subject.domain},
                   {"space", fresh.subject.space},
                   {"address", address},
                   {"old-output", before},
                   {"new-output", fresh.output}},
                  fresh.subject);
            return;
        }
    }
}

void Watch::check_shared(const Fresh& fresh)
{
    for (const auto& [id, other] : configs_) {
        if (other.translates && other.subject.domain == fresh.subject.domain &&
            other.subject.space == fresh.subject.space && other.roots != fresh.roots) {
            found(rules().shared,
                  std::uint64_t{fresh.subject.domain} << 32 | fresh.subject.space,
                  {{"domain", fresh.subject.domain},
                   {"space", fresh.subject.space},
                   {"requester", fresh.subject.requester},
                   {"other-requester", other.subject.requester},
                   {"tables", fresh.roots},
                   {"other-tables", other.roots}},
                  fresh.subject);
            return;
        }
    }
}

// --- what software tells the device

// VMSA: at its invalidation an entry that changed is invalid, or was only restricted.
void Watch::check_replaced(const Kept& kept)
{
    if (kept.subject.nested) {
        return;
    }
    peek_.begin();
    const auto fresh = ask(kept.subject.requester, kept.access);
    // Other tables, or another tag, are no entry that changed.
    if (!fresh.known || peek_.left_ram() || !fresh.granted || fresh.roots != kept.roots ||
        fresh.subject.domain != kept.subject.domain ||
        fresh.subject.space != kept.subject.space) {
        return;
    }
    const bool moved = (fresh.output & ~fresh.mask & ~kept.mask) !=
                       (kept.output & ~fresh.mask & ~kept.mask);
    if (!moved && fresh.mask == kept.mask) {
        return;
    }
    found(Rule::SmmuBreakBeforeMake, kept.leaf_at,
          {{"requester", kept.subject.requester},
           {"domain", kept.subject.domain},
           {"space", kept.subject.space},
           {"address", kept.access.address.value},
           {"old-descriptor", kept.leaf},
           {"old-descriptor-at", kept.leaf_at},
           {"new-descriptor", fresh.leaf},
           {"new-descriptor-at", fresh.leaf_at},
           {"cached-ns", kept.since_ns, Fact::Kind::Decimal}},
          kept.subject);
}

// A translation of an address that the invalidation names is stale under another tag.
bool Watch::stale_elsewhere(const Invalidation& what)
{
    unsigned looked = 0;
    for (const auto& kept : kept_) {
        if (!kept.live || !what.reaches_addresses(kept.subject) || ++looked > 64) {
            continue;
        }
        peek_.begin();
        const auto fresh = ask(kept.subject.requester, kept.access);
        if (fresh.known && !peek_.left_ram() &&
            (!fresh.granted ||
             fresh.output != (kept.output | (kept.access.address.value & kept.mask)))) {
            return true;
        }
    }
    return false;
}

void Watch::invalidated(Invalidation what)
{
    const Guard guard(lock_);
    what.ns = now();
    findings_.withdraw(what);
    if (what.what & static_cast<std::uint8_t>(Cached::Translation)) {
        if (verifies_ && what.domain != Invalidation::any &&
            !used(what.domain, what.space) && stale_elsewhere(what)) {
            found(rules().scope, std::uint64_t{what.domain} << 32 | what.space,
                  {{"domain", what.domain},
                   {"space", what.space},
                   {"command", what.words[0]},
                   {"command-high", what.words[1]}});
        }
        unsigned looked = 0;
        for (auto& kept : kept_) {
            if (!kept.live || !what.covers(kept.subject)) {
                continue;
            }
            if (verifies_ && rules().break_before_make && ++looked <= 64) {
                check_replaced(kept);
            }
            if (unsynced_.size() < kept_unsynced) {
                unsynced_.push_back(kept);
            }
            kept.live = false;
        }
    }
    std::erase_if(configs_,
                  [&](const auto& entry) { return what.covers(entry.second.subject); });
    if (recent_.size() >= kept_recent) {
        recent_.erase(recent_.begin());
    }
    recent_.push_back(what);
    if (what.what & static_cast<std::uint8_t>(Cached::Configuration)) {
        for (const auto id : requesters()) {
            if ((id & ~what.requester_mask) >= what.first_requester &&
                (id & ~what.requester_mask) <= what.last_requester) {
                look(id);
            }
        }
    }
}

void Watch::completed()
{
    const Guard guard(lock_);
    unsynced_.clear();
    findings_.wait_completed();
}

void Watch::configured()
{
    const Guard guard(lock_);
    findings_.forget_suspects();
    configs_.clear();
}

}  // namespace iommu::verify
