// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/oracle/vtd_oracle.hpp"

#include <cstdio>

#include "tests/oracle/vtd_oracle_bits.hpp"

namespace oracle::vtd {
namespace {

// VT-d 3.14: requests to 0xfeexxxxx are interrupts, not DMA.
constexpr bool interrupt_range(u64 a)
{
    return a >> 20 == 0xfee;
}

}  // namespace

bool Oracle::load(u64 at, u64& v)
{
    const bool ok = read_(at, v);
    char text[80];
    std::snprintf(text, sizeof text, "load %#llx %s %#llx",
                  static_cast<unsigned long long>(at), ok ? "=" : "ABORTS",
                  static_cast<unsigned long long>(ok ? v : 0));
    out_.trail.emplace_back(text);
    return ok;
}

bool Oracle::fault(std::initializer_list<unsigned> reasons)
{
    out_.reasons = reasons;
    return false;
}

// FPD mutes the faults that VT-d 7.1.3 calls qualified.
bool Oracle::fault_qualified(std::initializer_list<unsigned> reasons)
{
    if (!fpd_) {
        out_.reasons = reasons;
    } else {
        out_.trail.emplace_back("muted by FPD");
    }
    return false;
}

// A pointer with bits above the host address width: reserved, or leading nowhere.
bool Oracle::too_wide(u64 pointer)
{
    const unsigned host = features_.aw == 57 ? 52 : 48;  // HAW, the platform's choice
    return (pointer & page & ~low(host)) != 0 && choose(WideAddressIsReserved);
}

void Oracle::run()
{
    if (interrupt_range(a_.address)) {
        out_.wild = true;
        return;
    }
    const bool scalable = get(root_, 11, 10) == 1;
    if (!scalable && a_.has_pasid) {
        fault({0x31});
        return;
    }
    scalable ? run_scalable() : run_legacy();
    if (out_.passes && interrupt_range(out_.output)) {
        out_.wild = true;
    }
}

Answer Oracle::answer(const Access& access, unsigned choices)
{
    a_ = access;
    choices_ = choices;
    touched_ = 0;
    out_ = {};
    fpd_ = privileged_ = execute_ = false;
    run();
    if (!out_.passes) {
        out_.marks.clear();
    }
    return std::move(out_);
}

}  // namespace oracle::vtd
