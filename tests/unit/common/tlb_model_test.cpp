// SPDX-License-Identifier: GPL-2.0-or-later
// The TLB alone, over random work and under several threads: nothing stale is ever found.
#include <map>
#include <random>
#include <thread>
#include <tuple>

#include "tests/unit/common/tlb_test.hpp"

namespace iommu {
namespace {

// Remembers everything that was put in and not invalidated since.
class Model {
public:
    struct Held {
        std::uint64_t output;
        bool linked;
        std::uint64_t ipa;
    };

    void insert(int who, unsigned log2size, std::uint64_t block, const Held& held)
    {
        held_[{who, log2size, block}] = held;
    }
    // nullptr: not there.
    const Held* find(int who, unsigned log2size, std::uint64_t at) const
    {
        const auto held = held_.find({who, log2size, at >> log2size});
        return held == held_.end() ? nullptr : &held->second;
    }
    void invalidate_all() { held_.clear(); }
    void invalidate_space(int who)
    {
        std::erase_if(held_, [&](auto& m) { return std::get<0>(m.first) == who; });
    }
    void invalidate_page(int who, std::uint64_t at)
    {
        std::erase_if(held_, [&](auto& m) {
            const auto& [w, size, block] = m.first;
            return w == who && !m.second.linked && at >> size == block;
        });
    }
    void invalidate_outer(int who, std::uint64_t at)
    {
        std::erase_if(held_, [&](auto& m) {
            const auto& [w, size, block] = m.first;
            return m.second.linked && same_domain(w, who) &&
                   block << size >> 16 == at >> 16;
        });
    }
    void invalidate_inner(int who, std::uint64_t at)
    {
        std::erase_if(held_, [&](auto& m) {
            return m.second.linked && same_domain(std::get<0>(m.first), who) &&
                   m.second.ipa >> 12 == at >> 12;
        });
    }

private:
    static bool same_domain(int a, int b) { return (a < 2) == (b < 2); }

    using Key = std::tuple<int, unsigned, std::uint64_t>;  // tag, log2size, block
    std::map<Key, Held> held_;
};

Tlb::Mapping mapping_of(unsigned log2size, std::uint64_t block, const Model::Held& held)
{
    return {.input = block << log2size,
            .output = held.output,
            .log2size = static_cast<std::uint8_t>(log2size),
            .outer_log2size = held.linked ? std::uint8_t{16} : std::uint8_t{0},
            .inner_log2size = held.linked ? std::uint8_t{12} : std::uint8_t{0},
            .inner_input = held.ipa};
}

// Random work: the cache may forget, but what it finds is what the model holds.
TEST_F(TlbTest, NeverFindsWhatTheModelDoesNotHold)
{
    std::mt19937_64 random{20};
    Model model;
    const Tlb::Tag tags[] = {tag_a, tag_b, tag_c};
    unsigned hits = 0;
    for (int step = 0; step < 200'000; ++step) {
        const int who = static_cast<int>(random() % 3);
        const unsigned log2size = random() % 4 == 0 ? 16 : 12;
        const auto at = random() % 256 * page;
        switch (random() % 16) {
        case 0:
            tlb.invalidate_space(tags[who].space);
            model.invalidate_space(who);
            break;
        case 1:
            tlb.invalidate_pages(tags[who], at, at + page - 1);
            model.invalidate_page(who, at);
            break;
        case 2:
            tlb.invalidate_outer(tags[who].domain, at, at);
            model.invalidate_outer(who, at);
            break;
        case 3:
            tlb.invalidate_inner(tags[who].domain, at, at);
            model.invalidate_inner(who, at);
            break;
        case 4:
            if (random() % 64 == 0) {
                tlb.invalidate_all();
                model.invalidate_all();
            }
            break;
        case 5:
        case 6:
        case 7: {
            const Model::Held held{random() % (1u << 20) << log2size, random() % 2 == 0,
                                   random() % 256 * page};
            insert(tags[who], mapping_of(log2size, at >> log2size, held));
            model.insert(who, log2size, at >> log2size, held);
            break;
        }
        default:
            if (const auto output = find(tags[who], at)) {
                ++hits;
                const auto* held = model.find(who, hit.log2size, at);
                ASSERT_NE(held, nullptr) << step;
                ASSERT_EQ(*output,
                          held->output + (at & ((std::uint64_t{1} << hit.log2size) - 1)))
                    << step;
            }
            break;
        }
    }
    EXPECT_GT(hits, 1000u);
}

// One thread invalidates and publishes new versions of a page; what another finds is
// never older than what stood when its lookup began.
TEST_F(TlbTest, NoThreadFindsATranslationOlderThanTheLastInvalidation)
{
    std::atomic<std::uint64_t> memory{0};  // the version a walk would read
    std::atomic<std::uint64_t> floor{0};   // of the last invalidation that is over
    std::atomic<bool> stop{false};
    std::atomic<unsigned> stale{0}, found{0};
    const auto user = [&] {
        std::atomic<std::uint8_t> my_guess{0};
        Tlb::Hit my_hit;
        while (!stop.load(std::memory_order_relaxed)) {
            const auto least = floor.load(std::memory_order_acquire);
            if (tlb.lookup(tag_a, 0x5000, my_guess, my_hit)) {
                found.fetch_add(1, std::memory_order_relaxed);
                if (my_hit.output >> 12 < least) {
                    stale.fetch_add(1, std::memory_order_relaxed);
                }
                continue;
            }
            const auto ticket = tlb.begin();
            const auto version = memory.load(std::memory_order_acquire);
            tlb.insert(ticket, tag_a,
                       {.input = 0x5000,
                        .output = version << 12,
                        .log2size = 12,
                        .outer_log2size =
                            version % 2 == 0 ? std::uint8_t{12} : std::uint8_t{0}});
        }
    };
    std::thread users[] = {std::thread{user}, std::thread{user}};
    // A loaded machine may not run the users at once: go on until they found something.
    for (std::uint64_t version = 1;
         version <= 20'000 || (found == 0 && version <= 20'000'000); ++version) {
        memory.store(version, std::memory_order_release);
        switch (version % 4) {
        case 0:
            tlb.invalidate_space(tag_a.space);
            break;
        case 1:
            tlb.invalidate_all();
            break;
        default:
            tlb.invalidate_pages(tag_a, 0x5000, 0x5000);
            tlb.invalidate_outer(tag_a.domain, 0x5000, 0x5000);
            break;
        }
        floor.store(version, std::memory_order_release);
        if (version % 64 == 0) {
            std::this_thread::yield();
        }
    }
    stop = true;
    for (auto& t : users) {
        t.join();
    }
    EXPECT_EQ(stale, 0u);
    EXPECT_GT(found, 0u);
}

}  // namespace
}  // namespace iommu
