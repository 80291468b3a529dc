// SPDX-License-Identifier: GPL-2.0-or-later
// Verify mode: a device that watches its driver.
//
//   access --> WatchedStream --> the device's own stream --> answer
//                    |                                         |
//                    +--> ask(): what memory says now ---------+--> the same?
//
// A second copy of the translation without caches, reading through PeekHost, is what
// memory says.  Nothing here exists, and no line of the translation asks for it, unless
// verify or record is on.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "hw/iommu/record/recorder.hpp"
#include "hw/iommu/verify/findings.hpp"
#include "hw/iommu/verify/peek.hpp"
#include "iommu/device.hpp"

namespace iommu::verify {

// What one access comes to when nothing is cached.
struct Fresh {
    bool known = false;  // false: it says nothing (not RAM)
    bool granted = false;
    bool config_good = false;  // what was read of it may be cached
    bool translates = false;
    std::uint64_t output = 0;
    std::uint64_t mask = 0;
    bool read = false, write = false;
    Subject subject{};  // of the translation
    std::array<std::uint64_t, 16> config{};
    std::uint64_t roots = 0;  // of the tables the tag stands for
    std::uint64_t leaf_at = 0, leaf = 0;
    std::uint64_t reason = 0;  // when refused: event or fault reason, 0 for none
};

class Watch {
public:
    struct Listener {
        void* opaque = nullptr;
        void (*found)(void* opaque, const char* line, const char* json) = nullptr;
        void (*command)(void* opaque, std::uint64_t low, std::uint64_t high) = nullptr;
        void (*mapped)(void* opaque, std::uint32_t requester, std::uint64_t address,
                       std::uint64_t output, unsigned log2size,
                       unsigned rights) = nullptr;
    };

    Watch(Device& device, bool verifies, Listener listener);
    virtual ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // The stream to be used in place of `inner`; the same for the same.
    Stream* stream(Stream& inner, std::uint32_t id);

    // Into a file from now on.  An empty string, or why not.
    std::string record(const char* path);

    // Now and then, at least once a second: lets what is due become a finding, and the
    // file be up to date.
    void tick();
    // Nothing more will come: what is suspected is found.
    void settle();
    // The same, and the end of the record.
    void finish();
    std::string findings();

protected:
    using Guard = std::lock_guard<std::recursive_mutex>;

    // What memory says; nothing is changed, recorded or told.
    virtual Fresh ask(std::uint32_t id, const Transaction& access) = 0;
    // Rules about structures that are in use for the first time.
    virtual void judge(const Fresh& fresh, const Transaction& access) = 0;
    // PCIe 10.1: a function was told a translation, and used one it was told earlier;
    // `used` names the system address.
    virtual void translation_told(std::uint32_t, const Transaction&, const Translation&)
    {
    }
    virtual void translation_used(std::uint32_t, const Transaction&) {}
    // Either was refused: the fault that goes with it, if any.
    void translation_refused(std::uint32_t id, const Transaction& access);

    struct Rules {
        Rule translation, configuration, reuse, shared, scope;
        bool break_before_make = false;
    };
    virtual const Rules& rules() const = 0;
    virtual record::Device kind() const = 0;

    void invalidated(Invalidation what);
    // Gone, but until software has waited for that its memory must not be used anew.
    void gone(const Subject& subject, std::uint64_t output, std::uint64_t mask);
    // An access, or what a function asked for, as the device has answered it.
    void seen(std::uint32_t id, const Transaction& access, bool granted,
              const Translation& out);
    void completed();  // CMD_SYNC, a wait descriptor, a register that is polled
    void configured();
    void settle_due();
    std::vector<std::uint32_t> requesters() const;
    // Somebody is told now.
    void found(Rule rule, std::uint64_t cause, std::vector<Fact> facts,
               const Subject& subject = {});
    void suspected(Rule rule, std::uint64_t cause, std::vector<Fact> facts,
                   const Subject& subject, std::uint64_t since_ns);
    std::uint64_t now() const;
    bool verifies() const { return verifies_; }
    // A command or descriptor, for whoever keeps a record.
    void note_command(const std::array<std::uint64_t, 2>& words);
    // What software is told; `dma`: of the access this thread is at.
    enum class Of : std::uint8_t { Access, Interrupt };
    void note_fault(Of of, std::array<std::uint64_t, 4> words, std::uint32_t reason,
                    std::uint32_t requester);
    void note_used(const Subject& s);
    bool used(std::uint32_t domain, std::uint32_t space) const;

    Device& device_;
    std::recursive_mutex lock_;
    PeekHost peek_;

private:
    class WatchedStream;

    // A translation that a cache may hold.
    struct Kept {
        bool live = false;
        Subject subject{};
        Transaction access{};
        std::uint64_t output = 0, mask = 0;
        std::uint64_t leaf_at = 0, leaf = 0;
        std::uint64_t roots = 0;
        std::uint64_t since_ns = 0;
    };
    struct KeptConfig {
        Subject subject{};
        std::array<std::uint64_t, 16> config{};
        std::uint64_t roots = 0;
        std::uint64_t since_ns = 0;
        bool translates = false;
    };
    static constexpr std::size_t kept_translations = 2048, kept_unsynced = 64,
                                 kept_configs = 4096, kept_recent = 16,
                                 kept_spaces = 65536;

    struct Counts {
        std::uint64_t accesses = 0, refused = 0;
    };
    struct Told {
        bool pending = false;
        std::array<std::uint64_t, 4> words{};
        std::uint32_t reason = 0;
    };

    void look(std::uint32_t id);
    void record_counts();
    void record_mapping(const Fresh& fresh, const Transaction& access);
    void record_fault(const Told& told, std::uint32_t id, const Transaction& access);
    bool same_configuration(const Fresh& fresh);
    void compare(const Fresh& fresh, const Transaction& access, bool granted,
                 const Translation& out);
    void keep(const Fresh& fresh, const Transaction& access);
    void check_reuse(const Fresh& fresh, const Transaction& access);
    void check_shared(const Fresh& fresh);
    void check_replaced(const Kept& kept);
    bool stale_elsewhere(const Invalidation& what);
    Kept& place(const Subject& subject, std::uint64_t address);
    static std::uint64_t key(const Subject& subject);
    std::vector<Invalidation> since(std::uint64_t ns) const;

    const bool verifies_;
    const Listener listener_;
    Findings findings_;
    std::chrono::steady_clock::time_point start_;
    std::map<const Stream*, std::unique_ptr<WatchedStream>> streams_;
    std::vector<Kept> kept_;
    std::vector<Kept> unsynced_;
    std::map<std::uint64_t, KeptConfig> configs_;  // by requester and substream
    std::vector<Invalidation> recent_;
    std::unique_ptr<record::Recorder> recorder_;
    std::map<std::uint32_t, Counts> counts_;
    static Told& told();  // this thread, of the access it is at
    std::bitset<65536> domains_;
    std::set<std::uint64_t> spaces_;  // domain and space
};

}  // namespace iommu::verify
