// SPDX-License-Identifier: GPL-2.0-or-later
// What software tells the device: what ends with it, and rules about that.
#include "hw/iommu/verify/watch.hpp"

namespace iommu::verify {

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

void Watch::gone(const Subject& subject, std::uint64_t output, std::uint64_t mask)
{
    if (unsynced_.size() < kept_unsynced) {
        Kept kept;
        kept.subject = subject;
        kept.output = output;
        kept.mask = mask;
        unsynced_.push_back(kept);
    }
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
            gone(kept.subject, kept.output, kept.mask);
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
