// SPDX-License-Identifier: GPL-2.0-or-later
// Which rules moved data, or had it blocked, right after a callback succeeded.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

namespace iommu::contract::callbacks {

struct Shown {
    std::set<unsigned> moved, blocked;
};

class Watch {
public:
    void rule(unsigned number)
    {
        number_ = number;
        last_ = nullptr;
        raced_ = false;
        during_ = {};
    }
    void succeeded(const char* callback)
    {
        const std::lock_guard guard(lock_);
        last_ = callback;
    }
    void accessed(bool moved)
    {
        const std::lock_guard guard(lock_);
        if (last_ != nullptr) {
            (moved ? during_[last_].moved : during_[last_].blocked).insert(number_);
        }
    }
    void raced() { raced_ = true; }
    // Of a rule in which threads race, nothing is kept: the order differs from run to
    // run.
    void keep()
    {
        for (const auto& [callback, shown] : during_) {
            if (!raced_) {
                auto& all = shown_[callback];
                all.moved.insert(shown.moved.begin(), shown.moved.end());
                all.blocked.insert(shown.blocked.begin(), shown.blocked.end());
            }
        }
    }
    const Shown& of(const std::string& callback) { return shown_[callback]; }

private:
    std::mutex lock_;
    unsigned number_ = 0;
    const char* last_ = nullptr;
    bool raced_ = false;
    std::map<std::string, Shown> during_, shown_;
};

}  // namespace iommu::contract::callbacks
