// SPDX-License-Identifier: GPL-2.0-or-later
// An access against what memory says: stale translations and structures, addresses that
// are used again too early, tags that two share.
#include "hw/iommu/verify/watch.hpp"

#include <algorithm>
#include <utility>

namespace iommu::verify {

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

}  // namespace iommu::verify
